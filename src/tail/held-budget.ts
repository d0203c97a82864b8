// Limits what is held in deleted files: an open descriptor keeps a deleted file's blocks on the
// disk, so holding all of them during a long outage would fill the node.
//
// Invariant: beyond the budget the oldest files are given up first, and counted as lost.

import type { Chain } from './chain.ts';
import type { LogFile } from './log-file.ts';

export type HeldBudget = {
  readonly bytesMax: number;
  /** From the look that found a file deleted. */
  readonly ageMaxMs: number;
};

type Held = { readonly chain: Chain; readonly file: LogFile; readonly sinceMs: number };

/** Gives deleted files up until the rest is within the budget. */
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
    // A file that a task reads is given up at the next look, and no younger one in its place.
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
