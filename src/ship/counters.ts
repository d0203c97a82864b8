// What the ship stage counts, for /metrics, the status page and the summary of --once.

import type { ErrorCode } from '../errors.ts';
import type { RefusalReason } from './answer.ts';
import type { GivenUpEntries } from './given-up-entries.ts';

/** Totals since the start. Times are epoch milliseconds. */
export type ShipCounters = {
  /** Requests by HTTP status, or by ErrorCode when no answer came. */
  readonly requestsByCode: Record<string, number>;
  requests: number;
  /** Requests with entries that had been sent before. */
  retries: number;
  /** Bytes of request bodies as they were sent: after gzip, without headers. */
  wireBytes: number;
  acceptedEntries: number;
  /** Entries that the API refused for good, by reason. */
  readonly deadLetteredByReason: Partial<Record<RefusalReason, number>>;
  /** Those of them that could not be written to the disk either. */
  deadLettersUnwritten: number;
  /** Old dead letters that made room for new ones. */
  deadLettersDropped: number;
  /** The last two counts by container. */
  readonly givenUp: GivenUpEntries;
  /** Requests under way. */
  inFlight: number;
  lastSuccessMs: number | undefined;
  /** 0 while the endpoint is healthy. */
  consecutiveFailures: number;
  /** The same for other projects than the node's, while they fail. */
  readonly failuresByProject: Record<string, number>;
  lastError:
    | { readonly code: ErrorCode; readonly text: string; readonly timeMs: number }
    | undefined;
};

export function createCounters(): ShipCounters {
  return {
    requestsByCode: {},
    requests: 0,
    retries: 0,
    wireBytes: 0,
    acceptedEntries: 0,
    deadLetteredByReason: {},
    deadLettersUnwritten: 0,
    deadLettersDropped: 0,
    givenUp: { dead_letter_unwritten: new Map(), dead_letter_evicted: new Map() },
    inFlight: 0,
    lastSuccessMs: undefined,
    consecutiveFailures: 0,
    failuresByProject: {},
    lastError: undefined,
  };
}

/** Adds to one of the small maps. */
export function add<K extends string>(
  counts: Partial<Record<K, number>>,
  key: K,
  count: number,
): void {
  counts[key] = (counts[key] ?? 0) + count;
}
