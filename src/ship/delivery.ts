// Delivers one batch: sends it, reads the verdict, and sends again what must be sent again, until
// every entry is accepted or dead-lettered. settling.ts applies each verdict.
//
// Invariant: an entry leaves the batch only when the API has accepted it or refused it for good.
// Everything else is sent again, as the same bytes. What the API does not accept at once goes
// behind the requests of others, and out of the memory that they need.

import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { EntryError } from './answer-json.ts';
import type { Verdict } from './answer.ts';
import type { Batch } from './batch.ts';
import { bodyOf } from './body.ts';
import type { Delivery } from './delivery-state.ts';
import { locate, separateSuspects, sourcesOf } from './delivery-state.ts';
import type { Piece } from './piece.ts';
import { cutAt, firstPiece, indexesOf, takeNext } from './piece.ts';
import type { ShipOutcome, Stage } from './sending.ts';
import { sendWithTicket } from './sending.ts';
import { settle } from './settling.ts';
import type { Witness } from './witness.ts';

const gzipAsync = promisify(gzip);

/** Resolves when the batch is done. Rejects only with the reason of `gate.stop`. */
export async function deliver(batch: Batch, order: number, stage: Stage): Promise<ShipOutcome> {
  const delivery = begin(batch, order, stage);
  try {
    for (;;) {
      const piece = takeNext(delivery.pieces);
      if (piece === undefined) return delivery.outcome;
      // After many refusals the rest is probably refused too, and larger requests tell nothing
      // more.
      if (piece.count > 1 && delivery.refusedInRow >= stage.limits.shipRefusedInRowMax) {
        cutAt(piece, 1, delivery.pieces);
        continue;
      }
      await pause(piece, delivery, stage);
      const { verdict, piece: sent } = await verdictOn(piece, delivery, stage);
      settle(verdict, sent, delivery, stage);
      if (delivery.pieces.length > 0) park(delivery, stage);
    }
  } finally {
    if (delivery.isParked) stage.parkedBodies.free(delivery.located);
  }
}

/** Entries of suspects go in a request of their own, after the others. */
function begin(batch: Batch, order: number, stage: Stage): Delivery {
  const { sources = [], entryCount } = batch;
  const outcome = { accepted: 0, deadLettered: 0, requests: 0, retries: 0, wireBytes: 0 };
  const delivery: Delivery = {
    batch,
    order,
    outcome,
    pieces: [firstPiece(entryCount)],
    located: undefined,
    isParked: false,
    sourceOf: undefined,
    suspectSources: new Set(),
    sourcesHeldUp: new Set(),
    refusedInRow: 0,
    keptInRow: 0,
    parkTried: undefined,
    isWitnessUseless: false,
  };
  const isAnySuspect = sources.some(({ container }) => stage.suspects.has(container));
  if (isAnySuspect) separateSuspects(delivery, stage);
  return delivery;
}

/** Moves what is left to private memory if there is room, and again when most of it is done. */
function park(delivery: Delivery, stage: Stage): void {
  const located = locate(delivery);
  const count = delivery.pieces.reduce((sum, piece) => sum + piece.count, 0);
  if (delivery.isParked && count * 2 > located.starts.length) return;
  const { freedCount } = stage.parkedBodies;
  const tried = delivery.parkTried;
  if (tried?.freedCount === freedCount && count * 2 > tried.count) return;
  delivery.parkTried = { count, freedCount };
  const before = delivery.isParked ? located : undefined;
  delivery.sourceOf ??= sourcesOf(delivery.batch);
  const parked = stage.parkedBodies.park(located, delivery.pieces, before);
  if (parked === undefined) return;
  const sources = delivery.sourceOf;
  delivery.sourceOf = parked.kept.map((index) => sources[index] ?? 0);
  delivery.located = parked;
  if (delivery.isParked) return;
  delivery.isParked = true;
  delivery.batch.onReleased?.();
}

/** Parks what is left, `piece` included; returns the piece that replaces it. */
function parkWith(piece: Piece, delivery: Delivery, stage: Stage): Piece {
  const { pieces } = delivery;
  pieces.push(piece);
  park(delivery, stage);
  return pieces.pop() ?? piece;
}

