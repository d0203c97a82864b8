// The state of a batch that is being delivered: what is still to be sent, where its entries are,
// and the container of each.

import type { Batch } from './batch.ts';
import { entryStarts } from './body.ts';
import type { LocatedBody } from './parked-bodies.ts';
import type { Piece } from './piece.ts';
import { separate } from './piece.ts';
import type { ShipOutcome, Stage } from './sending.ts';

export type Delivery = {
  readonly batch: Batch;
  readonly order: number;
  readonly outcome: ShipOutcome;
  readonly pieces: Piece[];
  /** The body and its entries, once they are needed; a private copy after parking. */
  located: LocatedBody | undefined;
  isParked: boolean;
  /** The source of each entry. */
  sourceOf: Uint32Array | undefined;
  /** Sources with entries that were refused. */
  readonly suspectSources: Set<number>;
  readonly sourcesHeldUp: Set<number>;
  /** Entries refused one by one since the last that was accepted. */
  refusedInRow: number;
  /**
   * Entries kept one by one since the last accepted: something that is not the API refuses them.
   */
  keptInRow: number;
  /** The state at the last attempt to park: the next one waits until it has changed. */
  parkTried: { readonly count: number; readonly freedCount: number } | undefined;
  /** The API did not name the bad entries although a good one was beside them. */
  isWitnessUseless: boolean;
};

/** Cuts what is still to be sent so that suspects delay no others. */
export function separateSuspects(delivery: Delivery, stage: Stage): void {
  const { sources = [] } = delivery.batch;
  const suspects = sources.map(({ container }) => stage.suspects.has(container));
  separate(delivery.pieces, (index) => suspects[sourceOf(index, delivery)] === true);
}

/** The index of an entry's source. */
export function sourceOf(index: number, delivery: Delivery): number {
  delivery.sourceOf ??= sourcesOf(delivery.batch);
  return delivery.sourceOf[index] ?? 0;
}

/** The source of each entry of a batch. */
export function sourcesOf({ sources = [], entryCount: count }: Batch): Uint32Array {
  const found = new Uint32Array(count);
  let start = 0;
  for (const [source, { entryCount }] of sources.entries()) {
    found.fill(source, start, start + entryCount);
    start += entryCount;
  }
  return found;
}

/** The body and where its entries are. A batch that is accepted at once never gets here. */
export function locate(delivery: Delivery): LocatedBody {
  const { body, entryCount } = delivery.batch;
  delivery.located ??= { body, starts: entryStarts(body, entryCount) };
  return delivery.located;
}
