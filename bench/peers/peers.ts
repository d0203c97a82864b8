// Every peer the benchmark knows, in the order of the tables.

import { curl } from './curl.ts';
import {
  fluentBit,
  fluentBitForward,
  fluentBitLean,
  fluentBitRelayed,
  fluentBitTuned,
} from './fluent-bit.ts';
import { fluentd, fluentdTuned } from './fluentd.ts';
import { fluentdGke, fluentdGkeTuned } from './fluentd-gke.ts';
import { naive } from './naive.ts';
import { otelcol } from './otelcol.ts';
import type { Peer } from './peer.ts';
import { promtail } from './promtail.ts';
import { rsyslog, rsyslogTuned } from './rsyslog.ts';
import { syslogNg, syslogNgTuned } from './syslog-ng.ts';
import { tailship, tailshipBase } from './tailship.ts';
import { vector } from './vector.ts';

export const peers: readonly Peer[] = [
  tailship,
  tailshipBase,
  curl,
  rsyslogTuned,
  rsyslog,
  fluentBitLean,
  fluentBitTuned,
  fluentBit,
  fluentBitForward,
  fluentBitRelayed,
  promtail,
  vector,
  otelcol,
  syslogNgTuned,
  syslogNg,
  fluentdTuned,
  fluentd,
  fluentdGkeTuned,
  fluentdGke,
  naive,
];

/** A peer that is on this machine. */
export type FoundPeer = Peer & { readonly version: string };

/** The named peers, or all: those that are installed, and those that are not. */
export function pickPeers(names: readonly string[] | undefined): {
  readonly found: FoundPeer[];
  readonly missing: Peer[];
} {
  const unknown = names?.filter((name) => !peers.some((peer) => peer.name === name)) ?? [];
  if (unknown.length > 0) {
    const known = peers.map((peer) => peer.name).join(', ');
    throw new Error(`no peer is called ${unknown.join(', ')}; there are ${known}`);
  }
  const found: FoundPeer[] = [];
  const missing: Peer[] = [];
  for (const peer of peers) {
    if (names !== undefined && !names.includes(peer.name)) continue;
    const version = peer.find();
    if (version === undefined) missing.push(peer);
    else found.push({ ...peer, version });
  }
  return { found, missing };
}
