// What discovery reports of the links in the containers directory, and what it counts.

import type { ContainerLog } from '../container-name.ts';

/** Called from within a scan; they must not call `scan`. */
export type LinkEvents = {
  added(log: ContainerLog): void;
  removed(log: ContainerLog): void;
  /** Once per link and reason. */
  refused(linkPath: string, reason: string): void;
  /** A link came and went unseen: its log was never read. */
  missed?(linkPath: string): void;
  /** A pod has too many logs; reported once until it has fewer. */
  crowded?(podDirectory: string): void;
};

export type LinkCounters = {
  scans: number;
  /** Scans that had to list the directory. */
  listings: number;
  /** Scans that could not look into the directory. */
  scanErrors: number;
  refused: number;
  /** Links that came and went unread. */
  missed: number;
  /** Links that led nowhere at the last listing, and are too many to remember. */
  overLimit: number;
};
