// The built-in parsers of other agents, by the names that their users write.

import type { ParseFormat } from './rules/rule.ts';

const formats: Readonly<Record<string, ParseFormat>> = {
  logfmt: 'logfmt',
  nginx: 'nginx',
  'k8s-nginx-ingress': 'nginx',
  apache: 'apache',
  apache2: 'apache',
  syslog: 'syslog',
  'syslog-rfc3164': 'syslog',
  'syslog-rfc3164-local': 'syslog',
  'syslog-rfc5424': 'syslog',
};

/** Parsers of JSON lines and of the runtime's framing, which need no rule. */
const understood = new Set([
  'json',
  'docker',
  'docker-daemon',
  'cri',
  'cri-log',
  'containerd',
  'none',
]);

/** The rules' format for a name; `own` if no rule is needed; undefined if it is unknown. */
export function parserNamed(name: string): ParseFormat | 'own' | undefined {
  const lower = name.toLowerCase();
  if (understood.has(lower)) return 'own';
  return Object.hasOwn(formats, lower) ? formats[lower] : undefined;
}
