// The nine severities of Cloud Logging, in the order by which counts and shares are kept.

/** The names in order of google.logging.type.LogSeverity: 0, 100, …, 800. */
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

/** By a syslog priority, 0 to 7 without its facility; DEFAULT for any other number. */
export function severityOfPriority(priority: number): Severity {
  return severityNames[severityNames.length - 1 - priority] ?? 'DEFAULT';
}

/** The place of a severity in `severityNames`. */
export function severityIndex(severity: Severity): number {
  return severityNames.indexOf(severity);
}
