// Which containers are read, how fast and how, and what of them is shipped: from the globs of the
// configuration and, if enabled, the annotations of the pods. Resolved when a container appears,
// and when its pod or the configuration changes; never per line.
//
// Invariants: without any rule all containers get the frozen `noRule`, and nothing is compared; an
// annotation can only slow a container down, hide it or thin it out.

import { parseGlob, parseRate, type ContainerGlob } from '../container-glob.ts';
import type { RecordRule } from '../encode/drain-task.ts';
import { severityNames } from '../log-severity.ts';
import { nodeNamespace } from '../node-file.ts';
import {
  parseRedaction,
  parseSample,
  parseShare,
  type Redaction,
  type SeverityShare,
} from '../record-rule.ts';
import {
  compileRules,
  type NamedSteps,
  type ResolvedRules,
  type RuledContainer,
  type TemplateChange,
  type Texts,
} from '../rules/resolve-rules.ts';
import type { Rule } from '../rules/rule.ts';
import { agentWishes, type AgentWishes } from './agent-annotations.ts';
import type { ContainerNames } from './container-names.ts';

export type ReadingRule = {
  /** Its files keep what they hold until that changes. */
  readonly isExcluded: boolean;
  /** undefined: as configured for all. */
  readonly joinStackTraces: boolean | undefined;
  /** undefined: not limited. */
  readonly bytesPerSecond: number | undefined;
  /** undefined: records are shipped unchanged. */
  readonly records: RecordRule | undefined;
  /** undefined: no rule changes it. */
  readonly template: TemplateChange | undefined;
  /** A parser in an annotation that is not known. */
  readonly unknownParser: string | undefined;
  readonly matching?: readonly Rule[];
};

export type Annotations = Readonly<Record<string, string>>;

export type PodTexts = { readonly labels: Texts; readonly annotations: Texts };

/** `annotations`: those that the agent obeys. */
type RuledPod = {
  readonly annotations: Annotations | undefined;
  readonly podTexts?: PodTexts | undefined;
};

export const noPodTexts: PodTexts = Object.freeze({ labels: {}, annotations: {} });

export const noRule: ReadingRule = Object.freeze({
  isExcluded: false,
  joinStackTraces: undefined,
  bytesPerSecond: undefined,
  records: undefined,
  template: undefined,
  unknownParser: undefined,
});

type Rate = { readonly glob: ContainerGlob; readonly bytesPerSecond: number };
type Sample = SeverityShare & { readonly glob: ContainerGlob };

type RuleOptions = {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly rateLimit: readonly string[];
  readonly redact: readonly string[];
  readonly sample: readonly string[];
  readonly podAnnotations: boolean;
  /** JSON of the checked rules. */
  readonly rules: string | undefined;
};

export class ReadingRules {
  readonly #include: readonly ContainerGlob[];
  readonly #exclude: readonly ContainerGlob[];
  readonly #rates: readonly Rate[];
  readonly #redactions: readonly Redaction[];
  readonly #samples: readonly Sample[];
  readonly #obeysAnnotations: boolean;
  readonly #resolve: ((container: RuledContainer) => ResolvedRules) | undefined;
  readonly #isEmpty: boolean;

  constructor(options: RuleOptions) {
    const { include, exclude, rateLimit, redact, sample, podAnnotations } = options;
    this.#include = include.map(parseGlob);
    this.#exclude = exclude.map(parseGlob);
    this.#rates = rateLimit.map(parseRate);
    this.#redactions = redact.map(parseRedaction);
    this.#samples = sample.map(parseSample);
    this.#obeysAnnotations = podAnnotations;
    const lists = [include, exclude, rateLimit, redact, sample];
    this.#resolve =
      options.rules === undefined
        ? undefined
        : compileRules(JSON.parse(options.rules) as readonly Rule[]);
    this.#isEmpty =
      !podAnnotations && options.rules === undefined && lists.every(({ length }) => length === 0);
  }

