// Maps the numbers and names of log libraries to severities.

import { severityOfPriority, type Severity } from '../../log-severity.ts';
import type { SeverityAction, SeverityMapName } from '../../rules/rule.ts';
import { parseLevel, parseSeverity } from '../entries/severity.ts';

/** The severity of the greatest number that does not exceed the value; in ascending order. */
type Steps = readonly (readonly [from: number, Severity])[];

// pino and bunyan allow custom levels between their own.
const pino: Steps = [
  [1, 'DEBUG'],
  [30, 'INFO'],
  [40, 'WARNING'],
  [50, 'ERROR'],
  [60, 'CRITICAL'],
];
const python: Steps = [
  [0, 'DEFAULT'],
  [1, 'DEBUG'],
  [20, 'INFO'],
  [30, 'WARNING'],
  [40, 'ERROR'],
  [50, 'CRITICAL'],
];
/** Levels of Log4j 1 and logback grow with severity, those of Log4j 2 shrink. */
const log4j: Steps = [
  [1, 'CRITICAL'],
  [200, 'ERROR'],
  [300, 'WARNING'],
  [400, 'INFO'],
  [500, 'DEBUG'],
  [5_000, 'DEBUG'],
  [20_000, 'INFO'],
  [30_000, 'WARNING'],
  [40_000, 'ERROR'],
  [50_000, 'CRITICAL'],
];
/** RFC 5424. */
const syslog: Steps = Array.from({ length: 8 }, (_, from) => [from, severityOfPriority(from)]);
const numbers: Readonly<Record<SeverityMapName, Steps>> = {
  pino,
  bunyan: pino,
  log4j,
  syslog,
  python,
};
/** Names that `parseSeverity` does not understand. */
const names: Readonly<Record<string, Severity>> = {
  panic: 'EMERGENCY',
  silly: 'DEBUG',
  verbose: 'DEBUG',
  all: 'DEBUG',
};

function ofOwnMap(text: string, map: Readonly<Record<string, Severity>>): Severity | undefined {
  if (Object.hasOwn(map, text)) return map[text];
  const lower = text.toLowerCase();
  const key = Object.keys(map).find((known) => known.toLowerCase() === lower);
  if (key !== undefined) return map[key];
  return Object.hasOwn(map, '*') ? map['*'] : undefined;
}

/** A longer text is not a name; this also bounds the work per field. */
const textCharactersMax = 64;

/** The severity that a field's text names; undefined if it names none. */
export function mappedSeverity(text: string, map: SeverityAction['map']): Severity | undefined {
  if (text.length > textCharactersMax) return undefined;
  if (typeof map === 'object') return ofOwnMap(text, map);
  const word = text.trim();
  if (map === undefined) return parseLevel(word);
  if (/^\d{1,6}(?:\.0+)?$/.test(word)) {
    return numbers[map].findLast(([from]) => Number(word) >= from)?.[1];
  }
  const lower = word.toLowerCase();
  return Object.hasOwn(names, lower) ? names[lower] : parseSeverity(word);
}
