// The ship stage: takes complete request bodies and delivers them. delivery.ts handles one batch.
//
// Invariant: ship() resolves only when every entry of the batch was accepted or dead-lettered, and
// nothing retryable is ever dropped.

import type { Log } from '../log.ts';
import { AgentError } from '../errors.ts';
import { within } from '../until-aborted.ts';
import type { Failure, RefusalReason } from './answer.ts';
import type { ShipCounters } from './counters.ts';
import { add, createCounters } from './counters.ts';
import { createCredentials, type CredentialOptions } from './credentials.ts';
import type { DeadLetter } from './dead-letter.ts';
import { DeadLetterFile } from './dead-letter.ts';
import type { Batch } from './batch.ts';
import { deliver } from './delivery.ts';
import { Gate } from './gate.ts';
import { CachedLookup } from './lookup.ts';
import type { Resolve } from './lookup.ts';
import { openTransport, type TransportSetup } from './open-transport.ts';
import { ParkedBodies } from './parked-bodies.ts';
import type { ShipOutcome, Stage } from './sending.ts';
import { ProjectStages } from './project-stages.ts';
import { shipLimits, type ShipLimits } from '../ship-limits.ts';
import { Suspects } from './suspects.ts';
import { requestHeaders } from './transport.ts';
import { Witness } from './witness.ts';

export type { ShipCounters } from './counters.ts';
export type { ShipOutcome } from './sending.ts';

/** Requests go to `v2/entries:write` below the path of `endpoint`. */
export type ShipOptions = Pick<TransportSetup, 'endpoint' | 'connections' | 'caFile' | 'proxy'> &
  Partial<Pick<CredentialOptions, 'credentialsFile' | 'metadataHost' | 'allowPlainHttp'>> & {
    readonly project: string;
    /** Billing and quota project, sent as X-Goog-User-Project. */
    readonly quotaProject?: string | undefined;
    readonly gzip: boolean;
    /** The directory of dead-letter.ndjson. */
    readonly stateDir: string;
    readonly limits?: Partial<ShipLimits> | undefined;
    /** In place of getaddrinfo, for tests. */
    readonly resolve?: Resolve | undefined;
  };

export type Shipper = {
  /**
   * Sends until every entry is accepted or dead-lettered. The bytes of the body stay valid until it
   * settles. Rejects only after `stop`, with an AgentError SHIP_STOPPED.
   */
  ship(batch: Batch): Promise<ShipOutcome>;
  /** Starts no more requests; those in flight have `graceMs`; then everything rejects. */
  stop(graceMs: number): Promise<void>;
  /** How many bodies of a project may be in flight beside others: one until one is accepted. */
  bodiesMax(project: string | undefined): number;
  readonly counters: ShipCounters;
};

/**
 * Opens no connection yet. The log gets changes of state, never a single request. Rejects with
 * CONFIG_INVALID (caFile), CREDENTIALS_MISSING (credentialsFile) or PLAIN_HTTP_REFUSED.
 */
export async function createShipper(
  options: ShipOptions,
  { log }: { readonly log: Log },
): Promise<Shipper> {
  const limits: ShipLimits = { ...shipLimits, ...options.limits };
  const parts = { options, limits, log };
  const { host } = options.endpoint;
  const stage = await createStage(parts);
  const stages = new ProjectStages(stage, options.project, (project) => ({
    gate: createGate(parts, `project ${project} at ${host}`),
    witness: new Witness(limits, nowMs),
  }));
  const underWay = new Set<Promise<unknown>>();
  let order = 0;
  const ship = async (batch: Batch): Promise<ShipOutcome> => {
    order += 1;
    const delivery = deliver(batch, order, stages.of(batch.project));
    underWay.add(delivery);
    try {
      return await delivery;
    } finally {
      underWay.delete(delivery);
    }
  };
  const stop = async (graceMs: number): Promise<void> => {
    const reason = new AgentError('SHIP_STOPPED', 'the agent is stopping');
    stages.stop(reason);
    await within(Promise.allSettled(underWay), graceMs, reason).catch(() => undefined);
    stage.credentials.stop(reason);
    await stage.transport.destroy(reason);
    await Promise.allSettled(underWay);
  };
  const bodiesMax = (project: string | undefined): number =>
    stages.of(project).gate.isProven ? Number.POSITIVE_INFINITY : 1;
  return { ship, stop, bodiesMax, counters: stage.counters };
}

