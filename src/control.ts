// What a command gets from the process entry. cli.ts makes it, so that nothing else touches
// `process`; tests make their own.

import type { Log } from './log.ts';

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
};
