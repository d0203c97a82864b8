// Where the files of one container's log lie, and whose they are.

import type { LineFormat } from '../encode/drain-task.ts';

/** What discovery knows of a container: as much of it as its chain needs. */
export type LogLocation = {
  readonly directory: string;
  readonly liveName: string;
  readonly format: LineFormat;
  readonly podUid: string;
  readonly container: string;
  /** For files whose names do not contain it. */
  readonly restartCount: number;
};
