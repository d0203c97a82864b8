// Reports how the agent catches up after a downtime: how much is left, how fast it goes, when it is
// done.

import { MiB } from '../byte-units.ts';
import { createProgress, type ProgressSink } from '../progress.ts';
import { bytesText } from '../number-text.ts';

/** Less than this is shipped before anybody could read the report. */
const worthTellingBytes = 32 * MiB;
/** A node that logs always has this little left. */
const caughtUpBytes = MiB;

/** Bytes since the start, and bytes that are not acknowledged. */
export type CatchUpFigures = { readonly doneBytes: number; readonly leftBytes: number };

/** Call the result at each tick; it stops reading the figures when there is nothing to report. */
export function createCatchUp(sink: ProgressSink): (read: () => CatchUpFigures) => void {
  let progress: ReturnType<typeof createProgress> | undefined;
  let isOver = false;
  return (read) => {
    if (isOver) return;
    const { doneBytes, leftBytes } = read();
    if (progress === undefined && leftBytes < worthTellingBytes) {
      isOver = true; // Only what is there at the start comes from a downtime.
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
