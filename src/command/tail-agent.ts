// An agent whose entries go to a reader instead of an endpoint, of some containers, from now on:
// what `tailship tail` and the panel of the page are made of.
//
// Roots, rules and redaction are those of `run`. Invariants: it writes only to a directory of its
// own, which it removes; it never shows an excluded container; it does not start if memory is
// short.

import { rmSync } from 'node:fs';

import { runAgent } from '../agent/run-agent.ts';
import { MiB } from '../byte-units.ts';
import { limits } from '../config.ts';
import type { Control, StandardOutput } from '../control.ts';
import { AgentError, isSystemError } from '../errors.ts';
import { memoryLeft } from '../host/cgroup.ts';
import type { Config } from '../options/options.ts';
import { makeScratchDirectory, tailPlaces } from '../scratch-directory.ts';
import type { ContainerNames } from '../tail/container-names.ts';
import { ReadingRules } from '../tail/reading-rules.ts';

export type TailReader = {
  /** Globs for `--include`. */
  readonly globs: readonly string[];
  /** Opens the output of the entries; `isShown` says whether a container may be shown. */
  readonly open: (isShown: (names: ContainerNames) => boolean) => StandardOutput;
};

/** Runs until the signal; resolves to the exit code. Throws MEMORY_SHORT. */
export async function tailContainers(
  config: Config,
  control: Control,
  { globs, open }: TailReader,
): Promise<number> {
  refuseIfShort(memoryLeft());
  const rules = new ReadingRules(config);
  const isShown = (names: ContainerNames): boolean => !rules.of(names).isExcluded;
  const stateDir = makeDirectory(config.stateDir);
  const { log, signal } = control;
  const quiet: Control = {
    signal,
    write: () => undefined,
    log: { ...log, info: () => undefined },
    progress: { writeLine: () => undefined, writeTerminal: undefined },
    standardOutput: () => open(isShown),
  };
  try {
    return await runAgent(
      {
        ...config,
        include: globs,
        from: 'end',
        output: ['stdout'],
        once: false,
        workers: 1,
        stateDir,
        adminAddress: undefined,
        nodeLogs: 'off',
      },
      quiet,
    );
  } finally {
    rmSync(stateDir, { recursive: true, force: true });
  }
}

/** If memory runs out, the kernel kills all processes of a container together. */
export function refuseIfShort(bytes: number | undefined): void {
  if (bytes === undefined || bytes >= limits.tailMemoryBytes) return;
  const [left, needed] = [bytes, limits.tailMemoryBytes].map((each) => Math.floor(each / MiB));
  throw new AgentError('MEMORY_SHORT', `${left} MiB are left, and ${needed} MiB may be needed`);
}

function makeDirectory(stateDir: string): string {
  let failure: unknown;
  for (const [parent, prefix] of tailPlaces(stateDir)) {
    try {
      return makeScratchDirectory(parent, prefix);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      failure = error;
    }
  }
  throw failure;
}
