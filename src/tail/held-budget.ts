// Bounds what is held in deleted files. A descriptor keeps a deleted file's bytes readable, and its
// blocks on the disk: during a long outage an agent that held all of them would fill the node.
//
// Invariant: beyond the budget the oldest files are closed first, and their unread bytes count as
// lost.

import type { Chain } from './chain.ts';
import type { LogFile } from './log-file.ts';

export type HeldBudget = {
  /** Of all deleted files that are open. */
  readonly bytesMax: number;
  /** From the look that found a file deleted. */
  readonly ageMaxMs: number;
};

type Held = { readonly chain: Chain; readonly file: LogFile; readonly sinceMs: number };

/** Closes deleted files until the rest is within the budget. */
export function fitHeldFiles(
  containers: Iterable<{ readonly chain: Chain }>,
  budget: HeldBudget,
  nowMs: number,
): void {
  const held: Held[] = [];
  let bytes = 0;
  for (const { chain } of containers) {
    for (const file of chain.files) {
      if (file.life.unlinkedAtMs === undefined || !isHeld(file)) continue;
      held.push({ chain, file, sinceMs: file.life.unlinkedAtMs });
      bytes += heldBytesOf(file);
    }
  }
  held.sort((a, b) => a.sinceMs - b.sinceMs);
  for (const { chain, file, sinceMs } of held) {
    const isOld = nowMs - sinceMs > budget.ageMaxMs;
    if (!isOld && bytes <= budget.bytesMax) break;
    // One that a task reads goes at the next look; no younger one is to go in its place.
    bytes -= heldBytesOf(file);
    chain.abandon(file, isOld ? 'held_age' : 'held_bytes');
  }
}

/** Open, or copied into the state directory. */
function isHeld({ fd, spool }: LogFile): boolean {
  return fd !== undefined || spool.keptBytes !== undefined;
}

/** Bytes of the disk that a deleted file takes. */
export function heldBytesOf(file: LogFile): number {
  if (!file.unlinked || !isHeld(file)) return 0;
  return file.spool.keptBytes ?? file.size;
}
