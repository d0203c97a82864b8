// The way of one batch: send, read the verdict, send again what must be sent again, until every
// entry is accepted or dead-lettered. Called by the shipper once per batch.
//
// Invariant: an entry leaves the batch by the API's word alone: it was accepted, or it was refused
// for what it is. Everything else is sent again, as the same bytes.

import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { EntryError, Failure, RefusalReason, Verdict } from './answer.ts';
import { isRetryableEntryCode, RpcCode } from './answer.ts';
import { bodyOf, entryBytes, entryStarts } from './body.ts';
import type { DeadLetter } from './dead-letter.ts';
import type { ShipOutcome, Stage } from './sending.ts';
import { sendWithTicket } from './sending.ts';

export type Batch = {
  /** A complete body; entries joined by `,\n`, no other raw newline. */
  readonly body: Uint8Array;
  readonly entryCount: number;
};

/** Some entries of the batch that go in one request. */
type Piece = {
  /** Indexes in the batch; undefined is all of them, the common case. */
  readonly indexes: Uint32Array | undefined;
  readonly count: number;
  /** Partial answers that told these entries to come again. */
  readonly attempts: number;
  /** How many of these said PERMISSION_DENIED. */
  readonly denials: number;
  /** 400s without the API's JSON since the piece was cut. */
  oddAnswers: number;
  readonly notBeforeMs: number;
};

type Delivery = {
  readonly batch: Batch;
  readonly order: number;
  readonly outcome: ShipOutcome;
  readonly pieces: Piece[];
  starts: Uint32Array | undefined;
};

const gzipAsync = promisify(gzip);

/**
 * Resolves when nothing of the batch needs sending any more. Rejects only with the reason of
 * `gate.stop`.
 */
export async function deliver(batch: Batch, order: number, stage: Stage): Promise<ShipOutcome> {
  const whole = {
    indexes: undefined,
    count: batch.entryCount,
    attempts: 0,
    denials: 0,
    oddAnswers: 0,
    notBeforeMs: 0,
  };
  const outcome = { accepted: 0, deadLettered: 0, requests: 0, retries: 0, wireBytes: 0 };
  const delivery: Delivery = { batch, order, outcome, pieces: [whole], starts: undefined };
  for (
    let piece = takeNext(delivery.pieces);
    piece !== undefined;
    piece = takeNext(delivery.pieces)
  ) {
    await pause(piece, stage);
    const verdict = await verdictOn(piece, delivery, stage);
    if (verdict.kind === 'accepted') accept(piece.count, delivery, stage);
    else if (verdict.kind === 'partial') settlePartial(piece, verdict.errors, delivery, stage);
    else if (verdict.kind === 'refused') settleRefused(piece, verdict, delivery, stage);
    else settleOdd(piece, verdict, delivery, stage);
  }
  return outcome;
}

/** The piece that may go soonest; among equals the one cut last, so that pieces stay few. */
function takeNext(pieces: Piece[]): Piece | undefined {
  let best = pieces.length - 1;
  for (let index = best - 1; index >= 0; index -= 1) {
    if ((pieces[index]?.notBeforeMs ?? 0) < (pieces[best]?.notBeforeMs ?? 0)) best = index;
  }
  return pieces.splice(best, 1)[0];
}

async function pause(piece: Piece, stage: Stage): Promise<void> {
  const waitMs = piece.notBeforeMs - stage.clock();
  if (waitMs > 0) await stage.gate.sleep(waitMs);
  // When everything is refused the fault is rather in the configuration or the clock: slow down, so
  // that little is dead-lettered before someone looks; the files keep the rest.
  const { refusalStreakMax, refusalPaceMs } = stage.limits;
  const excess = stage.refusalStreak - refusalStreakMax;
  if (excess > 0) {
    await stage.gate.sleep(Math.min(refusalPaceMs, (refusalPaceMs * excess) / refusalStreakMax));
  }
}

/**
 * Sends the piece until the API says something about its entries, or `oddAnswersMax` times says
 * nothing that can be read.
 */
async function verdictOn(piece: Piece, delivery: Delivery, stage: Stage): Promise<Verdict> {
  const body = bytesOf(piece, delivery);
  const wire = stage.gzip ? await gzipAsync(body, { level: 1 }) : body;
  for (;;) {
    const ticket = await stage.gate.enter(delivery.order);
    const verdict = await sendWithTicket(
      ticket,
      { wire, entryCount: piece.count, outcome: delivery.outcome },
      stage,
    );
    if (verdict.kind !== 'failed') return verdict;
    if (verdict.odd) piece.oddAnswers += 1;
    if (piece.oddAnswers >= stage.limits.oddAnswersMax) return verdict;
  }
}

function accept(count: number, delivery: Delivery, stage: Stage): void {
  delivery.outcome.accepted += count;
  stage.counters.acceptedEntries += count;
  if (count > 0) stage.refusalStreak = 0;
}

