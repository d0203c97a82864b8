// What a command gets from the process entry. cli.ts makes it, so that nothing else touches
// `process`; tests make their own.

import type { Log, LogLevel } from './log.ts';
import type { Config } from './options/options.ts';
import type { ProgressSink } from './progress.ts';

/** The outside world of one command. */
export type Control = {
  /** Aborted at the first signal, whose name is the reason: finish requests, save, return. */
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Writes a line to stdout; the newline is added. */
  readonly write: (line: string) => void;
  /** For output that is not lines of a command: the entries of --output stdout. */
  readonly standardOutput?: () => StandardOutput;
  /** stdout is a terminal, and NO_COLOR is not set. */
  readonly hasColours?: boolean;
  /** Where long work reports its progress; not stdout, which is for results. */
  readonly progress?: ProgressSink;
  /** The live tail of the page, if the command has one. */
  readonly tailPanel?: (config: Config, request: PanelRequest, sink: PanelSink) => Promise<void>;
  /** Undefined where the configuration never changes. */
  readonly reload?: ReloadControl;
};

/** The part of process.stdout that is used. */
export type StandardOutput = {
  readonly fd: number;
  readonly isTTY?: boolean;
  readonly write: (bytes: Uint8Array, done: (error?: Error | null) => void) => unknown;
};

/** The lines that the page wants. */
export type PanelRequest = {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** RE2; '' is all lines. */
  readonly filter: string;
};

export type PanelSink = {
  /** Aborted when there is no reader any more. */
  readonly signal: AbortSignal;
  /** The reader does not keep up. */
  readonly isFull: boolean;
  /** An empty list says that the tail is open. */
  readonly write: (lines: readonly object[]) => void;
};

/** How a command takes over a changed configuration. */
export type ReloadControl = {
  /** An event `reload` comes at each SIGHUP. */
  readonly requests: EventTarget;
  /** One came before this was asked. */
  readonly isDue: () => boolean;
  /** Reads flags, variables and file again. Rejects with CONFIG_INVALID. */
  readonly load: () => Promise<Config>;
  readonly setLogLevel: (level: LogLevel) => void;
};

/** The name of the signal that aborted the control. */
export function stopReason({ signal }: Control): string {
  return String(signal.reason);
}

/** Where progress is reported: a terminal, or the log. */
export function progressSink({ log, progress }: Control): ProgressSink {
  return progress ?? { writeLine: (line) => log.info(undefined, line) };
}
