// Every limit and default of the agent, with its unit last in the name: `limits` that no user needs to set, and `options` that a
// user may. Nothing else in src/ holds a magic number of size or time. config-loader.ts makes the one frozen `Config` from the table;
// help, `tailship check` and the README print the same table, so that an option is written down exactly once.

const KiB = 1024;
const MiB = 1024 * KiB;

/** Limits that no user needs to set. Sizes in bytes, times in milliseconds. */
export const limits = {
  // ── discover
  /** The scan is the truth; events only make it sooner. */
  scanIntervalMs: 1_000,
  /** From an event to the scan that it asks for: events come in bursts. */
  scanEventDelayMs: 20,
  /** Links that were looked at before and are looked at again by one scan, in turn: a readlink or realpath is a few microseconds. */
  linksCheckedPerScanMax: 256,
  /** Links in the containers directory; the rest is not read, and counted. A node holds some hundreds. */
  linksMax: 50_000,
  /** A directory that could not be watched is scanned by the clock alone this long before the next try. */
  watchRetryMs: 60_000,
  // ── tail
  /** Raw bytes one container may put into a plan before the others have had their turn. */
  quantumBytes: 256 * KiB,
  /** The fingerprint is the hash of a file's first line up to this many bytes. */
  fingerprintBytes: 256,
  /** A directory whose time is younger than this when it is listed is listed again: its clock is coarse. */
  mtimeGrainMs: 2_000,
  /** A file with a successor must have been quiet this long before it counts as ended. */
  settleMs: 1_000,
  /** Looks without news after which a busy container is armed with inotify again. */
  idleLooks: 3,
  /** Idle containers are looked at this often whatever inotify says, spread over the ticks. */
  idleSweepMs: 30_000,
  /** Longest time between two looks at an idle container that inotify cannot watch. */
  idlePollMaxMs: 10_000,
  /** Compressed bytes that are unpacked to learn a rotation's first line. */
  gzPeekBytes: 64 * KiB,
  // ── encode
  /** A body is closed when it is this long; one entry may go over it. */
  batchBytesSoftMax: 2 * MiB,
  /** Room in a slot past the soft end: one record of `lineBytesMax`, each byte escaped as six, and its entries' other members. */
  batchBytesReserve: 7 * MiB,
  /** Bodies that may exist at once (being encoded, in flight, or waiting for a retry). */
  slotCount: 3,
  /** Input window of one worker: at least a record of `lineBytesMax` with all its CRI headers and interleaved lines. */
  windowBytes: 4 * MiB,
  /** A record (partial lines joined) longer than this is cut and marked. */
  lineBytesMax: 1 * MiB,
  /** How far before a line that is not CRI its time is looked for. */
  lookBackBytes: 16 * KiB,
  /** The API's limit of an entry is 256 KiB of protobuf, "approximate"; peers and we stay below 256,000. */
  entryBytesMax: 256_000,
  /** JSON nesting that is still taken as JSON; deeper is text. The API ends at about 100. */
  jsonDepthMax: 64,
  // ── ship
  /** Decoded body, enforced by the API with a 400. */
  requestBytesMax: 10_485_760,
  // ── log, admin
  /** A warning or error with the same code and text is printed once per window, with a count of how often it came. */
  logWindowMs: 60_000,
  /** Warnings and errors of all codes together per window: the agent must not flood the very pipeline it feeds. */
  logLinesPerWindowMax: 8,
  /** The same for one code with changing text. */
  logLinesPerCodeMax: 3,
  /** Distinct texts that are remembered for the count; past it they are counted by code. */
  logKeysMax: 256,
  /** Connections to the admin server at once; a scrape and a probe need one each. */
  adminConnectionsMax: 16,
  /** How long a client of the admin server may take to send its request. */
  adminRequestTimeoutMs: 5_000,
} as const;

export const commands = ['run', 'emulator', 'demo', 'check', 'top'] as const;
export type Command = (typeof commands)[number];

