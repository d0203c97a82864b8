// Hides what the user's patterns match in a record.
//
//   text          every match of every pattern becomes `[REDACTED]`
//   JSON object   the same, in a way that leaves it an object where that is possible
//                 (redact-object.ts)
//
// The invariant: nothing that a pattern matches is left, whatever the others match; where matches
// cannot be hidden one by one, the whole record is. A tenant's text costs a bounded time: a search
// is linear, and all searches of a task together have an allowance of CPU time. When it is spent,
// every record that matches is hidden as a whole.

import { threadCpuUsage } from 'node:process';

import { limits } from '../../config.ts';
import { compileRe2, type Re2Pattern } from '../../re2-pattern.ts';
import { applyEdits } from '../json/object-scan.ts';
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
  /** undefined: there is nothing to hide. */
  redact(text: string): Redacted | undefined;
};

function threadCpuMs(): number {
  const { user, system } = threadCpuUsage();
  return (user + system) / 1e3;
}

/** The time that a source's searches may take, which grows with what is searched. */
function createAllowance() {
  let leftMs: number = limits.redactStartMs;
  let startMs = 0;
  let startCpuMs = 0;
  return {
    begin(steps: number) {
      leftMs = Math.min(leftMs + (steps * limits.redactStepNanos) / 1e6, limits.redactMsMax);
      startMs = performance.now();
      startCpuMs = threadCpuMs();
    },
    /** The clock is cheap; only CPU time counts, so that a busy machine changes nothing. */
    isSpent: () => performance.now() - startMs > leftMs && threadCpuMs() - startCpuMs > leftMs,
    end() {
      leftMs -= threadCpuMs() - startCpuMs;
    },
  };
}

type Allowance = ReturnType<typeof createAllowance>;

/** Adds the matches of one pattern; false when they take too long to find. */
function findAll(
  pattern: Re2Pattern,
  text: string,
  { ranges, allowance }: { ranges: Range[]; allowance: Allowance },
): boolean {
  // A search for a match's ends takes ten times as long as one that only says whether there is any.
  if (!pattern.test(text)) return true;
  allowance.begin(text.length * pattern.programSize());
  const matcher = pattern.matcher(text);
  let isSpent = allowance.isSpent();
  while (!isSpent && matcher.find()) {
    const [start, end] = [matcher.start(), matcher.end()];
    if (end > start) ranges.push({ start, end });
    isSpent = allowance.isSpent();
  }
  allowance.end();
  return !isSpent;
}

function createSearch(patterns: readonly Re2Pattern[]): Search {
  const allowance = createAllowance();
  return (text) => {
    const ranges: Range[] = [];
    for (const pattern of patterns) {
      if (!findAll(pattern, text, { ranges, allowance })) return undefined;
    }
    return united(ranges);
  };
}

function redact(text: string, search: Search): Redacted | undefined {
  const ranges = search(text);
  if (ranges === undefined) return redactedWhole;
  const mayHide = ranges.length > 0 || text.includes('\\');
  const tokens = mayHide ? keysAndScalars(text) : undefined;
  if (tokens !== undefined) return redactObject(text, { tokens, ranges }, search);
  if (ranges.length === 0) return undefined;
  const edits = ranges.map((range) => ({ ...range, text: redactedText }));
  return { text: applyEdits(text, edits), mayBeObject: false };
}

/** A redactor for the records of one source in one task. */
export function createRedactor(patterns: readonly string[]): Redactor {
  const search = createSearch(patterns.map(compileRe2));
  return { redact: (text) => redact(text, search) };
}
