// Notes as losses the refused entries that were not kept either. The shipper only counts them.

import type { Log } from '../log.ts';
import type { ShipCounters } from '../ship/counters.ts';
import { lossWords } from '../tail/loss-event.ts';
import type { LossLedger } from '../tail/loss-ledger.ts';

type GivenUp = Pick<ShipCounters, 'deadLettersUnwritten' | 'deadLettersDropped'>;

/** Returns what is to be called each few seconds. */
export function createGivenUp(losses: LossLedger, log: Log): (counters: GivenUp) => void {
  const seen = { dead_letter_unwritten: 0, dead_letter_evicted: 0 };
  return ({ deadLettersUnwritten, deadLettersDropped }) => {
    const now = {
      dead_letter_unwritten: deadLettersUnwritten,
      dead_letter_evicted: deadLettersDropped,
    };
    for (const cause of ['dead_letter_unwritten', 'dead_letter_evicted'] as const) {
      const entries = now[cause] - seen[cause];
      if (entries <= 0) continue;
      seen[cause] = now[cause];
      losses.note(cause, undefined, { bytes: 0, entries });
      const noun = entries === 1 ? 'entry' : 'entries';
      log.error('LINES_LOST', `${entries} ${noun}: ${lossWords[cause]}`);
    }
  };
}