/** Splits the named entries by what is to become of them; all others are written. */
function settlePartial(
  piece: Piece,
  errors: ReadonlyMap<number, EntryError>,
  delivery: Delivery,
  stage: Stage,
): void {
  const again: number[] = [];
  const denied: number[] = [];
  const letters = { refused: [] as DeadLetter[], denied: [] as DeadLetter[] };
  for (const [place, { code, text }] of errors) {
    const index = piece.indexes === undefined ? place : (piece.indexes[place] ?? 0);
    if (code === RpcCode.resourceExhausted && again.length === 0) stage.gate.throttle();
    if (isRetryableEntryCode(code)) again.push(index);
    // Rights may be on their way (IAM takes minutes to spread), but where the same request's other
    // entries were written it is this entry that is denied, and it must not hold its batch for
    // ever.
    else if (code !== RpcCode.permissionDenied) {
      letters.refused.push(letterOf(index, code, text, delivery));
    } else if (piece.denials + 1 < stage.limits.deniedAttemptsMax) denied.push(index);
    else letters.denied.push(letterOf(index, code, text, delivery));
  }
  accept(piece.count - errors.size, delivery, stage);
  bury('refused', letters.refused, delivery, stage);
  bury('denied', letters.denied, delivery, stage);
  comeAgain(again, piece, piece.denials, delivery, stage);
  comeAgain(denied, piece, piece.denials + 1, delivery, stage);
}

function comeAgain(
  indexes: number[],
  from: Piece,
  denials: number,
  delivery: Delivery,
  stage: Stage,
): void {
  if (indexes.length === 0) return;
  const attempts = from.attempts + 1;
  const waitMs =
    denials > 0
      ? stage.gate.backoffMs(attempts, stage.limits.slowBackoffMaxMs)
      : stage.gate.backoffMs(attempts);
  delivery.pieces.push({
    indexes: Uint32Array.from(indexes),
    count: indexes.length,
    attempts,
    denials,
    oddAnswers: 0,
    notBeforeMs: stage.clock() + waitMs,
  });
}

/** The API refused the request as a whole: halve it until the poison stands alone. */
function settleRefused(
  piece: Piece,
  verdict: { readonly reason: RefusalReason; readonly code: number; readonly text: string },
  delivery: Delivery,
  stage: Stage,
): void {
  if (piece.count > 1) {
    halve(piece, 0, delivery);
    return;
  }
  stage.refusalStreak += 1;
  bury(
    verdict.reason,
    [letterOf(piece.indexes?.[0] ?? 0, verdict.code, verdict.text, delivery)],
    delivery,
    stage,
  );
}

/**
 * A 400 that is not the API's came again and again. If it is the body, halving finds the entry,
 * which is given up only when others of its batch were accepted; if it is a sick proxy, that never
 * happens and nothing is lost.
 */
function settleOdd(piece: Piece, failure: Failure, delivery: Delivery, stage: Stage): void {
  if (piece.count > 1) {
    halve(piece, stage.limits.oddAnswersMax - 1, delivery);
  } else if (delivery.outcome.accepted > 0) {
    const letter = letterOf(
      piece.indexes?.[0] ?? 0,
      RpcCode.invalidArgument,
      failure.text,
      delivery,
    );
    bury('refused', [letter], delivery, stage);
  } else {
    // The others first: they may be the evidence.
    const attempts = piece.attempts + 1;
    const notBeforeMs =
      stage.clock() + stage.gate.backoffMs(attempts, stage.limits.slowBackoffMaxMs);
    delivery.pieces.push({ ...piece, attempts, oddAnswers: 0, notBeforeMs });
  }
}

function halve(piece: Piece, oddAnswers: number, delivery: Delivery): void {
  const indexes = piece.indexes ?? Uint32Array.from({ length: piece.count }, (_, index) => index);
  const middle = piece.count >>> 1;
  // The first half lies on top, so entries go out in their order.
  for (const half of [indexes.subarray(middle), indexes.subarray(0, middle)]) {
    const count = half.length;
    // One entry alone must earn its verdict anew.
    delivery.pieces.push({
      indexes: half,
      count,
      attempts: 0,
      denials: 0,
      oddAnswers: count === 1 ? 0 : oddAnswers,
      notBeforeMs: 0,
    });
  }
}

function bury(
  reason: RefusalReason,
  letters: readonly DeadLetter[],
  delivery: Delivery,
  stage: Stage,
): void {
  if (letters.length === 0) return;
  delivery.outcome.deadLettered += letters.length;
  stage.bury(reason, letters);
}

function letterOf(index: number, code: number, reason: string, delivery: Delivery): DeadLetter {
  return { code, reason, entry: entryBytes(delivery.batch.body, startsOf(delivery), index) };
}

function bytesOf(piece: Piece, delivery: Delivery): Uint8Array {
  return piece.indexes === undefined
    ? delivery.batch.body
    : bodyOf(delivery.batch.body, startsOf(delivery), piece.indexes);
}

function startsOf(delivery: Delivery): Uint32Array {
  delivery.starts ??= entryStarts(delivery.batch.body, delivery.batch.entryCount);
  return delivery.starts;
}
