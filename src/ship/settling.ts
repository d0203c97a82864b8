// Applies the verdict on a request to its entries: accepted, dead-lettered, or in pieces that are
// sent again.
//
// Invariant: every entry of the piece goes to exactly one of these.

import { type EntryError, RpcCode } from './answer-json.ts';
import type { Failure, Refusal, RefusalReason, Verdict } from './answer.ts';
import { retryableEntryCodes } from './answer.ts';
import { entryBytes } from './body.ts';
import type { DeadLetter } from './dead-letter.ts';
import type { Delivery } from './delivery-state.ts';
import { locate, separateSuspects, sourceOf } from './delivery-state.ts';
import type { Piece } from './piece.ts';
import { cutAt, firstPiece, indexesOf } from './piece.ts';
import type { Stage } from './sending.ts';
import { takesOthers } from './sending.ts';
import { headOf } from './witness.ts';

/** Below this share of named entries, the rest is halved too: the API names only the first few. */
const namedShareMin = 1 / 16;

/** Adds what must be sent again to the delivery's pieces. */
export function settle(verdict: Verdict, piece: Piece, delivery: Delivery, stage: Stage): void {
  if (verdict.kind === 'accepted') {
    accept(piece.count, delivery, stage);
    if (piece.indexes === undefined) stage.witness.consider(delivery.batch);
  } else if (verdict.kind === 'partial') settlePartial(piece, verdict.errors, delivery, stage);
  else if (verdict.kind === 'refused') settleRefused(piece, verdict, delivery, stage);
  else settleUnread(piece, verdict, delivery, stage);
}

function accept(count: number, delivery: Delivery, stage: Stage): void {
  delivery.outcome.accepted += count;
  stage.counters.acceptedEntries += count;
  if (count === 0) return;
  stage.refusalStreak = 0;
  delivery.refusedInRow = 0;
  delivery.keptInRow = 0;
}

/** Sorts the named entries by what follows for them; all others are written. */
function settlePartial(
  piece: Piece,
  errors: ReadonlyMap<number, EntryError>,
  delivery: Delivery,
  stage: Stage,
): void {
  const again: number[] = [];
  const denied: number[] = [];
  const letters = { refused: [] as Named[], denied: [] as Named[] };
  const indexes = indexesOf(piece);
  for (const [at, { code, text }] of errors) {
    const index = indexes[at] ?? 0;
    if (code === RpcCode.resourceExhausted && again.length === 0) stage.gate.throttle();
    if (retryableEntryCodes.has(code)) again.push(index);
    // A new right takes minutes to spread. But other entries of the same request were written, so
    // this entry must not delay its batch without end.
    else if (code !== RpcCode.permissionDenied) letters.refused.push({ index, code, text });
    else if (piece.denials + 1 < stage.limits.shipDeniedAttemptsMax) denied.push(index);
    else letters.denied.push({ index, code, text });
  }
  accept(piece.count - errors.size, delivery, stage);
  considerWitness(indexes, errors, delivery, stage);
  deadLetter('refused', letters.refused, delivery, stage);
  deadLetter('denied', letters.denied, delivery, stage);
  comeAgain(again, piece, piece.denials, delivery, stage);
  comeAgain(denied, piece, piece.denials + 1, delivery, stage);
  if (denied.length > 0) holdUp(denied, delivery);
}

function considerWitness(
  indexes: Uint32Array,
  errors: ReadonlyMap<number, EntryError>,
  delivery: Delivery,
  stage: Stage,
): void {
  const accepted = indexes.findIndex((_, at) => !errors.has(at));
  if (accepted < 0 || stage.witness.isKnown) return;
  const { body, starts } = locate(delivery);
  stage.witness.take(body, starts, indexes[accepted] ?? 0);
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
  const waitMs = stage.gate.backoffMs(attempts, denials > 0 ? 'slow' : 'normal');
  delivery.pieces.push({
    ...firstPiece(indexes.length, Uint32Array.from(indexes).toSorted()),
    attempts,
    denials,
    // Denied entries alone would be a request that is forbidden as a whole.
    hasWitness: denials > 0,
    isSuspect: from.isSuspect || denials > 0,
    notBeforeMs: stage.nowMs() + waitMs,
  });
}

/**
 * The API refused the whole request. Entries that it blames are dead-lettered. If it blames none,
 * a witness makes it name them; without a witness, the request is halved until one entry is refused
 * alone.
 */
function settleRefused(piece: Piece, verdict: Refusal, delivery: Delivery, stage: Stage): void {
  if (verdict.entries.size > 0) {
    settleBlamed(piece, verdict.entries, delivery, stage);
  } else if (!piece.isSuspect && hasSuspects(piece, delivery, stage)) {
    // The suspects are probably to blame; the rest need not wait for the proof.
    delivery.pieces.push(piece);
    separateSuspects(delivery, stage);
  } else if (piece.count > 1 && canCallWitness(piece, verdict, delivery, stage)) {
    delivery.pieces.push({ ...piece, hasWitness: true });
  } else if (piece.count > 1) {
    cutAt(piece, piece.count >>> 1, delivery.pieces);
  } else {
    stage.refusalStreak += 1;
    delivery.refusedInRow += 1;
    const [index = 0] = indexesOf(piece);
    const { code, text } = verdict;
    deadLetter(verdict.reason, [{ index, code, text }], delivery, stage);
    holdUp([index], delivery);
  }
}

/** Whether some of the piece's containers, or all, have become suspect since it was cut. */
function hasSuspects(piece: Piece, delivery: Delivery, stage: Stage): boolean {
  const { sources = [] } = delivery.batch;
  const isSuspect = sources.map(({ container }) => stage.suspects.has(container));
  if (!isSuspect.includes(true)) return false;
  return indexesOf(piece).some((index) => isSuspect[sourceOf(index, delivery)] === true);
}

