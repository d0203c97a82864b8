// What the benchmark knows of an agent: how to find it, configure it and start it. One adapter a
// file in this folder; peers.ts lists them. An adapter never measures, so all are measured alike.

import type { Command } from '../measure.ts';

/** What a peer is asked to do. Paths are absolute; `stateDir` is empty and the peer's own. */
export type PeerTask = {
  readonly containersDir: string;
  readonly logRoot: string;
  readonly files: readonly string[];
  readonly stateDir: string;
  readonly endpoint: string;
  /** Follow the files until SIGTERM; otherwise ship what is there and, if it can, exit. */
  readonly follow: boolean;
  /** Lines to send; fewer than the files hold only for a peer with `lineShare`. */
  readonly lineCount: number;
};

export type Peer = {
  readonly name: string;
  /** What it is and how it is set up, for the record. */
  readonly title: string;
  /** The version that is installed here, or undefined. */
  find(): string | undefined;
  readonly installHint: string;
  /** Ends by itself when all is sent; else it is stopped when the sink has every line. */
  readonly endsItself: boolean;
  /** Can follow growing files, so that the live and idle scenarios can run it. */
  readonly canFollow: boolean;
  /** Part of the corpus it is given, because all of it would take too long; 1 is everything. */
  readonly lineShare: number;
  /** Text of its configuration file, which is written to `stateDir`/config; undefined: none. */
  configText(task: PeerTask): string | undefined;
  command(task: PeerTask, configFile: string | undefined): Command;
};
