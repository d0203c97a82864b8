// The arguments of `tailship tail` that are not options of `run`: which container, and which lines.

import { AgentError } from '../errors.ts';
import { parseGlob } from '../container-glob.ts';
import { compileRe2, type Re2Pattern } from '../re2-pattern.ts';

export type TailWords = {
  /** The target as globs for `--include`. */
  readonly globs: readonly string[];
  /** undefined: all lines. */
  readonly filter: Re2Pattern | undefined;
  readonly isJson: boolean;
};

/** Extracts them. Throws CONFIG_INVALID for one that is invalid or missing. */
export function splitTailWords(words: readonly string[]): {
  readonly own: TailWords;
  readonly rest: readonly string[];
} {
  const rest: string[] = [];
  let target: string | undefined;
  let filter: string | undefined;
  let isJson = false;
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    const [isFilter, joined] = /^--filter(?:=(.*))?$/s.exec(word) ?? [];
    if (isFilter !== undefined) filter = joined ?? words[(index += 1)] ?? '';
    else if (word === '--json') isJson = true;
    else if (index === 0 && !word.startsWith('-')) target = word;
    else rest.push(word);
  }
  return { own: { globs: globsOf(target), filter: patternOf(filter), isJson }, rest };
}

/** `a/b` can be namespace and pod, or pod and container. */
function globsOf(target: string | undefined): string[] {
  const wanted = '[NAMESPACE/]POD[/CONTAINER], with * and ?';
  if (target === undefined) throw invalid(`tailship tail needs ${wanted}; none is given`);
  const parts = target.split('/');
  const globs = parts.length < 3 ? [`*/${target}`] : [target];
  if (parts.length === 2) globs.push(target);
  try {
    for (const glob of globs) parseGlob(glob);
  } catch {
    throw invalid(`tailship tail needs ${wanted}; got ${target}`);
  }
  return globs;
}

function patternOf(text: string | undefined): Re2Pattern | undefined {
  if (text === undefined) return undefined;
  try {
    return compileRe2(text);
  } catch (error) {
    throw invalid(`--filter is no ${error instanceof Error ? error.message : String(error)}`);
  }
}

function invalid(text: string): AgentError {
  return new AgentError('CONFIG_INVALID', text);
}
