// The regular expressions of Fluent Bit's Match_Regex as globs of tags, and a tag of a container
// log as globs of containers.
//
// Invariant: a glob means what the expression means, or there is none.

import { globsOfLogName } from './foreign-pattern.ts';

const globsMax = 64;
/** Any characters, or any except a separator between the parts of a tag. */
const anything = /^(?:\.|\[\^[_./]\]|\\S)(?:[*+]\??)/;
const escaped = /^\\([^A-Za-z0-9])/;
const group = /^\((?:\?:|\?P?<\w+>)?([^()]*)\)(?![*+?{])/;
const plain = /^[A-Za-z0-9_/.-](?![*+?{])/;

/** Undefined for an expression that no globs can express. */
export function globsOfTagRegex(regex: string): string[] | undefined {
  const isFromStart = regex.startsWith('^');
  const isToEnd = /(?:^|[^\\])(?:\\\\)*\$$/.test(regex);
  const inner = regex.slice(isFromStart ? 1 : 0, isToEnd ? -1 : undefined);
  const globs = globsOfSequence(inner);
  return globs?.map((glob) => {
    return `${isFromStart ? '' : '*'}${glob}${isToEnd ? '' : '*'}`.replaceAll(/\*+/g, '*');
  });
}

function globsOfSequence(text: string): string[] | undefined {
  let globs = [''];
  for (let at = 0; at < text.length;) {
    const rest = text.slice(at);
    const [any] = anything.exec(rest) ?? [];
    const [literal, character = ''] = escaped.exec(rest) ?? [];
    const [grouped, inner = ''] = group.exec(rest) ?? [];
    const found = any ?? literal ?? grouped ?? plain.exec(rest)?.[0];
    if (found === undefined) return undefined;
    let endings = [found];
    if (any !== undefined) endings = ['*'];
    else if (literal !== undefined) endings = [character];
    else if (grouped !== undefined) {
      const alternatives = inner.split('|').map(globsOfSequence);
      endings = alternatives.flatMap((each) => each ?? []);
      if (alternatives.includes(undefined)) return undefined;
    }
    globs = globs.flatMap((glob) => endings.map((ending) => `${glob}${ending}`));
    if (globs.length > globsMax) return undefined;
    at += found.length;
  }
  return globs;
}

/** The part of a tag without wildcards before the name of the log file. */
const directoryTag = 'var.log.containers.';

/**
 * Globs of the containers whose logs have a tag that the glob matches, if their input has the tag
 * `sourceTag`; undefined if there are none.
 */
export function containersOfTagGlob(glob: string, sourceTag: string): string[] | undefined {
  const before = `${sourceTag.replace(/\*.*$/s, '')}${directoryTag}`;
  const head = glob.replace(/\*.*$/s, '');
  const within = glob.indexOf('containers.');
  // A text after a first wildcard, which may be in the part that all tags share.
  const [first, inner = ''] = /^\*([^*]+)(?=\*)/.exec(glob) ?? [];
  let name: string | undefined;
  if (first !== undefined && before.includes(inner)) name = glob.slice(first.length);
  else if (within !== -1) name = glob.slice(within + 'containers.'.length);
  else if (head.startsWith(before)) name = glob.slice(before.length);
  else if (before.startsWith(head) && head !== glob) name = glob.slice(head.length);
  return name === undefined ? undefined : containersOfName(name);
}

/** With one `_`, the part before it is the pod, or, with a wildcard, pod and namespace. */
function containersOfName(name: string): string[] | undefined {
  const parts = name.split('_');
  const [before = '', after = ''] = parts;
  const first = globsOfLogName(name);
  if (parts.length !== 2 || !before.includes('*')) return first;
  const second = globsOfLogName(`${before}_*_${after}`);
  return first === undefined || second === undefined ? undefined : [...first, ...second];
}
