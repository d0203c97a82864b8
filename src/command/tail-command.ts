// The command `tail`: prints what the agent would ship of some containers, from now on.

import { writeFileSync } from 'node:fs';

import type { Control, StandardOutput } from '../control.ts';
import { isSystemError } from '../errors.ts';
import type { Config } from '../options/options.ts';
import { tailContainers } from './tail-agent.ts';
import { createTailLines } from './tail-lines.ts';
import type { TailWords } from './command-words.ts';

/** Runs until the signal; resolves to the exit code. */
export async function runTail(config: Config, control: Control, words: TailWords): Promise<number> {
  offerToOomKiller();
  const { standardOutput } = control;
  return tailContainers(config, control, {
    globs: words.globs,
    open: (isShown) => {
      if (standardOutput === undefined) throw new Error('this process has none');
      return printing(standardOutput(), createTailLines(words, isShown));
    },
  });
}

/** Where the kernel kills single processes, the main agent must be the last. */
function offerToOomKiller(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch (error) {
    if (!isSystemError(error)) throw error; // This is only a precaution.
  }
}

/** Converts entries to lines. */
function printing(
  stdout: StandardOutput,
  linesOf: (entries: Uint8Array) => string[],
): StandardOutput {
  return {
    fd: stdout.fd,
    isTTY: true, // Makes it a stream: a descriptor would get the entries unconverted.
    write: (entries, done) => {
      const text = linesOf(entries)
        .map((line) => `${line}\n`)
        .join('');
      if (text === '') done();
      else stdout.write(Buffer.from(text), done);
    },
  };
}
