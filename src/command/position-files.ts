// The positions of another agent, from the file that holds them or from the configuration that
// names it. Invariant: a file that is not there is an error, unless the user allows for it.

import { globSync } from 'node:fs';
import { dirname } from 'node:path';

import type { Control } from '../control.ts';
import { AgentError, hasCode } from '../errors.ts';
import type { Config } from '../options/options.ts';
import { type ForeignPositions, readForeignPositions } from './foreign-positions.ts';
import type { MigrationSource } from './migration-source.ts';

/** No file of positions is named so, and the file may be written by others than root. */
const configurationName = /\.(?:conf|config|cfg|ya?ml|json)$/;
const candidatesMax = 5;

/**
 * undefined when no file is there, which --missing-ok allows: a node that never had the other agent
 * has nothing to tell. Throws CONFIG_INVALID otherwise, and as `readForeignPositions` does.
 */
export async function readPositions(
  config: Config,
  { log }: Control,
  { agent, file }: MigrationSource,
): Promise<ForeignPositions | undefined> {
  const files = configurationName.test(file) ? await namedFiles({ agent, file }) : [file];
  const found: ForeignPositions[] = [];
  for (const each of files) {
    try {
      found.push(await readForeignPositions(agent, each, config.stateDir));
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
      const text = `${each} does not exist${candidatesText(each)}`;
      if (!config.missingOk) throw new AgentError('CONFIG_INVALID', text, { cause: error });
      log.warn(undefined, `${text}: no position is taken over`);
    }
  }
  return found.length === 0 ? undefined : merged(found);
}

async function namedFiles({ agent, file }: MigrationSource): Promise<readonly string[]> {
  const { draftOf } = await import('../convert/convert.ts');
  const { positionFiles } = await draftOf(agent, [file]);
  if (positionFiles.length > 0) return [...new Set(positionFiles.map(({ path }) => path))];
  const key = agent === 'fluentd' ? 'pos_file' : 'DB';
  const text = `${file} names no ${key} of container logs, or one that is computed; give that file itself`;
  throw new AgentError('CONFIG_INVALID', text);
}

/** What else could be meant. */
function candidatesText(file: string): string {
  const names = globSync('*.{pos,db}', { cwd: dirname(file) }).toSorted();
  if (names.length === 0) return '';
  return `; ${dirname(file)} has ${names.slice(0, candidatesMax).join(', ')}`;
}

/** The oldest of the times: what is younger than any of the files is rather read again. */
function merged(found: readonly ForeignPositions[]): ForeignPositions {
  const sum = (count: (each: ForeignPositions) => number): number =>
    found.reduce((total, each) => total + count(each), 0);
  return {
    positions: found.flatMap(({ positions }) => positions),
    savedMs: Math.min(...found.map(({ savedMs }) => savedMs)),
    unwatched: sum(({ unwatched }) => unwatched),
    malformed: sum(({ malformed }) => malformed),
  };
}
