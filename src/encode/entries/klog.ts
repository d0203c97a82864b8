// Parses the header of klog and glog: `I0305 14:07:21.103990       1 server.go:412] message`, with
// a year before the month where glog is configured to write one. The invariant: linear in the
// header's length, whatever the tenant writes; a text without a whole header stays text.

import type { Severity } from '../../log-severity.ts';

export type KlogRecord = {
  readonly severity: Severity;
  /** Digits as written. */
  readonly pid: string;
  readonly file: string;
  /** Digits of an int64, without leading zeros. */
  readonly line: string;
  readonly message: string;
};

const severityLetters: ReadonlyMap<string, Severity> = new Map<string, Severity>([
  ['I', 'INFO'],
  ['W', 'WARNING'],
  ['E', 'ERROR'],
  ['F', 'CRITICAL'],
  ['D', 'DEBUG'],
  ['N', 'NOTICE'],
  ['C', 'CRITICAL'],
  ['A', 'ALERT'],
]);

// Sticky expressions of one character class, or of fixed length: no backtracking.
const date = /(?:[0-9]{4})?[0-9]{4} /y;
const clockTime = /[^ \t\n\v\f\r]*/y;
const whiteSpace = /[ \t\n\v\f\r]+/y;
const digits = /[0-9]+/y;
const source = /[^ \]]+/y;

const int64Max = 9_223_372_036_854_775_807n;
const int64DigitsMax = 19;

/** The end of the match of `pattern` at `at`; -1 without one. */
function skip(pattern: RegExp, text: string, at: number): number {
  if (at === -1) return -1;
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : -1;
}

/** Canonical digits of a line number that an int64 can hold. */
function lineNumber(text: string): string | undefined {
  if (!/^[0-9]+$/.test(text)) return undefined;
  const significant = text.replace(/^0+(?=[0-9])/, '');
  if (significant.length > int64DigitsMax || BigInt(significant) > int64Max) return undefined;
  return significant;
}

/**
 * The parts of a klog record; undefined without such a header (GKE's glog parser: letter, date and
 * time, thread, file:line). Like GKE it leaves out the header's time: the CRI time has nanoseconds
 * and a zone.
 */
export function parseKlog(text: string): KlogRecord | undefined {
  const severity = severityLetters.get(text.charAt(0));
  if (severity === undefined) return undefined;
  const timeEnd = skip(clockTime, text, skip(date, text, 1));
  const pidStart = skip(whiteSpace, text, timeEnd);
  const pidEnd = skip(digits, text, pidStart);
  const sourceStart = skip(whiteSpace, text, pidEnd);
  const sourceEnd = skip(source, text, sourceStart);
  if (sourceEnd === -1 || text[sourceEnd] !== ']') return undefined;
  if (skip(whiteSpace, text, sourceEnd + 1) === -1) return undefined;
  const fileAndLine = text.slice(sourceStart, sourceEnd);
  const colon = fileAndLine.lastIndexOf(':');
  if (colon < 1) return undefined;
  const line = lineNumber(fileAndLine.slice(colon + 1));
  if (line === undefined) return undefined;
  const file = fileAndLine.slice(0, colon);
  // Exactly one white space character ends the header; more of them are the message's own.
  return {
    severity,
    pid: text.slice(pidStart, pidEnd),
    file,
    line,
    message: text.slice(sourceEnd + 2),
  };
}
