// What discovery reports of the links in the containers directory, and what it counts.

import type { NodeFile } from '../../node-file.ts';
import type { ContainerName } from '../container-name.ts';

/** One container's log as its link shows it. */
export type ContainerLog = {
  /** E.g. /var/log/containers/x.log. */
  readonly linkPath: string;
  /** Real path of the directory of the log files. */
  readonly directory: string;
  /**
   * Name of the live file in that directory, e.g. `0.log`; in a rotation's gap it does not exist.
   */
  readonly fileName: string;
  readonly format: 'cri' | 'docker' | 'raw';
  /**
   * undefined: neither link nor target names a container; ships as k8s_node with the path as a
   * label.
   */
  readonly name: ContainerName | undefined;
  /** It is a log of the node itself. */
  readonly nodeFile?: NodeFile;
};

/** Called from within a scan; they must not call `scan` themselves. */
export type LinkEvents = {
  added(log: ContainerLog): void;
  removed(log: ContainerLog): void;
  /** Once per link and reason, though the link is tried again at every scan. */
  refused(linkPath: string, reason: string): void;
  /** A link came and went, with what it led to, before anybody looked: its log was never read. */
  missed?(linkPath: string): void;
  /** Links are not read because there are too many; once for each pod until it has fewer. */
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
  /** Links that led nowhere at the last listing and are not remembered: there are too many. */
  overLimit: number;
};
