// A memory cgroup of whichever version the machine lets us make one, for agents that must fit.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { until } from './agent-process.ts';

export type MemoryCgroup = {
  /** Before the agent's own command: puts it there. */
  readonly under: readonly string[];
  /** Resolves when all of its processes have ended and it is removed. */
  remove(): Promise<void>;
};

/** Version 1 and version 2: where the limit of a memory cgroup is written. */
const hierarchies = [
  { root: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes' },
  { root: '/sys/fs/cgroup', limit: 'memory.max' },
];

let made = 0;

/** undefined where none can be made: without root, or in a container of its own. */
export function makeMemoryCgroup(bytesMax: number): MemoryCgroup | undefined {
  made += 1;
  for (const { root, limit } of hierarchies) {
    const directory = path.join(root, `tailship-test-${process.pid}-${made}`);
    try {
      fs.mkdirSync(directory);
      fs.writeFileSync(path.join(directory, limit), String(bytesMax));
      const procs = path.join(directory, 'cgroup.procs');
      return {
        under: ['sh', '-c', `echo $$ > ${procs}; exec "$0" "$@"`],
        async remove() {
          await until('the cgroup is empty', () => {
            spawnSync('rmdir', [directory]);
            return !fs.existsSync(procs);
          });
        },
      };
    } catch {
      spawnSync('rmdir', [directory]);
    }
  }
  return undefined;
}
