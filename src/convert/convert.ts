// Converts a configuration of fluentd or Fluent Bit: the YAML for tailship, and a note on what
// became of each directive.
//
// Invariant: tailship can load the YAML, whatever was read.

import { version } from '../version.ts';
import type { ForeignSyntax } from './conf-source.ts';
import { Draft, type Note, type NoteKind } from './draft.ts';
import { takeFluentBit } from './fluent-bit-config.ts';
import { takeFluentd } from './fluentd-config.ts';
import { readTree } from './read-tree.ts';

export type Conversion = {
  readonly yaml: string;
  readonly notes: readonly Note[];
};

/** Reads the files into a draft. Throws CONFIG_INVALID for a file that is not a configuration. */
export async function draftOf(syntax: ForeignSyntax, files: readonly string[]): Promise<Draft> {
  const draft = new Draft();
  const root = await readTree(syntax, files, (place, text) => {
    draft.note('none', place, 'not understood', text);
  });
  if (syntax === 'fluentd') takeFluentd(root, draft);
  else takeFluentBit(root, draft);
  draft.finish();
  return draft;
}

/** Throws CONFIG_INVALID for a file that is not a configuration. */
export async function convertConfiguration(
  syntax: ForeignSyntax,
  files: readonly string[],
): Promise<Conversion> {
  const draft = await draftOf(syntax, files);
  const { notes } = draft;
  const parts = [
    comment(`Made of ${syntax}'s ${files.join(', ')} by tailship ${version}.`),
    await optionsText(draft),
    await rulesText(draft),
    ...(Object.keys(headings) as NoteKind[]).map((kind) => notesText(kind, notes)),
  ];
  return { yaml: parts.filter((part) => part !== '').join('\n'), notes };
}

export const headings: Readonly<Record<NoteKind, string>> = {
  taken: 'Taken over',
  changed: 'Changes',
  none: 'Has no equivalent',
};

async function optionsText({ options }: Draft): Promise<string> {
  if (options.size === 0) return '';
  const { stringify } = await import('yaml');
  return stringify(Object.fromEntries(options), { lineWidth: 0 });
}

async function rulesText({ rules }: Draft): Promise<string> {
  if (rules.length === 0) return '';
  const { stringify } = await import('yaml');
  const texts = rules.map(({ place, rule }) => {
    const text = stringify([rule], { lineWidth: 0 }).trimEnd().replaceAll(/^/gm, '  ');
    return `  ${comment(placeText(place))}${text}\n`;
  });
  return `rules:\n${texts.join('')}`;
}

function notesText(kind: NoteKind, notes: readonly Note[]): string {
  const lines = notes.filter((note) => note.kind === kind).map(noteText);
  if (lines.length === 0) return '';
  return [`${headings[kind]}:`, ...lines.map((line) => `  ${line}`)].map(comment).join('');
}

/** `FILE:LINE  SUBJECT: TEXT`. */
export function noteText(note: Note): string {
  return `${placeText(note)}  ${note.subject}: ${note.text}`;
}

function placeText({ file, line }: { readonly file: string; readonly line: number }): string {
  return `${file}:${line}`;
}

/** The text on one line. */
function comment(text: string): string {
  return `# ${text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ')}\n`;
}
