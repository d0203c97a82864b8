// The ship stage: takes ready request bodies and answers when nothing of them needs sending any
// more. Everything about one batch is in delivery.ts.
//
// Invariant: ship() resolves only when every entry of the batch was accepted or dead-lettered, and
// nothing retryable is ever dropped.

import { limits as defaults } from '../config.ts';
import type { Log } from '../log.ts';
import { AgentError } from '../errors.ts';
import { version } from '../version.ts';
import type { Failure, RefusalReason } from './answer.ts';
import type { ShipCounters } from './counters.ts';
import { add, createCounters } from './counters.ts';
import { createCredentials } from './credentials.ts';
import type { DeadLetter } from './dead-letter.ts';
import { DeadLetterFile } from './dead-letter.ts';
import type { Batch } from './batch.ts';
import { deliver } from './delivery.ts';
import { Gate } from './gate.ts';
import { CachedLookup } from './lookup.ts';
import type { Resolve } from './lookup.ts';
import { openTransport } from './open-transport.ts';
import { ParkedBodies } from './parked-bodies.ts';
import type { ShipOutcome, Stage } from './sending.ts';
import { ProjectStages } from './project-stages.ts';
import type { ShipLimits } from './ship-limits.ts';
import { Suspects } from './suspects.ts';
import { Witness } from './witness.ts';

export type { ShipCounters } from './counters.ts';
export type { ShipOutcome } from './sending.ts';

export type { ShipLimits } from './ship-limits.ts';

export type ShipOptions = {
  /**
   * Requests go to `v2/entries:write` below its path. Plain http on a loopback address needs no
   * token.
   */
  readonly endpoint: URL;
  readonly project: string;
  /** Billing and quota project, sent as X-Goog-User-Project. */
  readonly quotaProject?: string | undefined;
  /** Any Application Default Credentials JSON; without it the metadata server is asked. */
  readonly credentialsFile?: string | undefined;
  /** As GCE_METADATA_HOST: host or host:port. */
  readonly metadataHost?: string | undefined;
  /** Tokens may be sent over plain http to other hosts. */
  readonly allowPlainHttp?: boolean | undefined;
  readonly gzip: boolean;
  /** Requests at once, each on its connection. */
  readonly connections: number;
  /** Where dead-letter.ndjson is kept. */
  readonly stateDir: string;
  /** PEM certificates that are trusted beside the usual ones. */
  readonly caFile?: string | undefined;
  /**
   * URL of an HTTP proxy that the endpoint is reached through; NO_PROXY was obeyed by the loader.
   */
  readonly proxy?: string | undefined;
  readonly limits?: Partial<ShipLimits> | undefined;
  /** In place of getaddrinfo, for tests. */
  readonly resolve?: Resolve | undefined;
};

export type ShipHooks = {
  /** Gets changes of state only, never a single request. */
  readonly log: Log;
  /** Epoch milliseconds; Date.now by default. */
  readonly now?: () => number;
  /** `[0, 1)`; Math.random by default. */
  readonly random?: () => number;
};

export type Shipper = {
  /**
   * Sends until every entry is accepted or dead-lettered. The bytes of the body stay valid until it
   * settles. Rejects only after `stop`, with an AgentError SHIP_STOPPED.
   */
  ship(batch: Batch): Promise<ShipOutcome>;
  /**
   * Starts no request any more; what is in flight may end within `graceMs`; then everything
   * rejects.
   */
  stop(graceMs: number): Promise<void>;
  /**
   * How many bodies of a project may be under way while there are others: one, unless the last was
   * accepted.
   */
  bodiesMax(project: string | undefined): number;
  readonly counters: ShipCounters;
};

/**
 * Opens no connection yet. Rejects with CONFIG_INVALID (caFile), CREDENTIALS_MISSING
 * (credentialsFile) or PLAIN_HTTP_REFUSED.
 */
