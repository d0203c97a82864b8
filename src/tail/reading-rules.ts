// Which containers are read, how fast, and how: from the globs of the configuration and, where they
// are obeyed, from the annotations of the pods. Asked by fleet.ts when a container appears, when
// its pod changes and when the configuration does; never on the path of the lines.
//
// Invariants: without any rule everybody gets the same frozen `noRule`, and nothing is compared; an
// annotation can slow a container down or hide it, never lift what the configuration sets.

import type { Config } from '../config.ts';
import { parseGlob, parseRate, type ContainerGlob } from '../container-glob.ts';
import type { ContainerNames } from './workload.ts';

/** What holds for one container. */
export type ReadingRule = {
  /** Not read; what its files hold is read if that changes. */
  readonly isExcluded: boolean;
  /** undefined: as the configuration says for all. */
  readonly joinStackTraces: boolean | undefined;
  /** undefined: as fast as can be. */
  readonly bytesPerSecond: number | undefined;
};

export type Annotations = Readonly<Record<string, string>>;

export const noRule: ReadingRule = Object.freeze({
  isExcluded: false,
  joinStackTraces: undefined,
  bytesPerSecond: undefined,
});

type Rate = { readonly glob: ContainerGlob; readonly bytesPerSecond: number };

export class ReadingRules {
  readonly #include: readonly ContainerGlob[];
  readonly #exclude: readonly ContainerGlob[];
  readonly #rates: readonly Rate[];
  readonly #obeysAnnotations: boolean;
  readonly #isEmpty: boolean;

  constructor(config: Pick<Config, 'include' | 'exclude' | 'rateLimit' | 'podAnnotations'>) {
    const { include, exclude, rateLimit, podAnnotations } = config;
    this.#include = include.map(parseGlob);
    this.#exclude = exclude.map(parseGlob);
    this.#rates = rateLimit.map(parseRate);
    this.#obeysAnnotations = podAnnotations;
    this.#isEmpty = !podAnnotations && [include, exclude, rateLimit].every(({ length }) => !length);
  }

  /** A log without names is under no rule. */
  of(names: ContainerNames | undefined, annotations: () => Annotations | undefined): ReadingRule {
    if (this.#isEmpty || names === undefined) return noRule;
    const matches = (glob: ContainerGlob) => glob(names);
    const own = this.#obeysAnnotations ? ruleOf(annotations() ?? {}, names) : noRule;
    const isIncluded = this.#include.length === 0 || this.#include.some(matches);
    const rate = this.#rates.find(({ glob }) => glob(names))?.bytesPerSecond;
    return {
      isExcluded: !isIncluded || this.#exclude.some(matches) || own.isExcluded,
      joinStackTraces: own.joinStackTraces,
      bytesPerSecond: smaller(rate, own.bytesPerSecond),
    };
  }
}

/** A value that means nothing is as if it were not there: the pod's owner cannot stop the agent. */
function ruleOf(annotations: Annotations, { container }: ContainerNames): ReadingRule {
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

function annotatedRate(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  try {
    return parseRate(`*=${text}`).bytesPerSecond;
  } catch {
    return undefined;
  }
}

function smaller(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}
