// Maps tag patterns to containers, by the tags of the sources that read container logs.

import type { Draft, RuleGlobs } from './draft.ts';
import { alternatives, globsOfLogName, meets } from './foreign-pattern.ts';
import { containersOfTagGlob, globsOfTagRegex } from './tag-regex.ts';

type TaggedSource = {
  readonly tag: string;
  /** undefined: the source reads no container logs. */
  readonly globs: readonly string[] | undefined;
};

/** The containers, or the reason why there are none. */
export type Route = { readonly globs: RuleGlobs } | { readonly reason: string };

/** What the parts of a configuration go into. */
export type Taking = { readonly draft: Draft; readonly routes: EventRoutes };

const everything = '*';

export class EventRoutes {
  readonly #sources: TaggedSource[] = [];
  /** Some filter rewrites tags, so an unknown tag may belong to containers. */
  #isRetagged = false;

  addSource(tag: string, globs: readonly string[] | undefined): void {
    this.#sources.push({ tag, globs });
  }

  /** A prefix that is removed on the way. */
  removePrefix(prefix: string): void {
    for (const { tag, globs } of this.#sources.slice()) {
      if (tag.startsWith(`${prefix}.`)) this.addSource(tag.slice(prefix.length + 1), globs);
    }
  }

  retag(): void {
    this.#isRetagged = true;
  }

  /** For patterns separated by blanks, any of which may match. */
  of(argument: string): Route {
    const patterns = argument
      .split(/\s+/)
      .filter((part) => part !== '')
      .flatMap(alternatives);
    const routes = (patterns.length === 0 ? ['**'] : patterns).map((one) => this.#ofOne(one));
    const found = routes.flatMap((globs) => globs ?? []);
    if (found.length === 0) return { reason: `no container log has the tag ${argument}` };
    return { globs: found.includes(everything) ? undefined : [...new Set(found)] };
  }

  /** For a regular expression. */
  ofRegex(regex: string): Route {
    const tagGlobs = globsOfTagRegex(regex);
    if (tagGlobs === undefined) return { reason: `${regex}: write match of a rule yourself` };
    const sources = this.#sources.filter((source) => source.globs !== undefined);
    const found = tagGlobs.flatMap((glob) => {
      return sources.flatMap(({ tag }) => containersOfTagGlob(glob, tag) ?? []);
    });
    if (found.length === 0) return { reason: `no container log has a tag like ${regex}` };
    return { globs: found.includes(everything) ? undefined : [...new Set(found)] };
  }

  #ofOne(pattern: string): readonly string[] | undefined {
    const [, name] = /containers\.(.+)$/.exec(pattern) ?? [];
    if (name !== undefined && !/^\*+$/.test(name)) return globsOfLogName(name);
    const met = this.#sources.filter(({ tag }) => meets(pattern, tag));
    const globs = met.flatMap((source) => source.globs ?? []);
    if (globs.length > 0) return globs;
    if (met.length > 0) return undefined;
    const areNone = !this.#sources.some((source) => source.globs !== undefined);
    return areNone || this.#isRetagged ? [everything] : undefined;
  }
}

/** Container globs for a path of log files; undefined if it holds no container logs. */
export function globsOfPath(path: string): readonly string[] | undefined {
  const [, name] = /(?:^|\/)containers\/(?:[^/]*\/)*([^/]+)$/.exec(path) ?? [];
  if (name === undefined) return undefined;
  if (/^\*(?:\.log\*?)?$/.test(name) || /docker\/containers\//.test(path)) return [everything];
  return globsOfLogName(name) ?? [everything];
}

/** Whether the globs match all containers. */
export function areAll(globs: readonly string[]): boolean {
  return globs.includes(everything);
}
