// What the benchmark knows of an agent: how to find it, configure it and start it. An adapter never
// measures, so all are measured alike.

import { execFileSync } from 'node:child_process';
import type { CorpusKind } from '../corpus.ts';
import type { Command } from '../measure.ts';

/** What a peer is asked to do. Paths are absolute; `stateDir` is empty and the peer's own. */
export type PeerTask = {
  readonly containersDir: string;
  readonly logRoot: string;
  readonly files: readonly string[];
  readonly kind: CorpusKind;
  readonly stateDir: string;
  readonly endpoint: string;
  /** The same for gRPC, without TLS. */
  readonly grpcEndpoint: string;
  /** The same for Fluentd's forward protocol, `tcp://host:port`, without TLS. */
  readonly forwardEndpoint: string;
  /** Proves an https endpoint. */
  readonly caFile: string | undefined;
  /** A metadata server, as an http URL, for a peer that must have a token. */
  readonly metadataUrl: string;
  readonly gzip: boolean;
  /** Follow the files until SIGTERM; otherwise ship what is there and, if it can, exit. */
  readonly follow: boolean;
};

/** A file that a peer reads. Some take the format from the end of the name. */
export type ConfigFile = { readonly name: string; readonly text: string };

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
  readonly canGzip: boolean;
  /** Speaks no TLS here, so that the scenario over https leaves it out. */
  readonly isPlainOnly?: true;
  /** Its configuration, written into `stateDir` before it starts. */
  configFiles(task: PeerTask): readonly ConfigFile[];
  command(task: PeerTask): Command;
};

/** What looks like a version in a command's output; undefined without the command. */
export function askVersion(file: string, ...args: readonly string[]): string | undefined {
  try {
    const text = execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    return /\d+\.\d+[\w.+-]*/.exec(text)?.[0];
  } catch {
    return undefined; // It is not here, which is what was asked.
  }
}

/** `template` without its first newline and without the margin of its first line. */
export function trimMargin(template: string): string {
  const text = template.replace(/^\n/, '');
  const margin = /^ */.exec(text)?.[0] ?? '';
  return `${text.replaceAll(new RegExp(`^${margin}`, 'gm'), '').trimEnd()}\n`;
}
