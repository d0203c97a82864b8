// The pieces of a batch that are still to be sent: entries that go in one request.
//
// Invariant: cutting loses and doubles no entry, and keeps their order within each piece.

/** Some entries of a batch. */
export type Piece = {
  /** Indexes in the delivery's body, ascending; undefined is all of them, the common case. */
  readonly indexes: Uint32Array | undefined;
  readonly count: number;
  /** Answers after which these entries are sent again. */
  readonly attempts: number;
  /** How many of these were PERMISSION_DENIED. */
  readonly denials: number;
  /** 400s without the API's JSON since the piece was cut. */
  readonly oddAnswers: number;
  /** A known-good entry goes with it, so that the API names the bad ones. */
  hasWitness: boolean;
  /** Its containers had entries refused: everything else goes first. */
  readonly isSuspect: boolean;
  readonly notBeforeMs: number;
};

/** All entries of a batch, or of those at `indexes`. */
export function firstPiece(count: number, indexes?: Uint32Array): Piece {
  return {
    indexes,
    count,
    attempts: 0,
    denials: 0,
    oddAnswers: 0,
    hasWitness: false,
    isSuspect: false,
    notBeforeMs: 0,
  };
}

/** The indexes of a piece, also when it is the whole batch. */
export function indexesOf(piece: Piece): Uint32Array {
  return piece.indexes ?? Uint32Array.from({ length: piece.count }, (_, index) => index);
}

/** Removes the piece that may go soonest; among equals one that is not suspect, then the last. */
export function takeNext(pieces: Piece[]): Piece | undefined {
  let best = pieces.length - 1;
  for (let index = best - 1; index >= 0; index -= 1) {
    if (goesBefore(pieces[index], pieces[best])) best = index;
  }
  return pieces.splice(best, 1)[0];
}

function goesBefore(a: Piece | undefined, b: Piece | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  if (a.notBeforeMs !== b.notBeforeMs) return a.notBeforeMs < b.notBeforeMs;
  return !a.isSuspect && b.isSuspect;
}

/** Pushes two pieces, the first `firstCount` entries on top, so that entries go out in order. */
export function cutAt(piece: Piece, firstCount: number, pieces: Piece[], oddAnswers = 0): void {
  const indexes = indexesOf(piece);
  for (const part of [indexes.subarray(firstCount), indexes.subarray(0, firstCount)]) {
    const count = part.length;
    pieces.push({
      ...firstPiece(count, part),
      isSuspect: piece.isSuspect,
      // A single entry gets its verdict from its own answers.
      oddAnswers: count === 1 ? 0 : oddAnswers,
    });
  }
}

/** Cuts the pieces so that in each all entries or none are suspect, by their indexes. */
export function separate(pieces: Piece[], isSuspect: (index: number) => boolean): void {
  for (const piece of pieces.splice(0)) {
    const all = indexesOf(piece);
    const bad = all.filter((index) => isSuspect(index));
    const isWhole = bad.length === 0 || bad.length === all.length;
    if (isWhole) {
      pieces.push({ ...piece, isSuspect: piece.isSuspect || bad.length > 0 });
      continue;
    }
    const rest = all.filter((index) => !isSuspect(index));
    pieces.push({ ...piece, indexes: bad, count: bad.length, isSuspect: true });
    pieces.push({ ...piece, indexes: rest, count: rest.length, isSuspect: false });
  }
}
