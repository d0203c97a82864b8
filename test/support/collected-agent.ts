// Runs an agent whose memory can be asked for without its garbage.

import fs from 'node:fs';
import path from 'node:path';
import { until } from './agent-process.ts';

/** The words that `AgentOptions.under` needs. */
export function underMemoryProbe(directory: string, { snapshots = false } = {}): string[] {
  // A URL, since NODE_OPTIONS ends a path at its first space.
  const preload = new URL('memory-probe.ts', import.meta.url).href;
  const variables = [`MEMORY_PROBE_FILE=${fileOf(directory)}`, `NODE_OPTIONS=--import=${preload}`];
  return ['env', ...variables, ...(snapshots ? ['MEMORY_PROBE_SNAPSHOT=1'] : [])];
}

/** Resolves to the number of the round when each thread has collected its garbage. */
export async function collectGarbage(pid: number, directory: string): Promise<number> {
  const file = fileOf(directory);
  const read = () => (fs.existsSync(file) ? Number(fs.readFileSync(file, 'utf8')) : 0);
  const before = read();
  process.kill(pid, 'SIGUSR2');
  await until('the garbage is collected', () => read() > before);
  return read();
}

/** How many objects there are of each kind, by what a heap snapshot calls them. */
export function countObjects(directory: string, round: number): Map<string, number> {
  const file = `${fileOf(directory)}.${round}.heapsnapshot`;
  const { snapshot, nodes, strings } = JSON.parse(fs.readFileSync(file, 'utf8')) as Snapshot;
  const { node_fields: fields, node_types: types } = snapshot.meta;
  const [typeAt, nameAt] = [fields.indexOf('type'), fields.indexOf('name')];
  const counts = new Map<string, number>();
  for (let at = 0; at < nodes.length; at += fields.length) {
    const type = String(types[typeAt]?.[nodes[at + typeAt] ?? -1]);
    // The name of anything else is its content.
    const kind = type === 'object' ? String(strings[nodes[at + nameAt] ?? -1]) : `(${type})`;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  fs.rmSync(file);
  return counts;
}

type Snapshot = {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[];
      readonly node_types: readonly (string | readonly string[])[];
    };
  };
  readonly nodes: readonly number[];
  readonly strings: readonly string[];
};

const fileOf = (directory: string) => path.join(directory, 'memory-probe');
