// The newest losses as page and `top` list them.

import type { LossEventStatus } from '../admin/admin-source.ts';
import { lossWords } from '../tail/loss-event.ts';
import type { LossLedger } from '../tail/loss-ledger.ts';

/** Newest first. */
export function lossStatus({ events }: Pick<LossLedger, 'events'>): LossEventStatus[] {
  return events.toReversed().map(({ atMs, lastAtMs, names, cause, bytes, entries }) => ({
    time: new Date(atMs).toISOString(),
    ...(lastAtMs > atMs && { lastTime: new Date(lastAtMs).toISOString() }),
    ...names,
    reason: cause,
    why: lossWords[cause],
    ...(bytes > 0 && { bytes }),
    ...(entries > 0 && { entries }),
  }));
}
