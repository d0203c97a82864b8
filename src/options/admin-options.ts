// The options that concern the admin server and its page, as rows of the table in options.ts, which
// spreads them in.

import { agentCommands, type HostPort, type OptionRow } from './option-row.ts';

const localAdminAddress: HostPort = { host: '127.0.0.1', port: 8090 };

export const adminOptions = {
  adminAddress: {
    kind: 'hostPort',
    default: localAdminAddress,
    mayBeOff: true,
    commands: ['run', 'demo', 'check', 'top', 'rules'],
    placeholder: 'HOST:PORT',
    help: 'Where /livez, /readyz, /metrics, /api/status and the page are served, or `off`.',
  },
  adminShowContent: {
    kind: 'boolean',
    default: false,
    help: 'Let the page show what is in entries: who can reach --admin-address can then read logs.',
  },
  pricePerGib: {
    kind: 'amount',
    isHot: true,
    default: 0.5,
    max: 1_000,
    commands: agentCommands,
    placeholder: 'USD',
    help: 'US dollars for a GiB in Cloud Logging; the cost that the page estimates follows from it.',
  },
  logsLink: {
    kind: 'template',
    isHot: true,
    placeholder: 'URL',
    help: 'Where the page links from a container to its entries, with {namespace}, {pod}, {container}, {node}, {cluster}, {location} and {project}; the Logs Explorer if the endpoint is Google.',
  },
} as const satisfies Record<string, OptionRow>;
