// The ship stage: takes ready request bodies and answers when nothing of them needs sending any
// more. Created and stopped by the agent; everything about one batch is in delivery.ts.
//
// Invariant: ship() resolves only when every entry of the batch was accepted or dead-lettered, and
// nothing retryable is ever dropped.

import { readFileSync } from 'node:fs';
import { getCACertificates } from 'node:tls';
import type { Dispatcher } from 'undici';
import { limits as defaults } from '../config.ts';
import type { ErrorCode } from '../errors.ts';
import { AgentError } from '../errors.ts';
import { version } from '../version.ts';
import type { Failure, RefusalReason } from './answer.ts';
import type { ShipCounters } from './counters.ts';
import { add, createCounters } from './counters.ts';
import { createCredentials } from './credentials.ts';
import type { DeadLetter } from './dead-letter.ts';
import { DeadLetterFile } from './dead-letter.ts';
import type { Batch } from './delivery.ts';
import { deliver } from './delivery.ts';
import type { DispatcherOptions } from './direct-dispatcher.ts';
import { openDirect } from './direct-dispatcher.ts';
import { Gate } from './gate.ts';
import { CachedLookup } from './lookup.ts';
import type { Resolve } from './lookup.ts';
import type { ShipOutcome, Stage } from './sending.ts';
import { Transport } from './transport.ts';

export type { ShipCounters } from './counters.ts';
export type { ShipOutcome } from './sending.ts';

/** The limits of config.ts that this stage obeys; tests shorten them. */
export type ShipLimits = {
  readonly [Name in keyof typeof defaults as Name extends `ship${string}` ? Name : never]: number;
};

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
  /** Told of changes of state only, never of a single request. */
  readonly log: (level: 'info' | 'warn' | 'error', code: ErrorCode, text: string) => void;
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
  readonly counters: ShipCounters;
};

/**
 * Opens no connection yet. Rejects with CONFIG_INVALID (caFile) or CREDENTIALS_MISSING
 * (credentialsFile).
 */
