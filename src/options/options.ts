// Every option that a user may set, with its default, range and unit, written down exactly once:
// flag, variable, YAML key, help, `tailship check` and docs/configuration.md come from this table.
// config-loader.ts makes the one frozen `Config` of it.

import { GiB, KiB } from '../byte-units.ts';
import { limits } from '../config.ts';
import { adminOptions } from './admin-options.ts';
import { agentCommands, type HostPort, type ListKind, type OptionRow } from './option-row.ts';
import { emulatorOptions } from './emulator-options.ts';
import { nodeLogOptions } from './node-log-options.ts';
import { podOptions } from './pod-options.ts';

export { commands, type Command, type HostPort, type OptionRow } from './option-row.ts';

/** Every option, in the order of the help. */
export const options = {
  config: {
    kind: 'path',
    commands: [
      'run',
      'check',
      'demo',
      'top',
      'emulator',
      'migrate',
      'bench',
      'dead-letters',
      'rules',
    ],
    help: 'YAML file of options; flags and variables win over it.',
  },
  // ── what is read
  containersDir: {
    kind: 'path',
    default: '/var/log/containers',
    commands: ['run', 'check', 'migrate', 'bench'],
    placeholder: 'DIR',
    help: 'Directory of the links to the container logs.',
  },
  logRoot: {
    kind: 'paths',
    default: ['/var/log/pods', '/var/lib/docker/containers'],
    commands: ['run', 'check', 'migrate', 'bench'],
    help: 'Roots that a link may lead into; a link to anything else is refused.',
  },
  from: {
    kind: 'choice',
    default: 'start',
    choices: ['start', 'end'],
    help: 'Where to begin in files that have no saved position.',
  },
  format: {
    kind: 'choice',
    default: 'cri',
    choices: ['cri', 'raw'],
    help: 'How lines are written: CRI (and docker json-file), or plain lines, for a sidecar.',
  },
  rawPath: {
    kind: 'paths',
    default: [],
    placeholder: 'GLOB',
    help: 'Files to read with --format raw, such as /logs/*.log; the time is that of reading.',
  },
  pod: {
    kind: 'text',
    commands: ['run', 'check', 'rules'],
    help: 'pod_name of the entries, with --format raw and in rules test.',
  },
  namespace: {
    kind: 'text',
    commands: ['run', 'check', 'rules'],
    help: 'namespace_name of the entries, with --format raw and in rules test.',
  },
  container: {
    kind: 'text',
    commands: ['run', 'check', 'rules'],
    help: 'container_name of the entries, with --format raw and in rules test.',
  },
  joinStackTraces: {
    kind: 'boolean',
    isHot: true,
    default: false,
    commands: agentCommands,
    help: 'Join the lines of a stack trace into one entry.',
  },
  partialFlushMs: {
    kind: 'milliseconds',
    isHot: true,
    default: 5_000,
    min: 100,
    max: 600_000,
    commands: agentCommands,
    help: 'How long an unfinished line or stack trace waits for its end.',
  },
  once: {
    kind: 'boolean',
    default: false,
    commands: ['run', 'top', 'rules'],
    help: 'run: ship what is there, print a one-line JSON summary, exit. top: print one table, exit.',
  },
  heldBytesMax: {
    kind: 'bytes',
    default: GiB,
    max: 1024 * GiB,
    help: 'Maximum bytes of deleted files to keep for reading; beyond it the oldest are dropped.',
  },
  heldAgeMaxMs: {
    kind: 'milliseconds',
    default: 3_600_000,
    min: 1_000,
    max: 7 * 86_400_000,
    help: 'Maximum time to keep a deleted file for reading.',
  },
  ownPod: {
    kind: 'text',
    foreignVariables: ['POD_NAME'],
    help: 'Pod of the agent, whose own log is read slowly; the host name if not given.',
  },
  ...nodeLogOptions,
  // ── state
  stateDir: {
    kind: 'path',
    default: '/var/lib/tailship',
    commands: ['run', 'check', 'migrate', 'dead-letters'],
    placeholder: 'DIR',
    help: 'Directory of the saved positions and of dead-letter.ndjson.',
  },
  // ── identity of the node
  project: {
    kind: 'project',
    commands: [...agentCommands, 'dead-letters'],
    placeholder: 'ID',
    help: 'Google Cloud project of the entries; from the metadata server if not given.',
  },
  cluster: {
    kind: 'text',
    commands: agentCommands,
    help: 'cluster_name of the entries; from the metadata server if not given.',
  },
  location: {
    kind: 'text',
    commands: agentCommands,
    placeholder: 'LOC',
    help: 'location of the entries; from the metadata server if not given.',
  },
  node: {
    kind: 'text',
    commands: agentCommands,
    foreignVariables: ['NODE_NAME'],
    help: 'Name of this node; from the metadata server if not given.',
  },
  ...podOptions,
  // ── where it is sent
  output: {
    kind: 'outputs',
    default: ['endpoint'],
    placeholder: 'OUTPUT',
    help: 'Where entries go: endpoint, stdout (NDJSON), file:PATH, or several of them.',
  },
  endpoint: {
    kind: 'url',
    default: 'https://logging.googleapis.com',
    commands: ['run', 'check', 'dead-letters'],
    help: 'Cloud Logging, a regional endpoint of it, or an emulator.',
  },
  credentialsFile: {
    kind: 'path',
    commands: ['run', 'check', 'dead-letters'],
    foreignVariables: ['GOOGLE_APPLICATION_CREDENTIALS'],
    help: 'Service account key or workload identity file; from the metadata server if not given.',
  },
  metadataHost: {
    kind: 'text',
    default: '169.254.169.254',
    commands: ['run', 'check', 'dead-letters'],
    placeholder: 'HOST[:PORT]',
    foreignVariables: ['GCE_METADATA_HOST'],
    help: 'Metadata server, for the token and the identity of the node.',
  },
  quotaProject: {
    kind: 'project',
    commands: ['run', 'check', 'dead-letters'],
    placeholder: 'ID',
    help: 'Project whose quota is used, if not that of the credentials.',
  },
  caFile: {
    kind: 'path',
    commands: ['run', 'check', 'dead-letters'],
    help: 'PEM certificates to trust beyond those of Node.',
  },
  proxy: {
    kind: 'url',
    mayHaveUser: true,
    commands: ['run', 'check', 'dead-letters'],
    foreignVariables: ['HTTPS_PROXY', 'https_proxy'],
    help: 'HTTP proxy towards an https endpoint; NO_PROXY exempts hosts from HTTPS_PROXY.',
  },
  allowPlainHttp: {
    kind: 'boolean',
    default: false,
    commands: ['run', 'check', 'dead-letters'],
    help: 'Send tokens over plain http to other hosts than this one, where everyone on the way can read them.',
  },
  traceFormat: {
    kind: 'choice',
    isHot: true,
    default: 'resource',
    choices: ['bare', 'resource'],
    commands: agentCommands,
    help: 'Make a trace of 32 hex digits projects/ID/traces/…, or leave it bare.',
  },
  // ── how it is sent
  flushIntervalMs: {
    kind: 'milliseconds',
    default: 1_000,
    min: 10,
    max: 60_000,
    commands: agentCommands,
    help: 'Interval for checking busy files: it bounds both the delay and the wake-ups.',
  },
  quietEvery: {
    kind: 'count',
    default: 1,
    min: 1,
    max: 60,
    commands: agentCommands,
    help: 'Check files that grow by less than 4 KiB in one of so many intervals.',
  },
  batchBytesMax: {
    kind: 'bytes',
    isHot: true,
    default: limits.batchBytesSoftMax,
    min: 4 * KiB,
    max: limits.batchBytesSoftMax,
    commands: agentCommands,
    help: 'A request body is closed at this length.',
  },
  gzip: {
    kind: 'boolean',
    default: false,
    commands: [...agentCommands, 'dead-letters'],
    help: 'Compress request bodies: saves network, costs about 1 µs of CPU a line.',
  },
  connections: {
    kind: 'count',
    default: 2,
    min: 1,
    max: 16,
    commands: agentCommands,
    help: 'Connections to the endpoint, and so concurrent requests.',
  },
  workers: {
    kind: 'count',
    default: 1,
    min: 1,
    max: 8,
    commands: agentCommands,
    help: 'Encoder threads.',
  },
  graceMs: {
    kind: 'milliseconds',
    isHot: true,
    default: 25_000,
    max: 600_000,
    commands: agentCommands,
    help: 'After SIGTERM, how long requests in flight may take to finish.',
  },
  startJitterMs: {
    kind: 'milliseconds',
    default: 0,
    max: 60_000,
    help: 'Wait up to this long, at random, before starting: for many agents that start at once.',
  },
  ...emulatorOptions,
  // ── demo
  seconds: {
    kind: 'count',
    default: 0,
    max: 86_400,
    commands: ['demo'],
    help: 'End the demo after this time; 0 waits for Ctrl-C.',
  },
  // ── migrate
  dryRun: {
    kind: 'boolean',
    default: false,
    commands: ['migrate'],
    help: 'Report what would be taken over, but save nothing.',
  },
  missingOk: {
    kind: 'boolean',
    default: false,
    commands: ['migrate'],
    help: 'Treat a missing position file as nothing to take over.',
  },
  // ── operating it
  ...adminOptions,
  intervalMs: {
    kind: 'milliseconds',
    default: 2_000,
    min: 100,
    max: 3_600_000,
    commands: ['top'],
    help: 'Refresh interval of the table.',
  },
  json: {
    kind: 'boolean',
    default: false,
    commands: ['check', 'top', 'bench', 'dead-letters', 'rules'],
    help: 'Print JSON instead of text.',
  },
  verbose: {
    kind: 'boolean',
    default: false,
    commands: ['check'],
    help: 'Also print each option with its value and origin.',
  },
  logLevel: {
    kind: 'choice',
    isHot: true,
    default: 'info',
    choices: ['debug', 'info', 'warn', 'error'],
    commands: ['run', 'demo', 'emulator', 'check', 'migrate', 'bench', 'dead-letters', 'rules'],
    help: 'Minimum severity of the log on stderr; `debug` says what becomes of each file.',
  },
} as const satisfies Record<string, OptionRow>;

export type ConfigKey = keyof typeof options;

type ValueOf<Row extends OptionRow> = Row['kind'] extends 'boolean'
  ? boolean
  : Row extends { readonly choices: readonly (infer Choice)[] }
    ? Choice
    : Row['kind'] extends 'count' | 'bytes' | 'milliseconds' | 'amount'
      ? number
      : Row['kind'] extends ListKind
        ? readonly string[]
        : Row['kind'] extends 'hostPort'
          ? HostPort | undefined
          : Row extends { readonly default: string }
            ? string
            : string | undefined;

/**
 * The values of all options, deep-frozen. Paths are absolute, an endpoint has no slash at its end,
 * bytes and milliseconds are integers, and an `adminAddress` of `off` is undefined.
 */
export type Config = { readonly [Key in ConfigKey]: ValueOf<(typeof options)[Key]> };
