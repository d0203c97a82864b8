// What the ship stage is given: a complete request body, and whose entries it holds.

import type { RefusalReason } from './answer.ts';

/** The entries of one container within a body. */
export type BatchSource = {
  /** The same object for the same container. */
  readonly container: object;
  readonly entryCount: number;
};

export type Batch = {
  /** A complete body; entries joined by `,\n`, no other raw newline. */
  readonly body: Uint8Array;
  readonly entryCount: number;
  /** Whose logs the entries are in; undefined: the project of the node. */
  readonly project?: string | undefined;
  /** Asked after a failure: whether others need the memory of `body` meanwhile. */
  readonly givesWay?: () => boolean;
  /** Whose entries these are, in their order; without it all count as one container's. */
  readonly sources?: readonly BatchSource[];
  /** Told once when the memory of `body` is not needed any more, if that is before the end. */
  readonly onReleased?: () => void;
  /**
   * Told that entries of this source (its index) hold the batch up: more of that container would
   * only wait behind them.
   */
  readonly onHeldUp?: (source: number) => void;
  /** Told that an entry of this source (its index) was refused for good. */
  readonly onRefused?: (source: number, reason: RefusalReason) => void;
};