  /** No rule applies to a log without names. */
  of(
    names: ContainerNames | undefined,
    pod: () => RuledPod | undefined = () => undefined,
  ): ReadingRule {
    if (this.#isEmpty || names === undefined) return noRule;
    const matches = (glob: ContainerGlob) => glob(names);
    const annotated = this.#obeysAnnotations ? (pod()?.annotations ?? {}) : {};
    const own = ruleOf(annotated, names);
    const wishes = agentWishes(annotated, names.container);
    // `--include` chooses among containers; the node's own logs have an option of their own.
    const isNode = names.namespace === nodeNamespace;
    const isIncluded = isNode || this.#include.length === 0 || this.#include.some(matches);
    const rate = this.#rates.find(({ glob }) => glob(names))?.bytesPerSecond;
    return {
      isExcluded: !isIncluded || this.#exclude.some(matches) || own.isExcluded || wishes.isExcluded,
      joinStackTraces: own.joinStackTraces,
      bytesPerSecond: smaller(rate, own.bytesPerSecond),
      ...this.#shape(names, { annotated, wishes }, pod),
      unknownParser: wishes.unknownParser,
    };
  }

  #shape(
    names: ContainerNames,
    { annotated, wishes }: { readonly annotated: Annotations; readonly wishes: AgentWishes },
    pod: () => RuledPod | undefined,
  ): Pick<ReadingRule, 'records' | 'template' | 'matching'> {
    const records = this.#recordRule(names, annotated);
    const resolved = this.#resolve?.({ ...names, ...(pod()?.podTexts ?? noPodTexts) });
    const { firstLine, template, matching = [] } = resolved ?? {};
    const steps = joinedSteps(resolved?.steps, wishes);
    if (steps === undefined && firstLine === undefined) return { records, template, matching };
    const { redact, shares } = records ?? { redact: [], shares: undefined };
    const looking = { ...(steps !== undefined && { steps }), ...(firstLine && { firstLine }) };
    return { records: { redact, shares, ...looking }, template, matching };
  }

  #recordRule(names: ContainerNames, annotated: Annotations): RecordRule | undefined {
    const redactions = this.#redactions.filter(({ glob }) => glob(names));
    const redact = redactions.map(({ pattern }) => pattern);
    // The first one for a severity counts, as with rates.
    const samples = this.#samples.filter(({ glob }) => glob(names)).toReversed();
    const shares = smallerShares(samples, annotatedShares(annotated['tailship.dev/sample']));
    return redact.length === 0 && shares === undefined ? undefined : { redact, shares };
  }
}

/** An invalid value is ignored: a pod's owner cannot stop the agent. */
function ruleOf(
  annotations: Annotations,
  { container }: ContainerNames,
): Omit<ReadingRule, 'records' | 'template' | 'matching' | 'unknownParser'> {
  const excluded = (annotations['tailship.dev/exclude'] ?? '')
    .split(',')
    .map((part) => part.trim());
  const join = annotations['tailship.dev/join-stack-traces'];
  return {
    isExcluded: excluded.includes('true') || excluded.includes(container),
    joinStackTraces: join === 'true' ? true : join === 'false' ? false : undefined,
    bytesPerSecond: annotatedRate(annotations['tailship.dev/rate-limit']),
  };
}

/** The operator's rules come first. */
function joinedSteps(steps: string | undefined, wishes: AgentWishes): string | undefined {
  if (wishes.steps.length === 0) return steps;
  const own = JSON.parse(steps ?? '[]') as readonly NamedSteps[];
  return JSON.stringify([...own, ...wishes.steps]);
}

function annotatedRate(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  try {
    return parseRate(`*=${text}`).bytesPerSecond;
  } catch {
    return undefined;
  }
}

function annotatedShares(text: string | undefined): readonly SeverityShare[] {
  const parts = (text ?? '').split(',').map((part) => parseShare(part.trim()));
  return parts.filter((part) => part !== undefined);
}

/** One share for each severity; undefined when all records are shipped. */
function smallerShares(
  configured: readonly SeverityShare[],
  annotated: readonly SeverityShare[],
): readonly number[] | undefined {
  const shares = severityNames.map(() => 1);
  for (const { severity, share } of configured) shares[severity] = share;
  for (const { severity, share } of annotated) {
    shares[severity] = Math.min(shares[severity] ?? 1, share);
  }
  return shares.every((share) => share === 1) ? undefined : shares;
}

function smaller(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}