export async function createShipper(options: ShipOptions, hooks: ShipHooks): Promise<Shipper> {
  const stage = await createStage(options, hooks);
  const underWay = new Set<Promise<unknown>>();
  let order = 0;
  const ship = async (batch: Batch): Promise<ShipOutcome> => {
    order += 1;
    const delivery = deliver(batch, order, stage);
    underWay.add(delivery);
    try {
      return await delivery;
    } finally {
      underWay.delete(delivery);
    }
  };
  const stop = async (graceMs: number): Promise<void> => {
    const reason = new AgentError('SHIP_STOPPED', 'the agent is stopping');
    stage.gate.stop(reason);
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
  return { ship, stop, counters: stage.counters };
}

/** Waits and ages must not jump when the machine's clock is set. */
function clock(): number {
  return performance.now();
}

async function createStage(options: ShipOptions, hooks: ShipHooks): Promise<Stage> {
  const limits: ShipLimits = { ...defaults, ...options.limits };
  const parts: Parts = { options, limits, hooks, now: hooks.now ?? Date.now };
  const random = hooks.random ?? Math.random;
  const counters = createCounters();
  const lookup = createLookup(parts);
  const transport = await createTransport(parts, lookup, random);
  return {
    gate: createGate(parts, random),
    transport,
    credentials: createCredentials({
      endpoint: options.endpoint,
      credentialsFile: options.credentialsFile,
      proxy: options.proxy,
      metadataHost: options.metadataHost ?? '169.254.169.254',
      deadlineMs: limits.shipTokenMs,
      backoffBaseMs: limits.shipBackoffBaseMs,
      backoffMaxMs: limits.shipBackoffMaxMs,
      clock,
      random,
    }),
    counters,
    gzip: options.gzip,
    headers: headersFor(options),
    bury: createBury(parts, counters),
    onFailure: (failure: Failure) => {
      counters.lastError = { code: failure.code, text: failure.text, timeMs: parts.now() };
      if (!failure.renew) return;
      transport.renew();
      lookup.expire();
    },
    now: parts.now,
    clock,
    limits: {
      slowBackoffMaxMs: limits.shipSlowBackoffMaxMs,
      deniedAttemptsMax: limits.shipDeniedAttemptsMax,
      oddAnswersMax: limits.shipOddAnswersMax,
      refusalStreakMax: limits.shipRefusalStreakMax,
      refusalPaceMs: limits.shipRefusalPaceMs,
    },
    refusalStreak: 0,
  };
}

/** What the parts of the stage are made from. */
type Parts = {
  readonly options: ShipOptions;
  readonly limits: ShipLimits;
  readonly hooks: ShipHooks;
  readonly now: () => number;
};

function createLookup({ options, limits }: Parts): CachedLookup {
  return new CachedLookup({
    ttlMs: limits.shipDnsTtlMs,
    slowMs: limits.shipDnsSlowMs,
    deadlineMs: limits.shipConnectMs,
    clock,
    ...(options.resolve === undefined ? {} : { resolve: options.resolve }),
  });
}

async function createTransport(
  { options, limits }: Parts,
  lookup: CachedLookup,
  random: () => number,
): Promise<Transport> {
  const { endpoint, proxy, caFile } = options;
  const dispatcherOptions: DispatcherOptions = {
    connections: options.connections,
    ca: caFile === undefined ? undefined : readCertificates(caFile),
    lookup: lookup.lookup,
    connectMs: limits.shipConnectMs,
    headersMs: limits.shipHeadersMs,
    bodyMs: limits.shipBodyMs,
    idleMs: limits.shipIdleMs,
  };
  let open = (): Dispatcher => openDirect(endpoint, dispatcherOptions);
  if (proxy !== undefined) {
    const { openProxied } = await import('./proxied-dispatcher.ts');
    open = () => openProxied(proxy, dispatcherOptions);
  }
  return new Transport({
    endpoint,
    open,
    requestMs: limits.shipRequestMs,
    connectionAgeMs: limits.shipConnectionAgeMs,
    answerBytesMax: limits.shipAnswerBytesMax,
    clock,
    random,
  });
}

function createGate({ options, limits, hooks }: Parts, random: () => number): Gate {
  return new Gate({
    concurrency: options.connections,
    backoffBaseMs: limits.shipBackoffBaseMs,
    backoffMaxMs: limits.shipBackoffMaxMs,
    slowBackoffMaxMs: limits.shipSlowBackoffMaxMs,
    retryAfterMaxMs: limits.shipRetryAfterMaxMs,
    rateStep: limits.shipRateStep,
    clock,
    random,
    onFailing: (failure) => {
      const level = failure.code === 'SHIP_THROTTLED' ? 'warn' : 'error';
      hooks.log(
        level,
        failure.code,
        `sending to ${options.endpoint.host} fails, trying on: ${failure.text}`,
      );
    },
    onRecovered: (code, outageMs) => {
      hooks.log(
        'info',
        code,
        `sending to ${options.endpoint.host} recovered after ${Math.round(outageMs / 1_000)} s`,
      );
    },
  });
}

/** The headers of a request; made once per token. */
function headersFor(options: ShipOptions): Stage['headers'] {
  const common = {
    'content-type': 'application/json',
    'user-agent': `tailship/${version}`,
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

function createBury({ options, limits, hooks, now }: Parts, counters: ShipCounters): Stage['bury'] {
  const file = new DeadLetterFile({
    stateDir: options.stateDir,
    bytesMax: limits.shipDeadLetterBytesMax,
    now,
  });
  let toldAtMs = -Infinity;
  let untoldCount = 0;
  return (reason: RefusalReason, letters: readonly DeadLetter[]) => {
    const counts = file.bury(letters);
    add(counters.deadLetteredByReason, reason, letters.length);
    counters.deadLettersUnwritten += counts.unwritten;
    counters.deadLettersDropped += counts.dropped;
    untoldCount += letters.length;
    if (performance.now() - toldAtMs < limits.shipDeadLetterLogMs) return;
    const said = `${untoldCount} entries were refused and dead-lettered; the last: ${(letters.at(-1)?.reason ?? '').slice(0, 300)}`;
    hooks.log('warn', 'SHIP_REJECTED', said);
    if (counts.error !== undefined) {
      hooks.log(
        'error',
        'STATE_UNWRITABLE',
        `dead-letter.ndjson cannot be written: ${counts.error.message}`,
      );
    }
    toldAtMs = performance.now();
    untoldCount = 0;
  };
}

/** Node's own certificates and the ones in the file: a list given to TLS replaces Node's. */
function readCertificates(file: string): string[] {
  try {
    return [...getCACertificates('default'), readFileSync(file, 'utf8')];
  } catch (error) {
    const text = `the CA file ${file} cannot be read: ${(error as Error).message}`;
    throw new AgentError('CONFIG_INVALID', text, { cause: error });
  }
}
