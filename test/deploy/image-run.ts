// Runs a program of the image as a container runtime does for the manifests: a mount namespace of
// its own, a read-only root, the volumes, no privilege but the capabilities that are named. For
// image.slow.test.ts.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import type { BuiltImage } from './image-build.ts';

export type Mount = {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
};

export type RunOptions = {
  readonly args: readonly string[];
  readonly mounts: readonly Mount[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly user: number;
  /** As in a manifest: DAC_READ_SEARCH. */
  readonly capabilities: readonly string[];
};

export type ImageProcess = {
  /** Lines of stdout and stderr so far. */
  readonly output: readonly string[];
  /** SIGTERM; resolves to the exit code. */
  stop(): Promise<number | null>;
};

// $0 is the root, then target, source and mode of each mount, `--`, and the command.
const script = `set -e
root=$0
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o size=64k tmpfs "$root/dev"
for device in null zero urandom; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
while [ "$1" != -- ]; do
  mount --bind "$2" "$root$1"
  [ "$3" = rw ] || mount -o remount,bind,ro "$root$1"
  shift 3
done
shift
mount -o remount,bind,ro "$root"
exec "$@"
`;

/** Starts the image's entry point. The capability sets are those of a container's first process. */
export function runImage(image: BuiltImage, options: RunOptions): ImageProcess {
  const { args, mounts, user, capabilities, environment } = options;
  // A container runtime makes the places of the mounts, too.
  for (const { target } of mounts) mkdirSync(join(image.rootDir, target), { recursive: true });
  const [program = '', ...flags] = image.entrypoint;
  const kept = capabilities.map((name) => `cap_${name.toLowerCase()}`);
  const volumes = mounts.flatMap((one) => [one.target, one.source, one.readOnly ? 'ro' : 'rw']);
  const identity = user === 0 ? [] : [`--gid=${user}`, `--uid=${user}`];
  const words = [
    '--mount',
    '--pid',
    '--fork',
    '--kill-child',
    'sh',
    '-c',
    script,
    image.rootDir,
    ...volumes,
    '--',
    'capsh',
    '--no-new-privs',
    `--drop=${droppedCapabilities(kept)}`,
    `--chroot=${image.rootDir}`,
    ...identity,
    `--shell=${program}`,
    '--',
    ...flags,
    ...args,
  ];
  const child = spawn('unshare', words, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...image.environment, PATH: process.env['PATH'], ...environment },
  });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => output.push(line));
  }
  return { output, stop: () => stop(child) };
}

/** All there are but these, by number: capsh knows names only as new as itself. */
function droppedCapabilities(kept: readonly string[]): string {
  const numbers: Readonly<Record<string, number>> = { cap_dac_read_search: 2 };
  const keptNumbers = kept.map((name) => numbers[name]);
  const lastCapability = 40;
  return Array.from({ length: lastCapability + 1 }, (_, index) => index)
    .filter((index) => !keptNumbers.includes(index))
    .join(',');
}

async function stop(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode;
  const exited = once(child, 'exit') as Promise<[number | null]>;
  // The agent is the child of unshare, which ignores the signal itself and passes on its exit code.
  const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
  process.kill(Number(children.trim()), 'SIGTERM');
  const [code] = await exited;
  return code;
}
