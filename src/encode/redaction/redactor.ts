// Hides what the user's patterns match in a record.
//
//   text          every match of every pattern becomes `[REDACTED]`
//   JSON object   the same, in a way that leaves it an object where that is possible
//                 (redact-object.ts)
//
// The invariant: nothing that a pattern matches is left, whatever the others match; where matches
// cannot be hidden one by one, the whole record is. A tenant's text costs a bounded time: all
// searches of a task together have an allowance of CPU time, and one record never more than a
// second. When it is spent, the record is hidden as a whole.

import { limits } from '../../config.ts';
import { compileRe2, type Re2Pattern } from '../../re2-pattern.ts';
import { applyEdits } from '../json/object-scan.ts';
import { createAllowance, type Allowance } from './allowance.ts';
import { endableText, SearchSpent } from './endable-text.ts';
import {
  keysAndScalars,
  redactedText,
  redactedWhole,
  redactObject,
  united,
  type Range,
  type Redacted,
  type Search,
} from './redact-object.ts';

export type Redactor = {
  /** Undefined when there is nothing to hide. */
  redact(text: string): Redacted | undefined;
};

/** A text, and how it is searched. */
type Searched = {
  readonly text: string;
  /** The record takes long, so its searches can end at any character. */
  readonly isLong: boolean;
  readonly allowance: Allowance;
};

/** Adds the matches of one pattern. @throws SearchSpent when they take too long to find. */
function findAll(
  pattern: Re2Pattern,
  { text, isLong, allowance }: Searched,
  ranges: Range[],
): void {
  const steps = text.length * pattern.programSize();
  const searched = isLong ? endableText(text, allowance.isSpent) : text;
  if (isLong) allowance.grant(steps);
  // Finding the ends of matches takes ten times as long as testing for one.
  if (!pattern.test(searched)) return;
  if (!isLong) allowance.grant(steps);
  const matcher = pattern.matcher(searched);
  for (;;) {
    if (allowance.isSpent()) throw new SearchSpent();
    if (!matcher.find()) return;
    const [start, end] = [matcher.start(), matcher.end()];
    if (end > start) ranges.push({ start, end });
  }
}

function redact(text: string, search: Search): Redacted | undefined {
  const ranges = search(text);
  const mayHide = ranges.length > 0 || text.includes('\\');
  const tokens = mayHide ? keysAndScalars(text) : undefined;
  if (tokens !== undefined) return redactObject(text, { tokens, ranges }, search);
  if (ranges.length === 0) return undefined;
  const edits = ranges.map((range) => ({ ...range, text: redactedText }));
  return { text: applyEdits(text, edits), mayBeObject: false };
}

/** A redactor for the records of one source in one task. */
export function createRedactor(patterns: readonly string[]): Redactor {
  const all = patterns.map(compileRe2);
  let stepsPerUnit = 0;
  for (const pattern of all) stepsPerUnit += pattern.programSize();
  const allowance = createAllowance();
  let isLong = false;
  const search: Search = (text) => {
    const ranges: Range[] = [];
    for (const pattern of all) findAll(pattern, { text, isLong, allowance }, ranges);
    return united(ranges);
  };
  return {
    redact(text) {
      isLong = text.length * stepsPerUnit > limits.redactStepsAtOnceMax;
      try {
        return redact(text, search);
      } catch (error) {
        if (!(error instanceof SearchSpent)) throw error;
        return redactedWhole;
      } finally {
        allowance.endRecord();
      }
    },
  };
}
