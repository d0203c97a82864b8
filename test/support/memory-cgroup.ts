// A memory cgroup of whichever version the machine lets us make one, for agents that must fit.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { until } from './agent-process.ts';

export type MemoryCgroup = {
  /** Before the agent's own command: puts it there. */
  readonly under: readonly string[];
  /** Lowers the limit to what its processes cannot do without: the next page kills one of them. */
  squeeze(): void;
  /** How often the kernel has killed one of them for want of memory. */
  oomKills(): number;
  /** Resolves when all of its processes have ended and it is removed. */
  remove(): Promise<void>;
};

/** Version 1 and version 2: the files of a memory cgroup. */
const hierarchies = [
  {
    root: '/sys/fs/cgroup/memory',
    limit: 'memory.limit_in_bytes',
    usage: 'memory.usage_in_bytes',
    events: 'memory.oom_control',
  },
  {
    root: '/sys/fs/cgroup',
    limit: 'memory.max',
    usage: 'memory.current',
    events: 'memory.events',
  },
];
const squeezeBytes = 1024 * 1024;

let made = 0;

/** undefined where none can be made: without root, or in a container of its own. */
export function makeMemoryCgroup(bytesMax: number): MemoryCgroup | undefined {
  made += 1;
  for (const { root, limit, usage, events } of hierarchies) {
    const directory = path.join(root, `tailship-test-${process.pid}-${made}`);
    const read = (file: string) => fs.readFileSync(path.join(directory, file), 'utf8');
    const setLimit = (bytes: number) =>
      fs.writeFileSync(path.join(directory, limit), String(bytes));
    try {
      fs.mkdirSync(directory);
      setLimit(bytesMax);
      const procs = path.join(directory, 'cgroup.procs');
      return {
        under: ['sh', '-c', `echo $$ > ${procs}; exec "$0" "$@"`],
        squeeze() {
          const bytes = Number(read(usage));
          try {
            for (let below = 0; below < bytes; below += squeezeBytes) setLimit(bytes - below);
          } catch {
            // Version 1 refuses a limit that reclaiming cannot reach; version 2 kills.
          }
        },
        oomKills: () => Number(/^oom_kill (\d+)$/m.exec(read(events))?.[1]),
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
