// `tailship convert`: prints another agent's configuration as one for tailship, and reports on
// stderr what became of each directive.

import { convertConfiguration, headings, noteText } from '../convert/convert.ts';
import type { Note, NoteKind } from '../convert/draft.ts';
import { configError } from '../errors.ts';
import { pluralText } from '../number-text.ts';
import { printable } from '../printable.ts';
import type { ForeignAgent } from './command-words.ts';

export type ConvertOutput = {
  readonly write: (line: string) => void;
  readonly writeError: (line: string) => void;
};

/** Returns the exit code. Throws CONFIG_INVALID for a file that is not a configuration. */
export async function runConvert(
  agent: ForeignAgent,
  files: readonly string[],
  { write, writeError }: ConvertOutput,
): Promise<number> {
  if (files.length === 0) {
    throw configError(`tailship convert ${agent} needs the files: FILE…`);
  }
  const { yaml, notes } = await convertConfiguration(agent, files);
  write(yaml.trimEnd());
  for (const line of summaryLines(notes)) writeError(printable(line));
  return 0;
}

function summaryLines(notes: readonly Note[]): string[] {
  const of = (kind: NoteKind) => notes.filter((note) => note.kind === kind);
  const lines = [`${pluralText(of('taken').length, 'directive')} taken over`];
  for (const kind of ['changed', 'none'] as const) {
    const found = of(kind);
    if (found.length > 0) lines.push(`${headings[kind]}:`);
    lines.push(...found.map((note) => `  ${noteText(note)}`));
  }
  return lines;
}
