// Writes a notice into the log of each container that writes faster than its rate limit allows.
//
// Invariant: at most one notice per container in `heldBackNoticeMs`.

import { limits } from '../config.ts';
import type { LossLedger } from './loss-ledger.ts';
import type { TailedContainer } from './tailed-container.ts';

export class HeldBackNotices {
  #dueMs: number | undefined;

  tick(containers: Iterable<TailedContainer>, losses: LossLedger, nowMs: number): void {
    this.#dueMs ??= nowMs + limits.heldBackNoticeMs;
    if (nowMs < this.#dueMs) return;
    this.#dueMs = nowMs + limits.heldBackNoticeMs;
    for (const { chain, rule, template } of containers) {
      const { live, unread } = chain;
      if (rule.bytesPerSecond === undefined || live === undefined) continue;
      if (unread > Math.max(rule.bytesPerSecond, limits.pacedBytesMin)) {
        losses.enterHeldBack(live, unread, template);
      }
    }
  }
}
