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

/** Whether a file in `directory` is one of this log's. */
export function isLogOf(
  location: LogLocation,
  directory: string,
  { podUid, container }: Pick<LogLocation, 'podUid' | 'container'>,
): boolean {
  return (
    location.directory === directory &&
    location.podUid === podUid &&
    location.container === container
  );
}
