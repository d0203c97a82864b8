// The words of commands that are not options of the table: operands, and the flags of `manifests`,
// `migrate` and `tail` alone. They are taken out before the flags are parsed, for each command, so
// this file is light.

import { parseGlob } from '../container-glob.ts';
import { configError, errorText } from '../errors.ts';
import { compileRe2, type Re2Pattern } from '../re2-pattern.ts';

export const foreignAgents = ['fluentd', 'fluent-bit'] as const;
export type ForeignAgent = (typeof foreignAgents)[number];

/** The words of a command's own, and the rest: options of the table. */
type Split<Own> = { readonly own: Own; readonly rest: readonly string[] };

/** The words up to the first flag. */
export function splitOperands(words: readonly string[]): Split<readonly string[]> {
  const first = words.findIndex((word) => /^-./.test(word));
  const end = first === -1 ? words.length : first;
  return { own: words.slice(0, end), rest: words.slice(end) };
}

/** A command's operands, the first as one of `choices`. Throws CONFIG_INVALID. */
export function readOperands<Choice extends string>(
  [command, ...words]: readonly string[],
  choices: readonly Choice[],
): [Choice, ...string[]] {
  const [word, ...others] = splitOperands(words).own;
  const choice = choices.find((known) => known === word);
  if (choice !== undefined) return [choice, ...others];
  const got = word === undefined ? 'none is given' : `got ${word}`;
  throw configError(`tailship ${command} needs ${choices.join('|')}; ${got}`);
}

export type MigrationSource = { readonly agent: ForeignAgent; readonly file: string };

/** `--from fluentd FILE`: two words after a flag. Throws CONFIG_INVALID when they are missing. */
export function splitMigrationWords(words: readonly string[]): Split<MigrationSource> {
  const at = words.findIndex((word) => word === '--from' || word.startsWith('--from='));
  const isJoined = words[at]?.includes('=') === true;
  const value = isJoined ? words[at]?.slice('--from='.length) : words[at + 1];
  const fileAt = at + (isJoined ? 1 : 2);
  const file = words[fileAt];
  const agent = foreignAgents.find((known) => known === value);
  if (at === -1 || agent === undefined || file === undefined || file.startsWith('--')) {
    const got = at === -1 ? 'none is given' : `got ${words.slice(at, fileAt + 1).join(' ')}`;
    throw configError(`migrate needs --from ${foreignAgents.join('|')} FILE; ${got}`);
  }
  return { own: { agent, file }, rest: words.toSpliced(at, fileAt + 1 - at) };
}

/** Takes out flags with a value, and `switches` without one, whose value is ''. */
function takeFlags(
  words: readonly string[],
  flags: readonly string[],
  switches: readonly string[],
): Split<ReadonlyMap<string, string>> {
  const own = new Map<string, string>();
  const rest: string[] = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    const [, name = '', joined] = /^--([a-z-]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (flags.includes(name)) own.set(name, joined ?? words[(index += 1)] ?? '');
    else if (switches.includes(name) && joined === undefined) own.set(name, '');
    else rest.push(word);
  }
  return { own, rest };
}

export type ManifestWords = {
  readonly image: string;
  readonly isGke: boolean;
  /** Name of a Secret with `key.json`. */
  readonly keySecret?: string | undefined;
  /** The agent whose positions an init container takes over, and their file on the node. */
  readonly takeOver?: { readonly agent: string; readonly file: string } | undefined;
};

/** The words about the manifests themselves. Throws CONFIG_INVALID for one wrong or missing. */
export function splitManifestWords(words: readonly string[]): Split<ManifestWords> {
  const { own, rest } = takeFlags(words, ['image', 'key-secret', 'take-over'], ['gke']);
  const image = own.get('image') ?? '';
  if (!/^[^@\s]+@sha256:[0-9a-f]{64}$/.test(image)) {
    const wanted = '--image NAME@sha256:…, as docker push prints it';
    throw configError(`manifests needs ${wanted}; got ${image}`);
  }
  const keySecret = own.get('key-secret');
  if (keySecret !== undefined && !/^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(keySecret)) {
    throw configError(`--key-secret is no name of a Secret: ${keySecret}`);
  }
  const takeOver = takeOverOf(own.get('take-over'));
  return { own: { image, isGke: own.has('gke'), keySecret, takeOver }, rest };
}

function takeOverOf(text: string | undefined): ManifestWords['takeOver'] {
  if (text === undefined) return undefined;
  const [, agent = '', file = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  const isKnown = (foreignAgents as readonly string[]).includes(agent);
  if (isKnown && /^\/.*[^/]$/.test(file)) return { agent, file };
  throw configError(
    `--take-over is ${foreignAgents.join('|')}=FILE with a whole path; got ${text}`,
  );
}

export type TailWords = {
  /** The target as globs for `--include`. */
  readonly globs: readonly string[];
  /** Undefined: all lines. */
  readonly filter: Re2Pattern | undefined;
  readonly isJson: boolean;
};

/** Which container, and which lines. Throws CONFIG_INVALID for a word wrong or missing. */
export function splitTailWords(words: readonly string[]): Split<TailWords> {
  const target = words[0]?.startsWith('-') === true ? undefined : words[0];
  const { own, rest } = takeFlags(words.slice(target === undefined ? 0 : 1), ['filter'], ['json']);
  const text = own.get('filter');
  const filter = text === undefined ? undefined : filterNamed('--filter', text);
  return { own: { globs: globsOf(target), filter, isJson: own.has('json') }, rest };
}

/** `a/b` can be namespace and pod, or pod and container. */
function globsOf(target: string | undefined): string[] {
  const needed = 'tailship tail needs [NAMESPACE/]POD[/CONTAINER], with * and ?';
  if (target === undefined) throw configError(`${needed}; none is given`);
  const parts = target.split('/');
  const globs = parts.length < 3 ? [`*/${target}`] : [target];
  if (parts.length === 2) globs.push(target);
  try {
    for (const glob of globs) parseGlob(glob);
  } catch {
    throw configError(`${needed}; got ${target}`);
  }
  return globs;
}

/** A pattern that a user searches lines for; `name` is for the error. Throws CONFIG_INVALID. */
export function filterNamed(name: string, text: string): Re2Pattern {
  try {
    return compileRe2(text);
  } catch (error) {
    throw configError(`${name} is no ${errorText(error)}`);
  }
}
