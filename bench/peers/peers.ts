// Every peer the benchmark knows, in the order of the tables. The scenarios pick from here.

import { curl } from './curl.ts';
import { naive } from './naive.ts';
import type { Peer } from './peer.ts';
import { tailship } from './tailship.ts';

const peers: readonly Peer[] = [tailship, curl, naive];

/** The named peers that are installed; says on stderr which are left out, and how to get them. */
export function pickPeers(names: readonly string[] | undefined): Peer[] {
  const unknown = names?.filter((name) => !peers.some((peer) => peer.name === name)) ?? [];
  if (unknown.length > 0) throw new Error(`no peer is called ${unknown.join(', ')}`);
  return peers.filter((peer) => {
    if (names !== undefined && !names.includes(peer.name)) return false;
    if (peer.find() !== undefined) return true;
    console.error(`${peer.name} is left out, it is not installed: ${peer.installHint}`);
    return false;
  });
}
