// Which LogSeverity a record has. The invariant: the result is one of the API's nine names, so that
// no spelling of a tenant can make the API refuse a request.

import { severityNames, type Severity } from '../../log-severity.ts';
import type { Stream } from './entry-template.ts';

/**
 * Every known word, in upper case: the names, and those of log libraries (GKE's agents agree on
 * these).
 */
const severityWords: ReadonlyMap<string, Severity> = new Map<string, Severity>([
  ...severityNames.map((name) => [name, name] as const),
  ['WARN', 'WARNING'],
  ['FATAL', 'CRITICAL'],
  ['TRACE', 'DEBUG'],
  ['TRACE_INT', 'DEBUG'],
  ['FINE', 'DEBUG'],
  ['FINER', 'DEBUG'],
  ['FINEST', 'DEBUG'],
  ['CONFIG', 'DEBUG'],
  ['SEVERE', 'ERROR'],
  ['ERR', 'ERROR'],
  ['CRIT', 'CRITICAL'],
  ['EMERG', 'EMERGENCY'],
  ['INFORMATION', 'INFO'],
  ['D', 'DEBUG'],
  ['I', 'INFO'],
  ['N', 'NOTICE'],
  ['W', 'WARNING'],
  ['E', 'ERROR'],
  ['C', 'CRITICAL'],
  ['A', 'ALERT'],
  ['F', 'CRITICAL'],
]);

/** Longer texts are no word of the table; this also bounds the work. */
const wordCharactersMax = 256;

/** The severity of plain text, and of JSON without one (Google doc "About GKE logs"). */
export function severityOfStream(stream: Stream): Severity {
  return stream === 'stdout' ? 'INFO' : 'ERROR';
}

/** The severity of a number, rounded down to hundreds, at most 800. */
function severityOfDigits(text: string): Severity {
  const significant = text.replace(/^0+/, '');
  const step = significant.length > 3 ? 8 : Math.min(8, Math.floor(Number(significant) / 100));
  return severityNames[step] ?? 'DEFAULT';
}

/**
 * The severity of a `severity` field: a word in any case, or digits. Undefined for others, which
 * the API calls DEFAULT.
 */
export function parseSeverity(text: string): Severity | undefined {
  if (text.length > wordCharactersMax) return undefined;
  // Only ASCII white space is trimmed, as the peers do.
  const word = text.replaceAll(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, '');
  if (/^[0-9]+$/.test(word)) return severityOfDigits(word);
  // Upper-casing all of Unicode would turn 'ınfo' into INFO.
  return /^[A-Za-z_]+$/.test(word) ? severityWords.get(word.toUpperCase()) : undefined;
}

/**
 * The severity of a `level` field without a `severity`; undefined leaves the stream's. Numbers
 * below 100 are contradictory scales of log libraries (pino, syslog).
 */
export function parseLevel(text: string): Severity | undefined {
  const severity = parseSeverity(text);
  const isSmallNumber = severity === 'DEFAULT' && /[0-9]/.test(text);
  return isSmallNumber ? undefined : severity;
}
