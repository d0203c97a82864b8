// A loss as users see it: when, whose, how much, and why.

import type { ContainerNames } from './container-names.ts';
import type { LossReason } from './tail-setup.ts';

export type LossCause =
  | LossReason
  | 'missed'
  | 'refused'
  | 'too_large'
  | 'denied'
  | 'dead_letter_unwritten'
  | 'dead_letter_evicted';

export type LossEvent = {
  /** Milliseconds since the epoch, of its beginning and end. */
  readonly atMs: number;
  readonly lastAtMs: number;
  /** undefined: the container is unknown. */
  readonly names: ContainerNames | undefined;
  readonly cause: LossCause;
  /** Of log files; 0 where entries are counted. */
  readonly bytes: number;
  readonly entries: number;
};

/** For users. */
export const lossWords: Readonly<Record<LossCause, string>> = {
  truncated: 'the file was truncated before it was read',
  deleted: 'the file was deleted before it could be read',
  not_unpacked: 'the compressed file is damaged',
  held_bytes: 'more was waiting in deleted files than --held-bytes-max allows',
  held_age: 'it waited in a deleted file for longer than --held-age-max-ms allows',
  damaged: 'the copy of a deleted file is damaged',
  missed: 'the log came and went before it could be read',
  refused: 'Cloud Logging refused it; kept as a dead letter',
  too_large: 'too large for Cloud Logging; kept as a dead letter',
  denied: 'Cloud Logging gave no permission to write it; kept as a dead letter',
  dead_letter_unwritten: 'refused, and given up: the disk had no room for the dead letter',
  dead_letter_evicted: 'refused, and given up: newer dead letters needed the room',
};
