// The limits of the ship stage, which gets them as a whole; tests shorten some of them.

import { KiB, MiB } from './byte-units.ts';

/** Sizes in bytes, times in milliseconds. */
export const shipLimits = {
  /** Back-off has full jitter: anything up to base · 2^(failures-1), at most the maximum. */
  shipBackoffBaseMs: 500,
  shipBackoffMaxMs: 30_000,
  /** The maximum where someone must change something first: rights, project, endpoint. */
  shipSlowBackoffMaxMs: 60_000,
  /** A longer Retry-After is taken as this. */
  shipRetryAfterMaxMs: 600_000,
  /** Requests per second that each success gives back after a 429 (additive increase). */
  shipRateStep: 0.5,
  /** The API's own deadline is 60 s; from the hand-over to the end of the answer. */
  shipRequestMs: 60_000,
  /** Name lookup, TCP and TLS together. */
  shipConnectMs: 10_000,
  shipHeadersMs: 45_000,
  /** Between two pieces of an answer. */
  shipBodyMs: 10_000,
  /** An idle connection is closed after this, before a front end or a NAT forgets it. */
  shipIdleMs: 60_000,
  /** Connections are replaced at 80 to 100 % of this age, so that load follows the front ends. */
  shipConnectionAgeMs: 300_000,
  shipDnsTtlMs: 60_000,
  /** Past this, the addresses known from before are used. */
  shipDnsSlowMs: 2_000,
  shipTokenMs: 5_000,
  /** From the beginning of an answer's body to its end. */
  shipAnswerMs: 15_000,
  /** The connection of a longer answer is closed; a batch of 20,000 refused entries fits. */
  shipAnswerBytesMax: 4 * MiB,
  /** The same for an answer that is no JSON, and so not the API's. */
  shipForeignBytesMax: 64 * KiB,
  /** dead-letter.ndjson; one older file of the same size is kept beside it. */
  shipDeadLetterBytesMax: 16 * MiB,
  /** At most one line of log about dead letters in this time. */
  shipDeadLetterLogMs: 60_000,
  /**
   * An entry denied (PERMISSION_DENIED) while others of its request are accepted is given up after
   * this many times.
   */
  shipDeniedAttemptsMax: 7,
  /** 400s without the API's JSON before the body itself is suspected. */
  shipOddAnswersMax: 4,
  /** Entries of a batch refused one by one, none accepted between, before each next goes alone. */
  shipRefusedInRowMax: 8,
  /** A container's entries go in requests of their own this long after one was refused. */
  shipSuspectMs: 60_000,
  /** Copies of what is left of bodies that were not taken whole, all together. */
  shipParkedBytesMax: 8 * MiB,
  /** The accepted entry that is sent beside refused ones, and how long it serves. */
  shipWitnessBytesMax: 4 * KiB,
  shipWitnessMs: 600_000,
  /** Entries refused one by one, none accepted between, before refusals are slowed down. */
  shipRefusalStreakMax: 256,
  /** The slowest pace of refusals then. */
  shipRefusalPaceMs: 1_000,
  /** --output writes lines of so many bytes at a time, or one that is longer. */
  shipOutputBytes: 512 * KiB,
} as const;

export type ShipLimits = { readonly [Name in keyof typeof shipLimits]: number };