async function pause(piece: Piece, delivery: Delivery, stage: Stage): Promise<void> {
  const waitMs = piece.notBeforeMs - stage.nowMs();
  if (waitMs > 0) await stage.gate.sleep(waitMs);
  // When everything is refused, the fault is more likely in the configuration or the clock. Slowing
  // down dead-letters little before someone looks, and the files keep the rest. Sending an entry
  // that was accepted before shows whether that is the case.
  const { shipRefusalStreakMax, shipRefusalPaceMs } = stage.limits;
  const excess = delivery.refusedInRow === 0 ? 0 : stage.refusalStreak - shipRefusalStreakMax;
  if (excess <= 0 || (await isWitnessAccepted(delivery, stage))) return;
  const share = Math.min(1, excess / shipRefusalStreakMax);
  await stage.gate.sleep(shipRefusalPaceMs * share);
}

async function isWitnessAccepted(delivery: Delivery, stage: Stage): Promise<boolean> {
  if (!stage.witness.isKnown) return false;
  const wire = await wireOf(stage.witness.bodyAlone(), stage);
  const ticket = await stage.gate.enter(delivery.order, 'late');
  const shipment = { wire, entryCount: 1, isSuspect: false, outcome: delivery.outcome };
  const verdict = await sendWithTicket(ticket, shipment, stage);
  if (verdict.kind === 'accepted') stage.refusalStreak = 0;
  else if (verdict.kind !== 'failed') stage.witness.drop();
  return verdict.kind === 'accepted';
}

/** Sends the piece until an answer is about its entries, or is a reason to cut it. */
async function verdictOn(
  first: Piece,
  delivery: Delivery,
  stage: Stage,
): Promise<{ readonly verdict: Verdict; readonly piece: Piece }> {
  let piece = first;
  let wire: Uint8Array | undefined;
  let hasWitness = false;
  for (;;) {
    const wantsWitness = piece.hasWitness && stage.witness.isKnown && !delivery.isWitnessUseless;
    if (wire === undefined || hasWitness !== wantsWitness) {
      hasWitness = wantsWitness;
      wire = await wireOf(bytesOf(piece, delivery, hasWitness ? stage.witness : undefined), stage);
    }
    const ticket = await stage.gate.enter(delivery.order, piece.isSuspect ? 'late' : 'first');
    const entryCount = piece.count + Number(hasWitness);
    const { isSuspect } = piece;
    const shipment = { wire, entryCount, isSuspect, outcome: delivery.outcome };
    const verdict = await sendWithTicket(ticket, shipment, stage);
    if (verdict.kind !== 'failed') {
      if (!hasWitness) return { verdict, piece };
      return { verdict: withoutWitness(verdict, piece, { delivery, stage }), piece };
    }
    if (verdict.oversized || verdict.odd) return { verdict, piece };
    // Perhaps only the entries of some containers are forbidden.
    if (verdict.code === 'SHIP_FORBIDDEN') piece.hasWitness = true;
    if (delivery.isParked || delivery.batch.givesWay?.() !== true) continue;
    piece = parkWith(piece, delivery, stage);
    wire = undefined;
  }
}

/** The verdict on the piece's own entries. */
function withoutWitness(
  verdict: Verdict,
  piece: Piece,
  { delivery, stage }: { readonly delivery: Delivery; readonly stage: Stage },
): Verdict {
  if (verdict.kind === 'accepted' || verdict.kind === 'failed') return verdict;
  const named = verdict.kind === 'partial' ? verdict.errors : verdict.entries;
  const errors = new Map<number, EntryError>(named);
  if (errors.delete(piece.count)) stage.witness.drop();
  if (verdict.kind === 'refused') {
    if (named.size === 0) delivery.isWitnessUseless = true;
    return { ...verdict, entries: errors };
  }
  return errors.size === 0 ? { kind: 'accepted' } : { kind: 'partial', errors };
}

function bytesOf(piece: Piece, delivery: Delivery, witness: Witness | undefined): Uint8Array {
  if (witness !== undefined) {
    const { body, starts } = locate(delivery);
    return witness.bodyWith(body, starts, indexesOf(piece));
  }
  if (piece.indexes === undefined) return delivery.batch.body;
  const { body, starts } = locate(delivery);
  return bodyOf(body, starts, piece.indexes);
}

async function wireOf(body: Uint8Array, stage: Stage): Promise<Uint8Array> {
  return stage.gzip ? gzipAsync(body, { level: 1 }) : body;
}
