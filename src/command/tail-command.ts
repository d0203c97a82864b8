// The command `tail`: prints what the agent would ship of some containers, from now on.
//
// It runs a separate agent whose entries go to stdout, so roots, rules and redaction are those of
// `run`. Invariants: it writes only to a directory of its own, which it removes; it never shows an
// excluded container; it does not start if memory is short.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { runAgent } from '../agent/run-agent.ts';
import type { Control, StandardOutput } from '../control.ts';
import { MiB } from '../byte-units.ts';
import { limits } from '../config.ts';
import { AgentError, isSystemError } from '../errors.ts';
import { memoryLeft } from '../host/memory-left.ts';
import type { Config } from '../options/options.ts';
import { ReadingRules } from '../tail/reading-rules.ts';
import { createTailLines } from './tail-lines.ts';
import type { TailWords } from './tail-words.ts';

/** Until the control's signal is aborted; resolves to the exit code. */
export async function runTail(config: Config, control: Control, words: TailWords): Promise<number> {
  refuseIfShort(memoryLeft());
  offerToOomKiller();
  const rules = new ReadingRules(config);
  const isShown = (names: Parameters<typeof rules.of>[0]): boolean =>
    !rules.of(names, () => undefined).isExcluded;
  const stateDir = makeDirectory(config.stateDir);
  const { standardOutput: stdout } = control;
  const { log } = control;
  const quiet: Control = {
    signal: control.signal,
    write: () => undefined,
    log: { ...log, info: () => undefined },
    progress: { writeLine: () => undefined, writeTerminal: undefined },
    ...(stdout && { standardOutput: () => printing(stdout(), createTailLines(words, isShown)) }),
  };
  try {
    return await runAgent(
      {
        ...config,
        include: words.globs,
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

/** The kubelet makes the kernel kill all processes of a container together. */
export function refuseIfShort(bytes: number | undefined): void {
  if (bytes === undefined || bytes >= limits.tailMemoryBytes) return;
  const [left, needed] = [bytes, limits.tailMemoryBytes].map((each) => Math.floor(each / MiB));
  throw new AgentError('MEMORY_SHORT', `${left} MiB are left, and ${needed} MiB may be needed`);
}

/** Where processes are killed one by one, the main agent is killed last. */
function offerToOomKiller(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch (error) {
    if (!isSystemError(error)) throw error; // It is only a precaution.
  }
}

/** The agent's directory may be the only writable one in the image. */
function makeDirectory(stateDir: string): string {
  try {
    return mkdtempSync(join(tmpdir(), 'tailship-tail-'));
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return mkdtempSync(join(stateDir, 'tail-'));
  }
}

/** A stream that converts entries to lines. */
function printing(
  stdout: StandardOutput,
  linesOf: (entries: Uint8Array) => string[],
): StandardOutput {
  return {
    fd: stdout.fd,
    isTTY: true, // As a stream, whatever it is: a descriptor would get the entries as they are.
    write: (entries, done) => {
      const text = linesOf(entries)
        .map((line) => `${line}\n`)
        .join('');
      if (text === '') done();
      else stdout.write(Buffer.from(text), done);
    },
  };
}
