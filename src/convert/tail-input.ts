// What the inputs of both agents that tail files have in common: positions, exclusions, and what
// tailship has no need of.

import type { Draft } from './draft.ts';
import { areAll, globsOfPath } from './event-routes.ts';
import { directivesOf, isComputed, type Directive, type Place, type Section } from './section.ts';

/** `pos_file` of fluentd, `DB` of Fluent Bit. */
export function takePositionFile(section: Section, key: string, draft: Draft): void {
  const directive = directivesOf(section, key)[0];
  if (directive === undefined) return;
  const { value } = directive;
  if (!isComputed(value)) draft.addPositionFile(directive, value);
  draft.note('taken', directive, key, `${value}: tailship migrate takes these positions over`);
}

export function takeExclusions(section: Section, key: string, draft: Draft): void {
  for (const directive of directivesOf(section, key)) {
    for (const path of listOf(directive.value)) {
      const globs = globsOfPath(path.includes('/') ? path : `containers/${path}`);
      if (globs === undefined || areAll(globs)) {
        draft.note('none', directive, key, `${path} names no containers`);
      } else draft.setOption('exclude', globs, directive, key);
    }
  }
}

const tailKeys: Readonly<Record<string, string>> = {
  refresh_interval: 'new logs are found at once',
  rotate_wait: 'rotated files are read to their end',
  read_lines_limit: 'reading is bounded by the size of a request',
  read_bytes_limit_per_second: 'see --rate-limit',
  path_key: 'the pod and container are labels of the resource',
  multiline_flush_interval: 'see --partial-flush-ms',
  mem_buf_limit: 'nothing is read that cannot be sent',
  skip_long_lines: 'a line over 1 MiB is cut, not left out',
  'storage.type': 'the files of the containers are the buffer',
};

type Unneeded = { readonly place: Place; readonly subject: string; readonly text: string };

/** Directives whose purpose is met otherwise. */
export function unneeded(section: Section): Unneeded[] {
  return section.directives.flatMap((place) => {
    const text = tailKeys[place.key.toLowerCase()];
    return text === undefined ? [] : [{ place, subject: place.key, text }];
  });
}

/** `a,b`, or a list of JSON. */
export function listOf(value: string): string[] {
  if (value.startsWith('[')) {
    try {
      const list = JSON.parse(value) as unknown;
      if (Array.isArray(list)) return list.map(String);
    } catch {
      // Ruby's quotes, or a pattern: taken as it is.
    }
  }
  const plain = value.replaceAll(/^\[|\]$|["']/g, '');
  return plain
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

export function takeLogLevel(directive: Directive, draft: Draft): void {
  const names: Readonly<Record<string, string>> = {
    trace: 'debug',
    debug: 'debug',
    info: 'info',
    warn: 'warn',
    warning: 'warn',
    error: 'error',
    fatal: 'error',
    off: 'error',
  };
  const level = names[directive.value.toLowerCase()];
  if (level === undefined) draft.note('none', directive, directive.key, directive.value);
  else draft.setOption('logLevel', level, directive, directive.key);
}

/** Seconds, or with a unit. */
export function takeFlush(directive: Directive, draft: Draft): void {
  const text = /^\d+(?:\.\d+)?$/.test(directive.value) ? `${directive.value}s` : directive.value;
  draft.setOption('partialFlushMs', text, directive, directive.key);
}
