// Records refused entries that were not kept as dead letters as losses; the shipper only counts
// them.

import type { Log } from '../log.ts';
import type { ShipCounters } from '../ship/counters.ts';
import { givenUpCauses } from '../ship/given-up-entries.ts';
import type { ContainerNames } from '../tail/container-names.ts';
import { type LossLedger, lossWords } from '../tail/loss-ledger.ts';

type GivenUp = Pick<ShipCounters, 'givenUp'>;

/** Call the result every few seconds. */
export function createGivenUp(losses: LossLedger, log: Log): (counters: GivenUp) => void {
  const seen = { dead_letter_unwritten: new Map<string, number>(), dead_letter_evicted: new Map() };
  return ({ givenUp }) => {
    for (const cause of givenUpCauses) {
      for (const [container, sum] of givenUp[cause]) {
        const entries = sum - (seen[cause].get(container) ?? 0);
        if (entries <= 0) continue;
        seen[cause].set(container, sum);
        losses.note(cause, namesOf(container), { bytes: 0, entries });
        const noun = entries === 1 ? 'entry' : 'entries';
        const whose = container === '' ? '' : ` of ${container}`;
        log.error('LINES_LOST', `${entries} ${noun}${whose}: ${lossWords[cause]}`);
      }
    }
  };
}

/** Those whose container is known. */
export function droppedByContainer({
  givenUp,
}: GivenUp): (ContainerNames & { readonly entriesByReason: Record<string, number> })[] {
  return givenUpCauses.flatMap((cause) =>
    Array.from(givenUp[cause], ([container, entries]) => {
      const names = namesOf(container);
      return names && { ...names, entriesByReason: { [cause]: entries } };
    }).filter((each) => each !== undefined),
  );
}

function namesOf(text: string): ContainerNames | undefined {
  const [namespace = '', pod = '', container = ''] = text.split('/');
  return text === '' ? undefined : { namespace, pod, container };
}