export async function createShipper(options: ShipOptions, hooks: ShipHooks): Promise<Shipper> {
  const stage = await createStage(options, hooks);
  const parts = { options, limits: stage.limits, hooks };
  const { host } = options.endpoint;
  const stages = new ProjectStages(stage, options.project, (project) =>
    createGate(parts, `project ${project} at ${host}`),
  );
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
    let timer: NodeJS.Timeout | undefined;
    const graceOver = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([Promise.allSettled(underWay), graceOver]);
    clearTimeout(timer);
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

async function createStage(options: ShipOptions, hooks: ShipHooks): Promise<Stage> {
  const limits: ShipLimits = { ...defaults, ...options.limits };
  const { now = Date.now, random = Math.random } = hooks;
  const { resolve } = options;
  const counters = createCounters();
  const lookup = new CachedLookup({ limits, nowMs, ...(resolve !== undefined && { resolve }) });
  const credentials = createCredentials({
    ...options,
    credentialsFile: options.credentialsFile,
    metadataHost: options.metadataHost ?? '169.254.169.254',
    limits,
    nowMs,
    random,
  });
  const transport = await openTransport({ ...options, lookup, limits, nowMs, random });
  return {
    gate: createGate({ options, limits, hooks }, options.endpoint.host),
    transport,
    credentials,
    counters,
    witness: new Witness({
      bytesMax: limits.shipWitnessBytesMax,
      ageMaxMs: limits.shipWitnessMs,
      nowMs,
    }),
    suspects: new Suspects(limits.shipSuspectMs, nowMs),
    parkedBodies: new ParkedBodies(limits.shipParkedBytesMax),
    gzip: options.gzip,
    headers: headersFor(options),
    deadLetter: createDeadLetters({ options, limits, hooks }, counters),
    noteFailures: (count) => {
      counters.consecutiveFailures = count;
    },
    onFailure: (failure: Failure) => {
      counters.lastError = { code: failure.code, text: failure.text, timeMs: now() };
      if (!failure.renew) return;
      transport.renew();
      lookup.expire();
    },
    onKept: ({ code, text }: Failure, bytes: number) => {
      hooks.log.warn(code, `an entry of ${bytes} bytes is kept and sent again: ${text}`);
    },
    now,
    nowMs,
    limits,
    refusalStreak: 0,
  };
}

/** What the parts of the stage are made from. */
type Parts = {
  readonly options: ShipOptions;
  readonly limits: ShipLimits;
  readonly hooks: ShipHooks;
};

/** `where` it leads is for the log. */
function createGate({ options, limits, hooks }: Parts, where: string): Gate {
  return new Gate({
    concurrency: options.connections,
    limits,
    nowMs,
    random: hooks.random ?? Math.random,
    onFailing: (failure) => {
      const level = failure.code === 'SHIP_THROTTLED' ? 'warn' : 'error';
      hooks.log[level](failure.code, `sending to ${where} fails, trying on: ${failure.text}`);
    },
    onRecovered: (code, outageMs) => {
      const seconds = Math.round(outageMs / 1_000);
      hooks.log.info(code, `sending to ${where} recovered after ${seconds} s`);
    },
  });
}

/** The headers of a request; made once per token. */
function headersFor(options: ShipOptions): Stage['headers'] {
  const common = {
    'content-type': 'application/json',
    'user-agent': `tailship/${version}`,
    // An answer is compared as it comes; Cloud Logging compresses none that is not asked for.
    'accept-encoding': 'identity',
    ...(options.gzip ? { 'content-encoding': 'gzip' } : {}),
    ...(options.quotaProject === undefined ? {} : { 'x-goog-user-project': options.quotaProject }),
  };
  let lastToken: string | undefined;
  let last: Record<string, string> = common;
  return (token) => {
    if (token !== lastToken) {
      last = token === undefined ? common : { ...common, authorization: `Bearer ${token}` };
      lastToken = token;
    }
    return last;
  };
}

function createDeadLetters(
  { options, limits, hooks }: Parts,
  counters: ShipCounters,
): Stage['deadLetter'] {
  const file = new DeadLetterFile({
    stateDir: options.stateDir,
    bytesMax: limits.shipDeadLetterBytesMax,
    now: hooks.now ?? Date.now,
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
      hooks.log.error(
        'STATE_UNWRITABLE',
        `dead-letter.ndjson cannot be written: ${counts.error.message}`,
      );
    }
    if (performance.now() - reportedAtMs < limits.shipDeadLetterLogMs) return;
    const noun = unreportedCount === 1 ? 'entry was' : 'entries were';
    const last = (letters.at(-1)?.reason ?? '').slice(0, 300);
    const text = `${unreportedCount} ${noun} refused and dead-lettered; the last: ${last}`;
    hooks.log.warn('SHIP_REJECTED', text);
    reportedAtMs = performance.now();
    unreportedCount = 0;
  };
}
