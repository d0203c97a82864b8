// Faults on demand: which request is to go wrong, and how.
//
// `PUT /emulator/faults` and `--faults FILE` set rules; each request is held against them. The
// first rule that hits decides; delays of the rules before it add up. Randomness is seeded, so that
// a test's run can be repeated.

import { AgentError } from '../../errors.ts';
import { randomNumbers } from '../random-numbers.ts';

const modes = [
  'status',
  'reset',
  'hang',
  'html',
  'partial',
  'halfClose',
  'body',
  'cut',
  'endless',
  'drip',
] as const;
const targets = ['write', 'list', 'metadata', 'token'] as const;

export type FaultMode = (typeof modes)[number];
/** Which of the emulator's endpoints a rule is about. */
export type FaultTarget = (typeof targets)[number];

/** All keys are optional in JSON; `{}` is no rule. */
export type FaultRule = {
  /**
   * Absent: the request is only late. `halfClose` answers, then ends the connection without having
   * said so. `body` answers with that body and nothing else; `cut` breaks it off before its end;
   * `endless` and `drip` repeat it without an end, at once or ten times a second.
   */
  readonly mode?: FaultMode;
  /** HTTP status of `status` (503), `html` (502) and of the modes with a body (200). */
  readonly status?: number;
  /** What `body`, `cut`, `endless` and `drip` answer. */
  readonly body?: string;
  /** Of `body`: the content is compressed although nobody asked for that. */
  readonly gzip?: boolean;
  /** Of `status`: an ErrorInfo of the domain `googleapis.com` with this reason. */
  readonly reason?: string;
  /** Of the requests, how many are hit: 0 to 1. */
  readonly share?: number;
  /** Hits the n-th, 2n-th, … request, instead of a random share. */
  readonly everyNth?: number;
  /** The rule ends after so many hits. */
  readonly times?: number;
  readonly delayMs?: number;
  /**
   * Text within an entry. `partial` refuses the entries that hold it; the other modes hit only
   * requests that do.
   */
  readonly pattern?: string;
  /** The rule ends so long after it was set. */
  readonly forMs?: number;
  /** google.rpc.Code of the entries that `partial` refuses (3). */
  readonly code?: number;
  /** False: `partial` refuses the whole request with a bare 400 if one of its entries matches. */
  readonly details?: boolean;
  readonly retryAfterSeconds?: number;
  /** The request is done first, and then its answer is lost in the way of `mode`. */
  readonly after?: boolean;
  /** Default `write`. */
  readonly on?: FaultTarget;
  readonly seed?: number;
};

export type FaultDecision = { readonly delayMs: number; readonly rule: FaultRule | undefined };

type ArmedRule = {
  readonly rule: FaultRule;
  readonly endsAtMs: number;
  readonly random: () => number;
  requestCount: number;
  hitCount: number;
};

const keyTypes: Readonly<Record<keyof FaultRule, 'string' | 'number' | 'boolean'>> = {
  mode: 'string',
  status: 'number',
  body: 'string',
  gzip: 'boolean',
  reason: 'string',
  share: 'number',
  everyNth: 'number',
  times: 'number',
  delayMs: 'number',
  pattern: 'string',
  forMs: 'number',
  code: 'number',
  details: 'boolean',
  retryAfterSeconds: 'number',
  after: 'boolean',
  on: 'string',
  seed: 'number',
};

function invalid(reason: string): AgentError {
  return new AgentError('CONFIG_INVALID', `faults: ${reason}`);
}

/**
 * One rule, or a list of rules, from JSON; `{}` gives none. Throws AgentError CONFIG_INVALID,
 * naming the key.
 */
export function readFaultRules(json: unknown): FaultRule[] {
  const rules: unknown[] = Array.isArray(json) ? json : [json];
  return rules.map(readRule).filter((rule) => Object.keys(rule).length > 0);
}

function readRule(json: unknown): FaultRule {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw invalid('a rule is an object');
  }
  for (const [key, value] of Object.entries(json)) {
    const type = Object.hasOwn(keyTypes, key) ? keyTypes[key as keyof FaultRule] : undefined;
    if (type === undefined) throw invalid(`unknown key ${key}`);
    if (typeof value !== type) throw invalid(`${key} is a ${type}`);
    if (type === 'number' && !(Number(value) >= 0)) throw invalid(`${key} is not negative`);
  }
  const rule = json as FaultRule;
  if (rule.mode !== undefined && !modes.includes(rule.mode)) {
    throw invalid(`mode is one of ${modes.join(', ')}`);
  }
  if (rule.on !== undefined && !targets.includes(rule.on)) {
    throw invalid(`on is one of ${targets.join(', ')}`);
  }
  if (rule.status !== undefined && !(rule.status >= 200 && rule.status <= 599)) {
    throw invalid('status is 200 to 599');
  }
  return rule;
}

/** Whether an entry's or a body's JSON holds the pattern, as it is or as JSON would write it. */
export function holdsPattern(json: Buffer, pattern: string): boolean {
  return json.includes(pattern) || json.includes(JSON.stringify(pattern).slice(1, -1));
}

/** The rules in force. */
export class Faults {
  #armed: ArmedRule[] = [];

  /** Replaces all rules; times and counts start over. */
  set(rules: readonly FaultRule[]): void {
    this.#armed = rules.map((rule) => ({
      rule,
      endsAtMs: performance.now() + (rule.forMs ?? Infinity),
      random: randomNumbers(rule.seed ?? 1),
      requestCount: 0,
      hitCount: 0,
    }));
  }

  get rules(): FaultRule[] {
    return this.#armed.filter((armed) => this.#isInForce(armed)).map((armed) => armed.rule);
  }

  #isInForce({ rule, endsAtMs, hitCount }: ArmedRule): boolean {
    return performance.now() < endsAtMs && hitCount < (rule.times ?? Infinity);
  }

  decide(target: FaultTarget, body: Buffer): FaultDecision {
    let delayMs = 0;
    for (const armed of this.#armed) {
      const { rule } = armed;
      if ((rule.on ?? 'write') !== target || !this.#isInForce(armed)) continue;
      if (rule.pattern !== undefined && !holdsPattern(body, rule.pattern)) continue;
      armed.requestCount += 1;
      const isHit =
        rule.everyNth === undefined
          ? armed.random() < (rule.share ?? 1)
          : rule.everyNth > 0 && armed.requestCount % rule.everyNth === 0;
      if (!isHit) continue;
      armed.hitCount += 1;
      delayMs += rule.delayMs ?? 0;
      if (rule.mode !== undefined) return { delayMs, rule };
    }
    return { delayMs, rule: undefined };
  }
}
