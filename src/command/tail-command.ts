// The command `tail`: what the agent would ship of some containers, from now on, as lines.
//
// It is an agent of its own whose entries go to stdout, so roots, rules and redaction are those of
// `run`. Invariants: it writes nothing but a directory of its own, which it removes; of a container
// that the configuration excludes it shows nothing; where memory is short, it does not start.

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

/** The kubelet has the kernel end all processes of a container together. */
export function refuseIfShort(bytes: number | undefined): void {
  if (bytes === undefined || bytes >= limits.tailMemoryBytes) return;
  const [left, needed] = [bytes, limits.tailMemoryBytes].map((each) => Math.floor(each / MiB));
  throw new AgentError('MEMORY_SHORT', `${left} MiB are left, and ${needed} MiB may be needed`);
}

/** Where processes are ended one by one, the agent beside it goes last. */
function offerToOomKiller(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch (error) {
    if (!isSystemError(error)) throw error; // It is only a precaution.
  }
}

/** An image may have no directory to write to but the agent's. */
function makeDirectory(stateDir: string): string {
  try {
    return mkdtempSync(join(tmpdir(), 'tailship-tail-'));
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return mkdtempSync(join(stateDir, 'tail-'));
  }
}

/** A stream that takes entries and writes lines. */
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
