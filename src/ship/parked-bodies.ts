// Private memory for the rest of bodies that the API did not accept whole. It frees their slots: a
// container whose entries are refused must not hold memory that all share.
//
// Invariant: all parked bodies together have at most `bytesMax` bytes.

import { bodyOf, entryBytes, entryStarts } from './body.ts';
import type { Piece } from './piece.ts';
import { indexesOf } from './piece.ts';

/** A body and where its entries are. */
export type LocatedBody = { readonly body: Uint8Array; readonly starts: Uint32Array };

/** The rest of a body; `kept` are the indexes that its entries had before. */
export type ParkedBody = LocatedBody & { readonly kept: Uint32Array };

export class ParkedBodies {
  readonly #bytesMax: number;
  #bytes = 0;
  #freedCount = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** How often room was given back. */
  get freedCount(): number {
    return this.#freedCount;
  }

  get isHalfFull(): boolean {
    return this.#bytes * 2 > this.#bytesMax;
  }

  /**
   * Copies the entries of `pieces` and points the pieces at the copy, which replaces `from`.
   * Returns undefined, and changes nothing, when there is no room.
   */
  park(
    { body, starts }: LocatedBody,
    pieces: Piece[],
    parked: LocatedBody | undefined,
  ): ParkedBody | undefined {
    const kept = Uint32Array.from(pieces.flatMap((piece) => [...indexesOf(piece)])).toSorted();
    let bytes = (starts[0] ?? 0) + 2 * kept.length;
    for (const index of kept) bytes += entryBytes(body, starts, index).length;
    const freedBytes = parked?.body.length ?? 0;
    if (this.#bytes - freedBytes + bytes > this.#bytesMax) return undefined;
    const copy = bodyOf(body, starts, kept);
    this.#bytes += copy.length - freedBytes;
    if (freedBytes > copy.length) this.#freedCount += 1;
    const newIndexes = new Map(Array.from(kept, (index, newIndex) => [index, newIndex] as const));
    const newIndexOf = (index: number): number => newIndexes.get(index) ?? 0;
    for (const [at, piece] of pieces.entries()) {
      pieces[at] = { ...piece, indexes: indexesOf(piece).map(newIndexOf) };
    }
    return { body: copy, starts: entryStarts(copy, kept.length), kept };
  }

  free(parked: LocatedBody | undefined): void {
    this.#bytes -= parked?.body.length ?? 0;
    this.#freedCount += 1;
  }
}