function canCallWitness(piece: Piece, verdict: Refusal, delivery: Delivery, stage: Stage): boolean {
  // One more entry makes a body that is too long no shorter.
  const isUseful = verdict.reason === 'refused' && !piece.hasWitness;
  return isUseful && stage.witness.isKnown && !delivery.isWitnessUseless;
}

/** Nothing was written: the blamed entries are dead-lettered, the rest is sent again. */
function settleBlamed(
  piece: Piece,
  blamed: ReadonlyMap<number, EntryError>,
  delivery: Delivery,
  stage: Stage,
): void {
  const indexes = indexesOf(piece);
  const rest = indexes.filter((_, at) => !blamed.has(at));
  if (rest.length > 0) {
    const again = { ...firstPiece(rest.length, rest), isSuspect: piece.isSuspect };
    const isSlow = blamed.size < namedShareMin * piece.count && rest.length > 1;
    if (isSlow) cutAt(again, rest.length >>> 1, delivery.pieces);
    else delivery.pieces.push(again);
  }
  const letters = Array.from(blamed, ([at, error]) => ({ ...error, index: indexes[at] ?? 0 }));
  deadLetter('refused', letters, delivery, stage);
}

/**
 * A 400 or 413 that is not the API's. Halving finds the entries that cause it, but only the API
 * condemns an entry: a single one is kept, and the others go first.
 */
function settleUnread(piece: Piece, failure: Failure, delivery: Delivery, stage: Stage): void {
  const [index = 0] = indexesOf(piece);
  if (stage.parkedBodies.isHalfFull && isOfOne(piece, delivery)) holdUp([index], delivery);
  const oddAnswers = piece.oddAnswers + Number(failure.odd);
  const isPatient = failure.odd && oddAnswers < stage.limits.shipOddAnswersMax;
  if (isPatient && !(piece.isSuspect && takesOthers(stage))) {
    // Others go first: they show whether the cause is the way or this body.
    delivery.pieces.push({ ...piece, oddAnswers, isSuspect: true });
    return;
  }
  if (piece.count > 1) {
    const again = failure.odd ? stage.limits.shipOddAnswersMax - 1 : 0;
    cutAt(piece, piece.count >>> 1, delivery.pieces, again);
    return;
  }
  const { body, starts } = locate(delivery);
  stage.onKept(failure, entryBytes(body, starts, index).length);
  const attempts = piece.attempts + 1;
  const notBeforeMs = stage.nowMs() + stage.gate.backoffMs(attempts, 'slow');
  delivery.pieces.push({ ...piece, attempts, oddAnswers: 0, isSuspect: true, notBeforeMs });
  suspect([index], delivery, stage);
  delivery.keptInRow += 1;
  const excess = delivery.keptInRow - stage.limits.shipRefusedInRowMax;
  if (excess > 0) delaySuspects(stage.gate.backoffMs(excess, 'slow'), delivery, stage);
}

function isOfOne(piece: Piece, delivery: Delivery): boolean {
  const indexes = indexesOf(piece);
  return sourceOf(indexes[0] ?? 0, delivery) === sourceOf(indexes.at(-1) ?? 0, delivery);
}

/** Probably none of them passes: one at a time finds out when that has changed. */
function delaySuspects(waitMs: number, { pieces }: Delivery, stage: Stage): void {
  const dueMs = stage.nowMs() + waitMs;
  for (const [at, piece] of pieces.entries()) {
    if (!piece.isSuspect) continue;
    pieces[at] = { ...piece, notBeforeMs: Math.max(piece.notBeforeMs, dueMs) };
  }
}

/** Reports, once for each container, that its entries delay the batch. */
function holdUp(indexes: readonly number[], delivery: Delivery): void {
  if (delivery.batch.onHeldUp === undefined) return;
  for (const index of indexes) {
    const source = sourceOf(index, delivery);
    if (delivery.sourcesHeldUp.has(source)) continue;
    delivery.sourcesHeldUp.add(source);
    delivery.batch.onHeldUp(source);
  }
}

type Named = EntryError & { readonly index: number };

function deadLetter(
  reason: RefusalReason,
  refused: readonly Named[],
  delivery: Delivery,
  stage: Stage,
): void {
  if (refused.length === 0) return;
  const { body, starts } = locate(delivery);
  delivery.outcome.deadLettered += refused.length;
  const defaults = JSON.stringify(headOf(body, starts));
  const letterOf = ({ index, code, text }: Named): DeadLetter => ({
    code,
    reason: text,
    ...(defaults !== '{}' && { defaults }),
    entry: entryBytes(body, starts, index),
  });
  stage.deadLetter(reason, refused.map(letterOf));
  const { onRefused } = delivery.batch;
  for (const { index } of refused) onRefused?.(sourceOf(index, delivery), reason);
  suspect(
    refused.map(({ index }) => index),
    delivery,
    stage,
  );
}

/** Makes the containers of these entries suspect, and cuts their entries apart from others. */
function suspect(indexes: readonly number[], delivery: Delivery, stage: Stage): void {
  const { sources = [] } = delivery.batch;
  const count = delivery.suspectSources.size;
  for (const index of indexes) {
    const source = sourceOf(index, delivery);
    const container = sources[source]?.container;
    if (container === undefined) continue;
    delivery.suspectSources.add(source);
    stage.suspects.add(container);
  }
  if (delivery.suspectSources.size > count) separateSuspects(delivery, stage);
}
