// Maps tag patterns to containers, by the tags of the sources that read container logs.

import type { Draft, RuleGlobs } from './draft.ts';
import { alternatives, globsOfLogName, meets } from './foreign-pattern.ts';
import { containersOfTagGlob, globsOfTagRegex } from './tag-regex.ts';

type TaggedSource = {
  readonly tag: string;
  /** undefined: the source reads no container logs. */
  readonly globs: readonly string[] | undefined;
  /** Of these, what it does not read. */
  readonly excluded: readonly string[];
};

/** The containers, or the reason why there are none. */
export type Route =
  | {
      readonly globs: RuleGlobs;
      /** A source with another tag may read some of them, too. */
      readonly isShared: boolean;
    }
  | { readonly reason: string };

/** What the parts of a configuration go into. */
export type Taking = { readonly draft: Draft; readonly routes: EventRoutes };

const everything = '*';

export class EventRoutes {
  readonly #sources: TaggedSource[] = [];
  /** Some filter rewrites tags, so an unknown tag may belong to containers. */
  #isRetagged = false;

  addSource(
    tag: string,
    globs: readonly string[] | undefined,
    excluded: readonly string[] = [],
  ): void {
    this.#sources.push({ tag, globs, excluded });
  }

  /** A prefix that is removed on the way. */
  removePrefix(prefix: string): void {
    for (const { tag, globs, excluded } of this.#sources.slice()) {
      if (!tag.startsWith(`${prefix}.`)) continue;
      this.addSource(tag.slice(prefix.length + 1), globs, excluded);
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
    const wanted = patterns.length === 0 ? ['**'] : patterns;
    const found = wanted.flatMap((one) => this.#ofOne(one) ?? []);
    if (found.length === 0) return { reason: `no container log has the tag ${argument}` };
    const met = this.#sources.filter(({ tag }) => wanted.some((one) => meets(one, tag)));
    return this.#routeTo(found, met);
  }

  #routeTo(found: readonly string[], met: readonly TaggedSource[]): Route {
    const read = new Set(met.map(({ globs }) => globs));
    // With tags that change, a source of another tag may be the same one.
    const isShared =
      met.length > 0 &&
      !this.#isRetagged &&
      this.#sources.some((other) => !read.has(other.globs) && mayRead(other, found));
    return { globs: areAll(found) ? undefined : [...new Set(found)], isShared };
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
    const met = sources.filter(({ tag }) => {
      return tagGlobs.some((glob) => containersOfTagGlob(glob, tag) !== undefined);
    });
    return this.#routeTo(found, met);
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

/** False only where the source certainly reads none of the containers. */
function mayRead({ globs, excluded }: TaggedSource, found: readonly string[]): boolean {
  const isOther = (one: string, other: string) => {
    const [own = '', its = ''] = [one.split('/')[0], other.split('/')[0]];
    return own !== its && !/[*?]/.test(own + its);
  };
  return found.some((one) => {
    if (globs === undefined || excluded.includes(one)) return false;
    return globs.some((other) => !isOther(one, other));
  });
}

/** Whether the globs match all containers. */
export function areAll(globs: readonly string[]): boolean {
  return globs.includes(everything);
}