/** One option: key of the YAML file (camelCase), flag (`--kebab-case`) and variable (`TAILSHIP_UPPER_SNAKE`) follow from its name. */
export type OptionRow = {
  readonly kind: 'text' | 'path' | 'paths' | 'url' | 'hostPort' | 'boolean' | 'choice' | 'count' | 'bytes' | 'milliseconds';
  /** undefined: not set unless the user does. */
  readonly default: string | number | boolean | readonly string[] | HostPort | undefined;
  readonly commands: readonly Command[];
  /** One sentence, without the default. */
  readonly help: string;
  /** What stands for the value in the help. */
  readonly placeholder?: string;
  readonly choices?: readonly string[];
  /** Inclusive range of numbers. */
  readonly min?: number;
  readonly max?: number;
  /** hostPort: `off` is allowed and means undefined. */
  readonly mayBeOff?: true;
  /** Variables of other tools that count when ours is not set. */
  readonly foreignVariables?: readonly string[];
};

export type HostPort = { readonly host: string; readonly port: number };

const agentCommands = ['run', 'demo', 'check'] as const;
const localAdminAddress: HostPort = { host: '127.0.0.1', port: 8090 };

/** Every option there is, in the order of the help. */
export const options = {
  config: {
    kind: 'path',
    default: undefined,
    commands: ['run', 'check', 'demo', 'top', 'emulator'],
    placeholder: 'FILE',
    help: 'YAML file of options; flags and variables win over it.',
  },
  // ── what is read
  containersDir: {
    kind: 'path',
    default: '/var/log/containers',
    commands: ['run', 'check'],
    placeholder: 'DIR',
    help: 'Directory of the links to the container logs.',
  },
  logRoot: {
    kind: 'paths',
    default: ['/var/log/pods', '/var/lib/docker/containers'],
    commands: ['run', 'check'],
    placeholder: 'DIR',
    help: 'Roots that a link may lead into; a link to anything else is refused.',
  },
  from: {
    kind: 'choice',
    default: 'start',
    choices: ['start', 'end'],
    commands: ['run', 'check'],
    help: 'Where to begin in files that have no saved position.',
  },
  format: {
    kind: 'choice',
    default: 'cri',
    choices: ['cri', 'raw'],
    commands: ['run', 'check'],
    help: 'How lines are written: CRI, or plain text without a header.',
  },
  joinStackTraces: {
    kind: 'boolean',
    default: false,
    commands: agentCommands,
    help: 'Make one entry of the lines of a stack trace.',
  },
  partialFlushMs: {
    kind: 'milliseconds',
    default: 5_000,
    min: 100,
    max: 600_000,
    commands: agentCommands,
    help: 'How long an unfinished line or stack trace waits for its end.',
  },
  once: {
    kind: 'boolean',
    default: false,
    commands: ['run', 'top'],
    help: 'run: ship what is there, print a one-line JSON summary, exit. top: print one table, exit.',
  },
  // ── state
  stateDir: {
    kind: 'path',
    default: '/var/lib/tailship',
    commands: ['run', 'check'],
    placeholder: 'DIR',
    help: 'Directory of the saved positions and of dead-letter.ndjson.',
  },
  // ── identity of the node
  project: {
    kind: 'text',
    default: undefined,
    commands: agentCommands,
    placeholder: 'ID',
    help: 'Google Cloud project of the entries; the metadata server is asked otherwise.',
  },
  cluster: {
    kind: 'text',
    default: undefined,
    commands: agentCommands,
    placeholder: 'NAME',
    help: 'cluster_name of the entries; the metadata server is asked otherwise.',
  },
  location: {
    kind: 'text',
    default: undefined,
    commands: agentCommands,
    placeholder: 'LOC',
    help: 'location of the entries; the metadata server is asked otherwise.',
  },
  node: {
    kind: 'text',
    default: undefined,
    commands: agentCommands,
    placeholder: 'NAME',
    help: 'Name of this node; the metadata server is asked otherwise.',
  },
  // ── where it is sent
  endpoint: {
    kind: 'url',
    default: 'https://logging.googleapis.com',
    commands: ['run', 'check'],
    placeholder: 'URL',
    help: 'Cloud Logging, a regional endpoint of it, or an emulator.',
  },
  credentialsFile: {
    kind: 'path',
    default: undefined,
    commands: ['run', 'check'],
    placeholder: 'FILE',
    foreignVariables: ['GOOGLE_APPLICATION_CREDENTIALS'],
    help: 'Service account key or workload identity file; the metadata server is asked otherwise.',
  },
  quotaProject: {
    kind: 'text',
    default: undefined,
    commands: ['run', 'check'],
    placeholder: 'ID',
    help: 'Project whose quota is used, when it is not the one of the credentials.',
  },
  caFile: {
    kind: 'path',
    default: undefined,
    commands: ['run', 'check'],
    placeholder: 'FILE',
    help: 'PEM certificates to trust beyond those of Node.',
  },
  proxy: {
    kind: 'url',
    default: undefined,
    commands: ['run', 'check'],
    placeholder: 'URL',
    foreignVariables: ['HTTPS_PROXY', 'https_proxy'],
    help: 'HTTP proxy towards an https endpoint; NO_PROXY exempts hosts from HTTPS_PROXY.',
  },
  traceFormat: {
    kind: 'choice',
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
    help: 'How often busy files are looked at: the delay, and the bound on wake-ups.',
  },
  batchBytesMax: {
    kind: 'bytes',
    default: limits.batchBytesSoftMax,
    min: 4 * KiB,
    max: limits.batchBytesSoftMax,
    commands: agentCommands,
    help: 'A request body is closed at this length.',
  },
  gzip: {
    kind: 'boolean',
    default: false,
    commands: agentCommands,
    help: 'Compress request bodies: saves network, costs about 1.5 µs of CPU a line.',
  },
  connections: {
    kind: 'count',
    default: 2,
    min: 1,
    max: 16,
    commands: agentCommands,
    help: 'Connections to the endpoint, and so requests at once.',
  },
  workers: {
    kind: 'count',
    default: 1,
    min: 1,
    max: 8,
    commands: agentCommands,
    help: 'Threads that encode.',
  },
  graceMs: {
    kind: 'milliseconds',
    default: 25_000,
    min: 0,
    max: 600_000,
    commands: agentCommands,
    help: 'After SIGTERM, how long requests in flight may take to finish.',
  },
  // ── emulator
  port: {
    kind: 'count',
    default: 8085,
    min: 0,
    max: 65_535,
    commands: ['emulator', 'demo'],
    help: 'Port of the emulator on 127.0.0.1; 0 takes any free one.',
  },
  data: {
    kind: 'path',
    default: undefined,
    commands: ['emulator', 'demo'],
    placeholder: 'FILE',
    help: 'SQLite file that keeps the entries of the emulator; memory otherwise.',
  },
  faults: {
    kind: 'path',
    default: undefined,
    commands: ['emulator'],
    placeholder: 'FILE',
    help: 'JSON file of the faults to begin with, as in PUT /emulator/faults.',
  },
  // ── operating it
  adminAddress: {
    kind: 'hostPort',
    default: localAdminAddress,
    mayBeOff: true,
    commands: ['run', 'demo', 'check', 'top'],
    placeholder: 'HOST:PORT',
    help: 'Where /livez, /readyz, /metrics, /api/status and the page are served, or `off`.',
  },
  intervalMs: {
    kind: 'milliseconds',
    default: 2_000,
    min: 100,
    max: 3_600_000,
    commands: ['top'],
    help: 'How often the table is drawn again.',
  },
  json: {
    kind: 'boolean',
    default: false,
    commands: ['check', 'top'],
    help: 'Print JSON instead of text.',
  },
  logLevel: {
    kind: 'choice',
    default: 'info',
    choices: ['debug', 'info', 'warn', 'error'],
    commands: ['run', 'demo', 'emulator', 'check'],
    help: 'Least severity of the log on stderr.',
  },
} as const satisfies Record<string, OptionRow>;

export type ConfigKey = keyof typeof options;

type ValueOf<Row extends OptionRow> = Row['kind'] extends 'boolean'
  ? boolean
  : Row extends { readonly choices: readonly (infer Choice)[] }
    ? Choice
    : Row['kind'] extends 'count' | 'bytes' | 'milliseconds'
      ? number
      : Row['kind'] extends 'paths'
        ? readonly string[]
        : Row['kind'] extends 'hostPort'
          ? HostPort | undefined
          : undefined extends Row['default']
            ? string | undefined
            : string;

/**
 * The values of all options, deep-frozen. Paths are absolute; an endpoint has no slash at its end; bytes and milliseconds are
 * integers; `adminAddress` undefined is `off`.
 */
export type Config = { readonly [Key in ConfigKey]: ValueOf<(typeof options)[Key]> };
