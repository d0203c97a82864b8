// Says how the agent catches up after a downtime: how much is left, how fast it goes, when it is
// done.

import { MiB } from '../byte-units.ts';
import { createProgress, type ProgressSink } from '../progress.ts';
import { bytesText } from '../number-text.ts';

/** Less than this is shipped before anybody could read about it. */
const worthTellingBytes = 32 * MiB;
/** So little is left at any time on a node that logs. */
const caughtUpBytes = MiB;

/** Bytes since the start, and bytes that are not acknowledged. */
export type CatchUpFigures = { readonly doneBytes: number; readonly leftBytes: number };

/**
 * Returns what is to be called at each tick with a reader of the figures, which it stops reading
 * when there is nothing more to tell.
 */
export function createCatchUp(sink: ProgressSink): (read: () => CatchUpFigures) => void {
  let progress: ReturnType<typeof createProgress> | undefined;
  let isOver = false;
  return (read) => {
    if (isOver) return;
    const { doneBytes, leftBytes } = read();
    if (progress === undefined && leftBytes < worthTellingBytes) {
      isOver = true; // Only what is there at the start is a downtime's.
      return;
    }
    if (progress === undefined) {
      sink.writeLine(`catching up: ${bytesText(leftBytes)} were written while no agent ran`);
      progress = createProgress({ ...sink, name: 'catching up' });
    }
    progress.update(doneBytes, leftBytes);
    if (leftBytes > caughtUpBytes) return;
    isOver = true;
    progress.end();
    sink.writeLine(`caught up: ${bytesText(doneBytes)} shipped`);
  };
}
