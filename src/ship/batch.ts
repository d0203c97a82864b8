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
  /** The project that gets the entries; undefined is the node's own. */
  readonly project?: string | undefined;
  /** After a failure: whether other bodies need this body's memory. */
  readonly givesWay?: () => boolean;
  /** The containers of the entries, in their order; without it all entries are one container's. */
  readonly sources?: readonly BatchSource[];
  /** Called once if the memory of `body` becomes free before the batch is done. */
  readonly onReleased?: () => void;
  /** Entries of this source (by index) delay the batch: more of them would only wait, too. */
  readonly onHeldUp?: (source: number) => void;
  /** An entry of this source (by index) was refused for good. */
  readonly onRefused?: (source: number, reason: RefusalReason) => void;
};
