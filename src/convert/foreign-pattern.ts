// Translates regular expressions of Ruby (Onigmo) to RE2, and globs of log files and tags to globs
// of containers.

import { parseGlob } from '../container-glob.ts';

/** `/pattern/flags`, or a pattern without slashes. Syntax that RE2 lacks is refused later. */
export function re2Of(text: string): string {
  const [, inner, flags = ''] = /^\/(.*)\/([imx]*)$/s.exec(text) ?? [];
  const pattern = (inner ?? text)
    .replaceAll(String.raw`\/`, '/')
    .replaceAll(String.raw`\h`, '[0-9a-fA-F]')
    .replaceAll(String.raw`\Z`, String.raw`\z`);
  const isInsensitive = flags.includes('i');
  const isMultiline = flags.includes('m');
  const prefix =
    isInsensitive || isMultiline ? `(?${isInsensitive ? 'i' : ''}${isMultiline ? 's' : ''})` : '';
  return `${prefix}${pattern}`;
}

/** The names that a pattern matches: `^(a|b)$` or a plain part of a name; undefined for others. */
export function namesOf(pattern: string): string[] | undefined {
  const [, start, inner = '', end] = /^(\^?)(.*?)(\$?)$/s.exec(pattern.trim()) ?? [];
  const [, grouped] = /^\((?:\?:)?([^()]*)\)$/.exec(inner) ?? [];
  const names = (grouped ?? inner).split('|').map((name) => name.replaceAll(/\\([-.])/g, '$1'));
  if (grouped === undefined && names.length > 1 && (start !== '' || end !== '')) return undefined;
  const globs = names.map((name) => {
    const glob = name.replaceAll(/\.[*+]/g, '*');
    const isPlain = /^[a-z0-9.*-]+$/.test(glob);
    return isPlain ? `${start === '' ? '*' : ''}${glob}${end === '' ? '*' : ''}` : '';
  });
  return globs.includes('') ? undefined : globs.map(collapsed);
}

/**
 * Globs of containers for a log file's name, `POD_NAMESPACE_CONTAINER-ID.log` with wildcards;
 * undefined if the name is not enough.
 */
export function globsOfLogName(name: string): string[] | undefined {
  const parts = name
    .replace(/\.log\*?$/, '')
    .replaceAll(/\*+/g, '*')
    .split('_');
  if (parts.length > 3) return undefined;
  const [pod = '*', namespace = '*', container = '*'] = parts;
  const isAnywhere = parts.length === 1 && pod.length > 2 && /^\*.*\*$/.test(pod);
  // The name of the container is followed by its id.
  const names = [namespace, pod, container.replace(/-(?:\*|[0-9a-f]{64})$/, '')];
  const globs = isAnywhere
    ? [pod, `*/${pod}`, `*/*/${pod}`]
    : [names.map((each) => each || '*').join('/')];
  // Trailing parts that match everything are left out.
  const shortened = globs.map((glob) => collapsed(glob).replace(/(?:\/\*)+$/, ''));
  return globs.every(isGlob) ? shortened : undefined;
}

function isGlob(text: string): boolean {
  try {
    parseGlob(text);
    return true;
  } catch {
    return false;
  }
}

function collapsed(glob: string): string {
  return glob.replaceAll(/\*+/g, '*');
}

/** Whether a tag pattern and a tag with wildcards can match the same event. */
export function meets(pattern: string, tag: string): boolean {
  const [a, b] = [pattern, tag].map((text) => text.replace(/[*{].*$/s, ''));
  return (a ?? '').startsWith(b ?? '') || (b ?? '').startsWith(a ?? '');
}

/** `{a,b}.c` as `a.c` and `b.c`, for one pair of braces. */
export function alternatives(pattern: string): string[] {
  const [, before = '', inner, after = ''] = /^([^{]*)\{([^{}]*)\}(.*)$/s.exec(pattern) ?? [];
  if (inner === undefined) return [pattern];
  return inner.split(',').map((part) => `${before}${part.trim()}${after}`);
}
