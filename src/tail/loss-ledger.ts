// What was lost so far: the sums, and the newest events; it hands on the notices.
//
// Invariant: every lost byte is in the sums; an event may be missing when there are many.

import { limits } from '../config.ts';
import type { EntryTemplate } from '../encode/entries/entry-template.ts';
import { lossReasons, type Loss, type LossReason } from './tail-setup.ts';
import type { ContainerNames } from './container-names.ts';
import type { LossNotice, LossNotices } from './loss-notices.ts';

export type LossCause =
  | LossReason
  | 'missed'
  | 'refused'
  | 'too_large'
  | 'denied'
  | 'dead_letter_unwritten'
  | 'dead_letter_evicted';

export type LossEvent = {
  /** Milliseconds since the epoch, of its beginning and end. */
  readonly atMs: number;
  readonly lastAtMs: number;
  /** undefined: the container is unknown. */
  readonly names: ContainerNames | undefined;
  readonly cause: LossCause;
  /** Of log files; 0 where entries are counted. */
  readonly bytes: number;
  readonly entries: number;
};

/** For users. */
export const lossWords: Readonly<Record<LossCause, string>> = {
  truncated: 'the file was truncated before it was read',
  deleted: 'the file was deleted before it could be read',
  not_unpacked: 'the compressed file is damaged or too large',
  held_bytes: 'more was waiting in deleted files than --held-bytes-max allows',
  held_age: 'it waited in a deleted file for longer than --held-age-max-ms allows',
  damaged: 'the copy of a deleted file is damaged',
  missed: 'the log came and went before it could be read',
  refused: 'Cloud Logging refused it; kept as a dead letter',
  too_large: 'too large for Cloud Logging; kept as a dead letter',
  denied: 'Cloud Logging gave no permission to write it; kept as a dead letter',
  dead_letter_unwritten: 'refused, and given up: the disk had no room for the dead letter',
  dead_letter_evicted: 'refused, and given up: newer dead letters needed the room',
};

/** Since the start; kept when the container is gone. */
export type ContainerLoss = ContainerNames & {
  readonly lostBytes: number;
  readonly bytesByReason: Readonly<Partial<Record<LossReason, number>>>;
};

/** Losses that follow within this time are one event. */
const sameEventMs = 60_000;

export class LossLedger {
  readonly #bytesByReason = Object.fromEntries(lossReasons.map((reason) => [reason, 0])) as Record<
    LossReason,
    number
  >;
  readonly #containers = new Map<string, ContainerLoss>();
  readonly #events: LossEvent[] = [];
  #notices: LossNotices | undefined;

  /** From now on losses are not only counted, but reported in the logs of their containers. */
  tellBy(notices: LossNotices): void {
    this.#notices = notices;
  }

  get bytesByReason(): Readonly<Record<LossReason, number>> {
    return this.#bytesByReason;
  }

  get containers(): readonly ContainerLoss[] {
    return [...this.#containers.values()];
  }

  /** The newest ones, oldest first. */
  get events(): readonly LossEvent[] {
    return this.#events;
  }

  /** Adds a loss; without a template it is only counted, no notice is sent. */
  enter(
    { file, reason, bytes }: Loss,
    template: EntryTemplate | undefined,
    names: ContainerNames | undefined,
  ): void {
    if (names !== undefined) this.#enterContainer(names, reason, bytes);
    this.note(reason, names, { bytes, entries: 0 });
    this.#bytesByReason[reason] += bytes;
    if (template !== undefined) this.#notify(file, reason, bytes, template);
  }

  #enterContainer(names: ContainerNames, reason: LossReason, bytes: number): void {
    const { namespace, pod, container } = names;
    const key = textOf(names);
    const before = this.#containers.get(key);
    if (before === undefined && this.#containers.size >= limits.lossContainersMax) return;
    const { lostBytes = 0, bytesByReason = {} } = before ?? {};
    this.#containers.set(key, {
      namespace,
      pod,
      container,
      lostBytes: lostBytes + bytes,
      bytesByReason: { ...bytesByReason, [reason]: (bytesByReason[reason] ?? 0) + bytes },
    });
  }

  /** Adds an event, and nothing to the sums. */
  note(
    cause: LossCause,
    names: ContainerNames | undefined,
    { bytes, entries }: Pick<LossEvent, 'bytes' | 'entries'> = { bytes: 0, entries: 0 },
  ): void {
    const nowMs = Date.now();
    const index = this.#events.findLastIndex(
      (event) => event.cause === cause && textOf(event.names) === textOf(names),
    );
    const before = this.#events[index];
    if (before !== undefined && nowMs - before.lastAtMs < sameEventMs) {
      const sums = { bytes: before.bytes + bytes, entries: before.entries + entries };
      this.#events[index] = { ...before, ...sums, lastAtMs: nowMs };
      return;
    }
    this.#events.push({ atMs: nowMs, lastAtMs: nowMs, names, cause, bytes, entries });
    if (this.#events.length > limits.lossEventsMax) this.#events.shift();
  }

  /** Reports in a container's log that its rate limit holds it back: nothing is lost. */
  enterHeldBack(file: Loss['file'], bytes: number, template: EntryTemplate): void {
    this.#notify(file, 'rate_limit', bytes, template);
  }

  #notify(
    { path, identity, offset }: Loss['file'],
    reason: LossNotice['reason'],
    bytes: number,
    template: EntryTemplate,
  ): void {
    const idPrefix = identity?.idPrefix;
    this.#notices?.add({ template, path, idPrefix, reason, offset, bytes, atMs: Date.now() });
  }
}

function textOf(names: ContainerNames | undefined): string {
  return names === undefined ? '' : `${names.namespace}/${names.pod}/${names.container}`;
}