/** Waits and ages must not jump when the machine's clock is set. */
function nowMs(): number {
  return performance.now();
}

async function createStage(parts: Parts): Promise<Stage> {
  const { options, limits, log } = parts;
  const { resolve } = options;
  const counters = createCounters();
  const lookup = new CachedLookup({ limits, nowMs, ...(resolve !== undefined && { resolve }) });
  const shared = { limits, nowMs, random: Math.random };
  const credentials = createCredentials({
    ...options,
    ...shared,
    credentialsFile: options.credentialsFile,
    metadataHost: options.metadataHost ?? '169.254.169.254',
  });
  const transport = await openTransport({ ...options, ...shared, lookup });
  return {
    gate: createGate(parts, options.endpoint.host),
    transport,
    credentials,
    counters,
    witness: new Witness(limits, nowMs),
    suspects: new Suspects(limits.shipSuspectMs, nowMs),
    parkedBodies: new ParkedBodies(limits.shipParkedBytesMax),
    gzip: options.gzip,
    headers: requestHeaders(options),
    deadLetter: createDeadLetters(parts, counters),
    noteFailures: (count) => {
      counters.consecutiveFailures = count;
    },
    onFailure: (failure: Failure) => {
      counters.lastError = { code: failure.code, text: failure.text, timeMs: Date.now() };
      if (!failure.renew) return;
      transport.renew();
      lookup.expire();
    },
    onKept: ({ code, text }: Failure, bytes: number) => {
      log.warn(code, `an entry of ${bytes} bytes is kept and sent again: ${text}`);
    },
    now: Date.now,
    nowMs,
    limits,
    refusalStreak: 0,
  };
}

/** What the parts of the stage are made from. */
type Parts = {
  readonly options: ShipOptions;
  readonly limits: ShipLimits;
  readonly log: Log;
};

/** `where` is for the log. */
function createGate({ options, limits, log }: Parts, where: string): Gate {
  return new Gate({
    concurrency: options.connections,
    limits,
    nowMs,
    random: Math.random,
    onFailing: (failure) => {
      const level = failure.code === 'SHIP_THROTTLED' ? 'warn' : 'error';
      log[level](failure.code, `sending to ${where} fails, trying on: ${failure.text}`);
    },
    onRecovered: (code, outageMs) => {
      const seconds = Math.round(outageMs / 1_000);
      log.info(code, `sending to ${where} recovered after ${seconds} s`);
    },
  });
}

function createDeadLetters(
  { options, limits, log }: Parts,
  counters: ShipCounters,
): Stage['deadLetter'] {
  const file = new DeadLetterFile({
    stateDir: options.stateDir,
    bytesMax: limits.shipDeadLetterBytesMax,
    now: Date.now,
    givenUp: counters.givenUp,
  });
  let reportedAtMs = -Infinity;
  let unreportedCount = 0;
  return (reason: RefusalReason, letters: readonly DeadLetter[]) => {
    const counts = file.append(letters);
    add(counters.deadLetteredByReason, reason, letters.length);
    counters.deadLettersUnwritten += counts.unwritten;
    counters.deadLettersDropped += counts.dropped;
    unreportedCount += letters.length;
    if (counts.error !== undefined) {
      const text = `dead-letter.ndjson cannot be written: ${counts.error.message}`;
      log.error('STATE_UNWRITABLE', text);
    }
    if (performance.now() - reportedAtMs < limits.shipDeadLetterLogMs) return;
    const noun = unreportedCount === 1 ? 'entry was' : 'entries were';
    const last = (letters.at(-1)?.reason ?? '').slice(0, 300);
    const text = `${unreportedCount} ${noun} refused and dead-lettered; the last: ${last}`;
    log.warn('SHIP_REJECTED', text);
    reportedAtMs = performance.now();
    unreportedCount = 0;
  };
}
