// Timestamps and insertIds for entries that come without: each sorts after all that were given
// before.
//
// The API promises this order only within a request; here it also holds between requests of one
// process.

import type { Instant } from '../protocol/timestamp.ts';
import { compareInstants, instantNow } from '../protocol/timestamp.ts';
import type { EntryClock } from './write-request.ts';

/** Ids of the real API are 16 digits and lower-case letters. */
const insertIdLength = 16;

export function createEntryClock(): EntryClock {
  let last: Instant = { seconds: 0, nanos: 0 };
  let sequence = BigInt(Math.floor(performance.timeOrigin)) * 1_000_000_000n;
  return {
    timestamp() {
      const now = instantNow();
      const { seconds, nanos } = last;
      const next =
        nanos === 999_999_999 ? { seconds: seconds + 1, nanos: 0 } : { seconds, nanos: nanos + 1 };
      last = compareInstants(now, next) > 0 ? now : next;
      return last;
    },
    insertId() {
      sequence += 1n;
      return sequence.toString(36).padStart(insertIdLength, '0');
    },
  };
}
