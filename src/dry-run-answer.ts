// What became of a request with `dryRun`: the ship stage sends it, `tailship check` judges it.

import type { ErrorCode } from './errors.ts';

export type DryRunAnswer = {
  readonly status: number;
  /** Why the agent would not count it as written; undefined when it would. */
  readonly problem: { readonly code: ErrorCode; readonly text: string } | undefined;
  /** Of an error: the beginning of the answer. */
  readonly text: string;
  /** The server's Date header, milliseconds since 1970; undefined when there is none. */
  readonly serverTimeMs: number | undefined;
  /** The local clock halfway between request and answer. */
  readonly localTimeMs: number;
  readonly elapsedMs: number;
};
