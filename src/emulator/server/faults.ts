// Faults on demand: which request is to go wrong, and how.
//
// `PUT /emulator/faults` and `--faults FILE` set rules; each request is held against them. The
// first rule that hits decides; delays of the rules before it add up. Randomness is seeded, so that
// a test's run can be repeated.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { type AgentError, configError } from '../../errors.ts';
import { bodyOfHttpStatus, rpcCode } from '../protocol/api-error.ts';
import { randomNumbers } from '../random-numbers.ts';
import type { WriteRequest } from '../write/write-request.ts';
import { type Answer, noAnswer } from './route-answer.ts';

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
/** The emulator's endpoint that a rule applies to. */
export type FaultTarget = (typeof targets)[number];

/** The keys of a rule in JSON, all optional; `{}` is no rule. */
const keyTypes = {
  /**
   * Absent: the request is only late. `halfClose` answers, then ends the connection without notice.
   * `body` answers with that body alone; `cut` breaks it off before its end; `endless` and `drip`
   * repeat it without end, at once or ten times a second.
   */
  mode: 'string',
  /** HTTP status of `status` (503), `html` (502) and of the modes with a body (200). */
  status: 'number',
  /** The answer of `body`, `cut`, `endless` and `drip`. */
  body: 'string',
  /** For `body`: the content is compressed, unrequested. */
  gzip: 'boolean',
  /** For `status`: an ErrorInfo of the domain `googleapis.com` with this reason. */
  reason: 'string',
  /** The share of requests that are hit, 0 to 1. */
  share: 'number',
  /** Hits every n-th request instead of a random share. */
  everyNth: 'number',
  /** The rule ends after this many hits. */
  times: 'number',
  delayMs: 'number',
  /** Text within an entry: `partial` refuses entries with it; other modes hit requests with it. */
  pattern: 'string',
  /** The rule ends after this time. */
  forMs: 'number',
  /** google.rpc.Code of the entries that `partial` refuses (3). */
  code: 'number',
  /** False: `partial` refuses the whole request with a bare 400 if one of its entries matches. */
  details: 'boolean',
  retryAfterSeconds: 'number',
  /** The request is carried out, and only its answer is lost, by `mode`. */
  after: 'boolean',
  /** Default `write`. */
  on: 'string',
  seed: 'number',
} as const;

type Types = { readonly string: string; readonly number: number; readonly boolean: boolean };
type Values = { readonly [Key in keyof typeof keyTypes]: Types[(typeof keyTypes)[Key]] };
export type FaultRule = Partial<
  Omit<Values, 'mode' | 'on'> & { readonly mode: FaultMode; readonly on: FaultTarget }
>;

export type FaultDecision = { readonly delayMs: number; readonly rule: FaultRule | undefined };

type ArmedRule = {
  readonly rule: FaultRule;
  readonly endsAtMs: number;
  readonly random: () => number;
  requestCount: number;
  hitCount: number;
};

function invalid(reason: string): AgentError {
  return configError(`faults: ${reason}`);
}

/** One rule or a list of them; `{}` gives none. Throws CONFIG_INVALID, which names the key. */
export function readFaultRules(json: unknown): FaultRule[] {
  const rules: unknown[] = Array.isArray(json) ? json : [json];
  return rules.map(readRule).filter((rule) => Object.keys(rule).length > 0);
}

function readRule(json: unknown): FaultRule {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw invalid('a rule is an object');
  }
  for (const [key, value] of Object.entries(json)) {
    const type = Object.hasOwn(keyTypes, key) ? keyTypes[key as keyof Values] : undefined;
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

/** Whether the JSON of an entry or body contains the pattern, plain or escaped as in JSON. */
function holdsPattern(json: Buffer, pattern: string): boolean {
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

const dripMs = 100;
const blockBytes = 16 * 1024;

/** The answer that a fault gives instead of the API's, if any. */
export function disrupt(
  rule: FaultRule,
  request: IncomingMessage,
  response: ServerResponse,
): Answer | typeof noAnswer {
  const headers: Record<string, string> =
    rule.retryAfterSeconds === undefined ? {} : { 'retry-after': String(rule.retryAfterSeconds) };
  if (rule.mode === 'reset') request.socket.resetAndDestroy();
  if (rule.mode === 'reset' || rule.mode === 'hang') return noAnswer;
  if (rule.mode === 'html') {
    const status = rule.status ?? 502;
    const body = `<!DOCTYPE html>\n<title>Error ${status}</title>\n<p>The server had an error.\n`;
    return { status, body, type: 'text/html; charset=UTF-8', headers };
  }
  if (rule.mode !== 'status') {
    answerOddly(rule, response);
    return noAnswer;
  }
  const { status = 503, reason } = rule;
  const type = 'type.googleapis.com/google.rpc.ErrorInfo';
  const info = { '@type': type, reason, domain: 'googleapis.com', metadata: {} };
  const details = reason === undefined ? [] : [info];
  const body = bodyOfHttpStatus(status, `Emulated fault: HTTP ${status}.`, details);
  return { status, body, headers };
}

/** Answers that no healthy API gives, and that `Answer` cannot describe. */
function answerOddly(rule: FaultRule, response: ServerResponse): void {
  const { mode, status = 200, body = '', gzip = false } = rule;
  const bytes = gzip ? gzipSync(body) : Buffer.from(body);
  if (gzip) response.setHeader('content-encoding', 'gzip');
  if (mode === 'body') {
    response.writeHead(status).end(bytes);
  } else if (mode === 'cut') {
    response.writeHead(status, { 'content-length': bytes.length + 1 });
    response.write(bytes, () => response.socket?.destroy());
  } else {
    response.writeHead(status);
    repeat(bytes.length === 0 ? Buffer.from(' ') : bytes, mode === 'drip', response);
  }
}

/** Writes the bytes again and again until the client leaves. */
function repeat(bytes: Buffer, isSlow: boolean, response: ServerResponse): void {
  if (isSlow) {
    const timer = setInterval(() => response.write(bytes), dripMs);
    response.once('close', () => clearInterval(timer));
    return;
  }
  const block = Buffer.alloc(Math.max(bytes.length, blockBytes), bytes);
  const pour = (): void => {
    while (!response.destroyed && response.write(block));
  };
  response.on('drain', pour);
  pour();
}

/** Refuses entries of a valid request by a `partial` fault; without a pattern, the first one. */
export function refuseByFault(request: WriteRequest, rule: FaultRule): WriteRequest {
  const { pattern, code = rpcCode.invalidArgument } = rule;
  const refused = request.entries.filter((entry, at) =>
    pattern === undefined ? at === 0 : holdsPattern(entry.json, pattern),
  );
  if (refused.length === 0) return request;
  if (rule.details === false) return refuseAll(request);
  const refusals = new Map(request.refusals);
  for (const { index } of refused) {
    refusals.set(index, { code, message: 'Emulated fault: entry refused.' });
  }
  const gone = new Set(refused);
  return { ...request, refusals, entries: request.entries.filter((entry) => !gone.has(entry)) };
}

/** A request of which no entry is written has no details. */
function refuseAll(request: WriteRequest): WriteRequest {
  const message = 'Request contains an invalid argument.';
  const indexes = Array.from({ length: request.entryCount }, (_, index) => index);
  return {
    ...request,
    partialSuccess: true,
    refusals: new Map(indexes.map((index) => [index, { code: rpcCode.invalidArgument, message }])),
    entries: [],
  };
}
