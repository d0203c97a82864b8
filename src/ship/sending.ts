// One request of a delivery: token, POST, verdict, counters.
//
// Invariant: the gate gets every ticket back, and the counters have every request.

import type { ErrorCode } from '../errors.ts';
import { AgentError } from '../errors.ts';
import type { Failure, RefusalReason, Verdict } from './answer.ts';
import { judge } from './answer.ts';
import type { ShipCounters } from './counters.ts';
import { add } from './counters.ts';
import type { Credentials } from './credentials.ts';
import type { DeadLetter } from './dead-letter.ts';
import type { Gate, Ticket } from './gate.ts';
import type { ParkedBodies } from './parked-bodies.ts';
import type { ShipLimits } from '../ship-limits.ts';
import type { Suspects } from './suspects.ts';
import type { Transport } from './transport.ts';
import type { Witness } from './witness.ts';

/** What became of a batch; the first two add up to its entries. */
export type ShipOutcome = {
  accepted: number;
  deadLettered: number;
  requests: number;
  retries: number;
  wireBytes: number;
};

/** What all deliveries share. */
export type Stage = {
  readonly gate: Gate;
  readonly transport: Transport;
  readonly credentials: Credentials;
  readonly counters: ShipCounters;
  readonly witness: Witness;
  readonly suspects: Suspects;
  readonly parkedBodies: ParkedBodies;
  readonly gzip: boolean;
  readonly headers: (token: string | undefined) => Record<string, string>;
  /** Keeps the refused entries; never throws. */
  readonly deadLetter: (reason: RefusalReason, letters: readonly DeadLetter[]) => void;
  /** Records how many requests in a row have failed. */
  readonly noteFailures: (count: number) => void;
  /** After any failure of the endpoint. */
  readonly onFailure: (failure: Failure) => void;
  /** An entry of so many bytes is kept although something that is not the API refuses it. */
  readonly onKept: (failure: Failure, bytes: number) => void;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly limits: ShipLimits;
  /** Entries of all batches refused one by one since the last accepted entry. */
  refusalStreak: number;
};

/** What one request sends. */
export type Shipment = {
  /** The body as it is sent, after gzip. */
  readonly wire: Uint8Array;
  readonly entryCount: number;
  /** Its containers had entries refused before. */
  readonly isSuspect: boolean;
  /** The batch's counts, which the request adds to. */
  readonly outcome: ShipOutcome;
};

/** One request, and the ticket back. */
export async function sendWithTicket(
  ticket: Ticket,
  shipment: Shipment,
  stage: Stage,
): Promise<Verdict> {
  let outcome: Failure | 'answered' | 'unclear' = 'unclear';
  try {
    const verdict = await sendOnce(shipment, stage);
    if (verdict.kind !== 'failed') outcome = 'answered';
    else if (!isOfContent(verdict, shipment, stage)) {
      outcome = verdict;
      stage.onFailure(verdict);
    }
    return verdict;
  } finally {
    stage.gate.leave(ticket, outcome);
    stage.noteFailures(stage.gate.failureCount);
  }
}

/**
 * Whether a failure says nothing about the endpoint: two halves may pass where one body does not,
 * and something on the way may refuse what one container writes while it lets others pass.
 */
function isOfContent(failure: Failure, shipment: Shipment, stage: Stage): boolean {
  if (failure.oversized && shipment.entryCount > 1) return true;
  return shipment.isSuspect && (failure.odd || failure.oversized) && takesOthers(stage);
}

/** Whether the API has answered a request recently, so it can be reached. */
export function takesOthers({ counters, limits, now }: Stage): boolean {
  return now() - (counters.lastSuccessMs ?? Number.NEGATIVE_INFINITY) < limits.shipSuspectMs;
}

/** One request, or two when the token was refused and its issuer gives another. */
async function sendOnce(shipment: Shipment, stage: Stage): Promise<Verdict> {
  for (let attempt = 1; ; attempt += 1) {
    let token: string | undefined;
    try {
      token = await stage.credentials.token();
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
      return noAnswer(error.code, `${error.message}${cause}`, false);
    }
    const answer = await post(shipment, token, stage);
    if ('code' in answer) return noAnswer(answer.code, answer.text, true);
    const verdict = judge(answer, shipment.entryCount, stage.now());
    if (verdict.kind !== 'failed') stage.counters.lastSuccessMs = stage.now();
    if (verdict.kind !== 'failed' || answer.status !== 401 || token === undefined) return verdict;
    stage.credentials.refuse(token);
    if (attempt > 1 || stage.gate.stopped) return verdict;
  }
}

function noAnswer(code: ErrorCode, text: string, renew: boolean): Failure {
  return {
    kind: 'failed',
    code,
    text,
    pace: 'normal',
    retryAfterMs: 0,
    renew,
    odd: false,
    oversized: false,
  };
}

async function post(
  { wire, outcome }: Shipment,
  token: string | undefined,
  stage: Stage,
): ReturnType<Transport['post']> {
  const { counters } = stage;
  if (outcome.requests > 0) {
    outcome.retries += 1;
    counters.retries += 1;
  }
  outcome.requests += 1;
  counters.requests += 1;
  outcome.wireBytes += wire.length;
  counters.wireBytes += wire.length;
  counters.inFlight += 1;
  const answer = await stage.transport.post(wire, stage.headers(token));
  counters.inFlight -= 1;
  add(counters.requestsByCode, 'code' in answer ? answer.code : String(answer.status), 1);
  return answer;
}
