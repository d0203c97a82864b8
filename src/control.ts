// What a command gets from the process entry. cli.ts makes it, so that nothing else touches
// `process`; tests make their own.

import type { Log, LogLevel } from './log.ts';
import type { Config } from './options/options.ts';
import type { ProgressSink } from './progress.ts';

/** The outside world of one command. */
export type Control = {
  /**
   * Aborted at the first SIGTERM or SIGINT (reason: the signal's name): finish what is in flight,
   * save, return.
   */
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Writes one line to stdout; the line end is added. */
  readonly write: (line: string) => void;
  /** For what is no line of a command: the entries of --output stdout. */
  readonly standardOutput?: () => StandardOutput;
  /** stdout is a terminal, and the user has not said NO_COLOR. */
  readonly hasColours?: boolean;
  /** Where long work says how far it is; not stdout, which belongs to results. */
  readonly progress?: ProgressSink;
  /** The live tail of the page, of a command that has one. */
  readonly tailPanel?: (config: Config, request: PanelRequest, sink: PanelSink) => Promise<void>;
  /** undefined where the configuration stays as it was at the start. */
  readonly reload?: ReloadControl;
};

/** The part of process.stdout that is used. */
export type StandardOutput = {
  readonly fd: number;
  readonly isTTY?: boolean;
  readonly write: (bytes: Uint8Array, done: (error?: Error | null) => void) => unknown;
};

/** Which lines the page asks for. */
export type PanelRequest = {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** RE2; '' is all of them. */
  readonly filter: string;
};

/** Where they go. */
export type PanelSink = {
  /** Aborted when nobody reads any more. */
  readonly signal: AbortSignal;
  /** The reader does not keep up. */
  readonly isFull: boolean;
  /** None of them says that the tail is open. */
  readonly write: (lines: readonly object[]) => void;
};

/** How a command takes over a changed configuration. */
export type ReloadControl = {
  /** An event `reload` comes at each SIGHUP. */
  readonly requests: EventTarget;
  /** Reads flags, variables and file again. Rejects with CONFIG_INVALID. */
  readonly load: () => Promise<Config>;
  readonly setLogLevel: (level: LogLevel) => void;
};

/** Of an aborted control: the signal's name. */
export function stopReason({ signal }: Control): string {
  return String(signal.reason);
}

/** Where to say how far long work is: a terminal, or the log. */
export function progressSink({ log, progress }: Control): ProgressSink {
  return progress ?? { writeLine: (line) => log.info(undefined, line) };
}
