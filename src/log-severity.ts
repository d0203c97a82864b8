// The nine severities of Cloud Logging, in the order by which counts and shares are kept.

/** The names in order of their numbers: 0, 100, …, 800 (google.logging.type.LogSeverity). */
export const severityNames = [
  'DEFAULT',
  'DEBUG',
  'INFO',
  'NOTICE',
  'WARNING',
  'ERROR',
  'CRITICAL',
  'ALERT',
  'EMERGENCY',
] as const;

export type Severity = (typeof severityNames)[number];

/** The place of a severity in `severityNames`. */
export function severityIndex(severity: Severity): number {
  return severityNames.indexOf(severity);
}
