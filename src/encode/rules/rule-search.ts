// The searches of rules, with RE2 and with a time limit, whatever a tenant writes.
//
// Invariant: a search that takes too long throws SearchSpent, and nothing else does.

import { limits } from '../../config.ts';
import { compileRe2, type Re2Pattern } from '../../re2-pattern.ts';
import type { Allowance } from '../redaction/allowance.ts';
import { endableText, SearchSpent } from '../redaction/endable-text.ts';

export type Matcher = ReturnType<Re2Pattern['matcher']>;

/** One pattern of a rule. */
export class RuleSearch {
  readonly source: string;
  readonly pattern: Re2Pattern;
  /** The named groups. */
  readonly groups: readonly (readonly [name: string, group: number])[];
  readonly #allowance: Allowance;
  readonly #steps: number;

  constructor(source: string, allowance: Allowance) {
    this.source = source;
    this.pattern = compileRe2(source);
    this.groups = Object.entries(this.pattern.namedGroups());
    this.#allowance = allowance;
    this.#steps = this.pattern.programSize();
  }

  /** Whether it matches anywhere. */
  test(text: string): boolean {
    return this.pattern.test(this.#searched(text));
  }

  /** Calls `take` for every match, in order. */
  eachMatch(text: string, take: (matcher: Matcher) => void): void {
    if (!this.test(text)) return;
    this.#allowance.grant(text.length * this.#steps);
    const matcher = this.pattern.matcher(this.#searched(text));
    while (matcher.find()) {
      take(matcher);
      if (this.#allowance.isSpent()) throw new SearchSpent();
    }
  }

  /** The first match; undefined if there is none. */
  find(text: string): Matcher | undefined {
    if (!this.test(text)) return undefined;
    const matcher = this.pattern.matcher(this.#searched(text));
    return matcher.find() ? matcher : undefined;
  }

  #searched(text: string): string {
    const steps = text.length * this.#steps;
    if (steps <= limits.redactStepsAtOnceMax) return text;
    this.#allowance.grant(steps);
    return endableText(text, this.#allowance.isSpent);
  }
}

/** What a group matched; undefined if it did not participate. */
export function groupText(text: string, matcher: Matcher, group: number): string | undefined {
  const start = matcher.start(group);
  return start < 0 ? undefined : text.slice(start, matcher.end(group));
}
