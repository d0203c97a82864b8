// What the tail inputs of both agents have in common: positions, exclusions, and directives that
// tailship does not need.

import type { Draft } from './draft.ts';
import { areAll, globsOfPath, type Route, type Taking } from './event-routes.ts';
import { directivesOf, isComputed, type Directive, type Place, type Section } from './section.ts';

/** `pos_file` of fluentd, `DB` of Fluent Bit. */
function takePositionFile(section: Section, key: string, draft: Draft): void {
  const directive = directivesOf(section, key)[0];
  if (directive === undefined) return;
  const { value } = directive;
  if (!isComputed(value)) draft.addPositionFile(directive, value);
  draft.note('taken', directive, key, `${value}: tailship migrate takes these positions over`);
}

type Exclusion = { readonly directive: Directive; readonly globs: readonly string[] };
type Tail = {
  readonly place: Section;
  readonly globs: readonly string[];
  readonly exclusions: readonly Exclusion[];
};

export type InputTaking = Taking & { readonly tails: ContainerTails };

/**
 * The inputs that tail container logs. tailship has one list of exclusions: a container is on it if
 * an input excludes it and no other input reads it.
 */
export class ContainerTails {
  readonly #tails: Tail[] = [];

  add(place: Section, globs: readonly string[], excludeKey: string, draft: Draft): void {
    const exclusions: Exclusion[] = [];
    for (const directive of directivesOf(place, excludeKey)) {
      for (const path of listOf(directive.value)) {
        const excluded = globsOfPath(path.includes('/') ? path : `containers/${path}`);
        if (excluded === undefined || areAll(excluded)) {
          draft.note('none', directive, directive.key, `${path} names no containers`);
        } else exclusions.push({ directive, globs: excluded });
      }
    }
    this.#tails.push({ place, globs, exclusions });
  }

  /** Sets `include` and `exclude` once all inputs are known. */
  finish(draft: Draft): void {
    if (!this.#tails.some(({ globs }) => areAll(globs))) {
      for (const { place, globs } of this.#tails) draft.setOption('include', globs, place, 'path');
    }
    for (const tail of this.#tails) {
      for (const { directive, globs } of tail.exclusions) {
        const isRead = this.#tails.some((other) => other !== tail && mayRead(other, globs));
        const text = 'another input reads these containers, so they are not excluded';
        if (isRead) draft.note('changed', directive, directive.key, text);
        else draft.setOption('exclude', globs, directive, directive.key);
      }
    }
  }
}

function mayRead({ globs, exclusions }: Tail, excluded: readonly string[]): boolean {
  const isLeftOut = exclusions.some((each) => each.globs.join() === excluded.join());
  if (isLeftOut) return false;
  return areAll(globs) || globs.some((glob) => excluded.includes(glob));
}

/** Directives that tailship does not need, and why. */
const unneeded: Readonly<Record<string, string>> = {
  docker_mode: 'lines that the runtime cut are joined',
  buffer_chunk_size: 'lines up to 1 MiB are read whole',
  buffer_max_size: 'lines up to 1 MiB are read whole',
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

type TailKeys = {
  readonly subject: string;
  readonly tag: string;
  /** The directives for positions and for exclusions. */
  readonly positions: string;
  readonly exclude: string;
};

/** Takes an input that tails files, and returns its containers; undefined if there are none. */
export function takeTail(
  input: Section,
  { subject, tag, positions, exclude }: TailKeys,
  { draft, routes, tails }: InputTaking,
): readonly string[] | undefined {
  const paths = directivesOf(input, 'path').flatMap(({ value }) => listOf(value));
  const globs = paths.flatMap((path) => globsOfPath(path) ?? []);
  if (globs.length === 0) {
    routes.addSource(tag, undefined);
    const text = `${paths.join(', ').slice(0, 200)}: only container logs are read`;
    draft.note('none', input, subject, text);
    return undefined;
  }
  const excluded = directivesOf(input, exclude).flatMap(({ value }) => listOf(value));
  routes.addSource(
    tag,
    globs,
    excluded.flatMap((path) => globsOfPath(path) ?? []),
  );
  draft.note('taken', input, subject, `${paths.join(', ')}: the container logs of the node`);
  takePositionFile(input, positions, draft);
  tails.add(input, globs, exclude, draft);
  const [head] = directivesOf(input, 'read_from_head');
  const isFromHead = head && draft.flag(head);
  if (head !== undefined && isFromHead !== undefined) {
    draft.setOption('from', isFromHead ? 'start' : 'end', head, head.key);
  }
  for (const place of input.directives) {
    const text = unneeded[place.key.toLowerCase()];
    if (text !== undefined) draft.note('changed', place, place.key, text);
  }
  return globs;
}

/** `a,b`, or a JSON list. */
export function listOf(value: string): string[] {
  if (value.startsWith('[')) {
    try {
      const list = JSON.parse(value) as unknown;
      if (Array.isArray(list)) return list.map(String);
    } catch {
      // Ruby's quotes or a pattern: used as is.
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

/** Systemd units, if the input names them; without names it reads the whole journal. */
export function takeJournal(section: Section, subject: string, draft: Draft): void {
  draft.setOption('nodeLogs', 'auto', section, subject);
  const written = directivesOf(section, 'systemd_filter', 'filters', 'matches');
  const units = written.flatMap(({ value }) => {
    return Array.from(
      value.matchAll(/_SYSTEMD_UNIT"?\s*[=:]\s*"?([\w@.*-]+)/g),
      ([, unit]) => unit ?? '',
    );
  });
  if (units.length > 0) draft.setOption('nodeUnits', units, section, subject);
  else if (written.length > 0) draft.note('none', section, subject, 'units that are not named');
  else draft.setOption('nodeJournal', true, section, subject);
}

/** A throttle drops records above a count; tailship limits bytes and drops nothing. */
export function noteThrottle(
  place: Place,
  { draft, subject }: Omit<OtherOutput, 'isStdout' | 'hasCloud'>,
): void {
  const text =
    'nothing is dropped by its rate: --rate-limit GLOB=BYTES has it wait, sample of a rule drops a share';
  draft.note('none', place, subject, text);
}

/** For `null` outputs: what another input reads is shipped. */
export function excludeRoute(
  { globs, isShared }: Exclude<Route, { readonly reason: string }>,
  { draft, place, subject }: Pick<OtherOutput, 'draft' | 'subject'> & { readonly place: Place },
): void {
  const text = 'another input reads some of these containers, too: write exclude yourself';
  if (isShared) draft.note('none', place, subject, text);
  else draft.setOption('exclude', globs, place, subject);
}

type OtherOutput = {
  readonly draft: Draft;
  readonly subject: string;
  readonly isStdout: boolean;
  /** Entries go to Cloud Logging as well. */
  readonly hasCloud: boolean;
};

/** For outputs other than Cloud Logging: only stdout has an equivalent. */
export function takeOtherOutput(
  section: Section,
  { draft, subject, isStdout, hasCloud }: OtherOutput,
): void {
  const outputs = hasCloud ? ['endpoint', 'stdout'] : ['stdout'];
  if (isStdout) draft.setOption('output', outputs, section, subject);
  else draft.note('none', section, subject, 'entries go to Cloud Logging, --output for looking');
}
