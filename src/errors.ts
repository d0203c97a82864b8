// The operating errors of the agent: one class, one table of codes. A code is a metric label and a
// line in docs/errors.md. Programmer errors are not here: they are `assert`s, and crash.

type ErrorRow = {
  /** Whether the same step may succeed later on its own. */
  readonly retryable: boolean;
  /** What the user should do, one sentence. */
  readonly advice: string;
};

/** Every code of an AgentError. docs/errors.md prints this table; a test compares the two. */
export const errorTable = {
  CONFIG_INVALID: {
    retryable: false,
    advice: 'Correct the named key, flag or variable; `tailship check` validates without running.',
  },
  STATE_LOCKED: {
    retryable: false,
    advice: 'Stop the other agent, or give this one its own --state-dir.',
  },
  STATE_CORRUPT: {
    retryable: false,
    advice:
      'Nothing: the store was set aside as *.corrupt-<time> and reading starts from what the files hold; entries sent twice are the same entries.',
  },
  ORPHAN_CORRUPT: {
    retryable: false,
    advice:
      'Check the disk of --state-dir: the copy of a deleted log file there is damaged. It was set aside as orphans/*.corrupt-<time>, and its lines are counted as lost.',
  },
  STATE_UNWRITABLE: {
    retryable: true,
    advice:
      'Free space on, or remount, the file system of --state-dir; the agent continues from memory and saves as soon as it can.',
  },
  CONTAINERS_MISSING: {
    retryable: true,
    advice:
      'Give --containers-dir, and in a pod mount it and every --log-root from the node (hostPath); the agent looks again each second, `run --once` ends.',
  },
  LINK_REFUSED: {
    retryable: false,
    advice:
      "A link in --containers-dir leads outside every --log-root, to another container's log or to something that is not a regular file, or such a thing has replaced a log or its directory: add the root if it is yours, otherwise look at the pod that made it.",
  },
  OVER_LIMIT: {
    retryable: false,
    advice:
      'A directory holds more log files or links than the agent reads, and those beyond the limit are not shipped: look at the pod that is named; it writes where only the kubelet should.',
  },
  WATCH_DEGRADED: {
    retryable: true,
    advice:
      'inotify has no instance or watch left: raise fs.inotify.max_user_instances and max_user_watches. Until then logs are found and read by polling.',
  },
  FILE_UNREADABLE: {
    retryable: true,
    advice: 'Give the agent the right to read the file; it is tried again at every scan.',
  },
  FILE_TRUNCATED: {
    retryable: false,
    advice:
      'A log file became shorter while it was read (copytruncate?): it is read from its beginning. Lines that were cut off before they were read are lost.',
  },
  FILE_HOLE: {
    retryable: false,
    advice:
      'A log file has zeros where lines should begin; they are not shipped. A power loss leaves them, or a truncation under a program that does not append. Lines that were there are lost; later ones arrive.',
  },
  LINES_LOST: {
    retryable: false,
    advice:
      'Log files were deleted before they could be shipped: look for an outage or a flood before it; raise --held-bytes-max, --held-age-max-ms or the size and count of the files that the kubelet keeps.',
  },
  JOURNAL_UNREADABLE: {
    retryable: true,
    advice:
      'Give the agent the right to read the journal (DAC_READ_SEARCH, and the mounts of --journal-dir); the readable part of a damaged file is shipped, and journald continues in another.',
  },
  SHIP_UNREACHABLE: {
    retryable: true,
    advice:
      'Check DNS, network policy, proxy, and the certificate (its names, its dates, --ca-file) of --endpoint; lines stay in their files until then.',
  },
  SHIP_TIMEOUT: {
    retryable: true,
    advice:
      'The endpoint answered too late; the same entries are sent again. Check the network if it lasts.',
  },
  SHIP_UNAUTHENTICATED: {
    retryable: true,
    advice:
      'The access token was refused: check the key file or the metadata server and the clock.',
  },
  SHIP_FORBIDDEN: {
    retryable: true,
    advice:
      'Grant roles/logging.logWriter on the project and enable logging.googleapis.com; lines stay in their files until then.',
  },
  SHIP_THROTTLED: {
    retryable: true,
    advice:
      'The write quota is used up: raise it or log less; lines stay in their files until then.',
  },
  SHIP_UNAVAILABLE: {
    retryable: true,
    advice: 'Cloud Logging has a problem; the same entries are sent again with back-off.',
  },
  SHIP_MISDIRECTED: {
    retryable: true,
    advice:
      'The endpoint has no such path or project: correct --endpoint or --project; lines stay in their files until then.',
  },
  SHIP_FOREIGN_ANSWER: {
    retryable: true,
    advice:
      'Something answered that is not Cloud Logging: a proxy, a login page, another service. Check --endpoint, --proxy and what is in between; lines stay in their files until then.',
  },
  SHIP_UNKNOWN_REASON: {
    retryable: true,
    advice:
      "The API refuses entries for a reason that this version does not know: read it in the agent's log, and update tailship. The entries are sent again until they are accepted; other entries are not affected.",
  },
  SHIP_STOPPED: {
    retryable: true,
    advice: 'Nothing: the agent was stopping; the same entries are sent after the next start.',
  },
  SHIP_REJECTED: {
    retryable: false,
    advice:
      'The API refuses the entry itself: it is in dead-letter.ndjson in --state-dir, with the reason.',
  },
  OUTPUT_UNWRITABLE: {
    retryable: true,
    advice:
      'Free space for, or correct, the --output that is named: a path that can be written, a stdout that is read. Where it takes the place of the endpoint, lines stay in their files until then.',
  },
  CREDENTIALS_MISSING: {
    retryable: false,
    advice:
      'Give --credentials-file, run where the metadata server answers, or point --endpoint at a plain http loopback address.',
  },
  PLAIN_HTTP_REFUSED: {
    retryable: false,
    advice:
      'Use https, or a loopback address; --allow-plain-http sends the token, and all logs, readable for everyone on the way.',
  },
  METADATA_UNAVAILABLE: {
    retryable: true,
    advice:
      'The metadata server did not answer: give --project, --cluster, --location and --node, or check the network policy towards 169.254.169.254.',
  },
  POD_METADATA_UNAVAILABLE: {
    retryable: true,
    advice:
      'Let the service account list and watch pods, and check the network policy towards the API server; lines are sent without the labels of their pods until then. --kubernetes-metadata off does without them.',
  },
  CONNTRACK_NEARLY_FULL: {
    retryable: true,
    advice:
      "More than 80 % of the node's connection table is in use, and a full one drops new connections, of every pod: find the pod that opens so many, or raise net.netfilter.nf_conntrack_max.",
  },
  ADMIN_ADDRESS_UNUSABLE: {
    retryable: false,
    advice: 'Give --admin-address another port of this machine, or `off`.',
  },
  MEMORY_SHORT: {
    retryable: true,
    advice:
      'The container has too little memory left for a second process, and where it runs out the kernel may end the agent, too: raise its memory limit, or read the log with kubectl logs.',
  },
  ADMIN_UNREACHABLE: {
    retryable: true,
    advice: 'Start the agent, or name the --admin-address that it was started with.',
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

/** An operating error: match `code`, never the text. */
export class AgentError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AgentError';
    this.code = code;
  }
}

/** What a user has written wrong: an option, a file, an argument. */
export function configError(message: string, options?: ErrorOptions): AgentError {
  return new AgentError('CONFIG_INVALID', message, options);
}

/** Whether `error` is a system error (or AgentError) with this code. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** Whether `error` comes from the operating system: the disk, rights, limits. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

/** What was thrown, as text. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The code and text of an error and of the first error below it, which names the system call. */
export function networkErrorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error.cause;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const text = error.message.includes(code) ? error.message : `${code}: ${error.message}`;
  return first instanceof Error ? `${text} (${first.message})` : text;
}
