// `--from fluentd FILE` on the command line of `tailship migrate`: two words after a flag, which no
// option of the table has.

import { AgentError } from '../errors.ts';

export const foreignAgents = ['fluentd', 'fluent-bit'] as const;
export type ForeignAgent = (typeof foreignAgents)[number];

/** Whose positions, and where they are. */
export type MigrationSource = { readonly agent: ForeignAgent; readonly file: string };

/** The source, and the words without it. Throws CONFIG_INVALID when there is none. */
export function splitMigrationWords(words: readonly string[]): {
  readonly source: MigrationSource;
  readonly rest: readonly string[];
} {
  const at = words.findIndex((word) => word === '--from' || word.startsWith('--from='));
  const isJoined = words[at]?.includes('=') === true;
  const value = isJoined ? words[at]?.slice('--from='.length) : words[at + 1];
  const fileAt = at + (isJoined ? 1 : 2);
  const file = words[fileAt];
  const agent = foreignAgents.find((known) => known === value);
  if (at === -1 || agent === undefined || file === undefined || file.startsWith('--')) {
    const got = at === -1 ? 'none is given' : `got ${words.slice(at, fileAt + 1).join(' ')}`;
    const text = `migrate needs --from ${foreignAgents.join('|')} FILE; ${got}`;
    throw new AgentError('CONFIG_INVALID', text);
  }
  return { source: { agent, file }, rest: words.toSpliced(at, fileAt + 1 - at) };
}
