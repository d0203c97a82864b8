// What was lost so far: the sums, and the newest events; it hands on the notices.
//
// Invariant: every lost byte is in the sums; an event may be missing when there are many.

import { limits } from '../config.ts';
import type { EntryTemplate } from '../encode/entries/entry-template.ts';
import { lossReasons, type Loss, type LossReason } from './tail-setup.ts';
import type { ContainerNames } from './container-names.ts';
import type { LossCause, LossEvent } from './loss-event.ts';
import type { LossNotice, LossNotices } from './loss-notices.ts';

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

  #enterContainer(
    { namespace, pod, container }: ContainerNames,
    reason: LossReason,
    bytes: number,
  ): void {
    const key = `${namespace}/${pod}/${container}`;
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
      (event) => event.cause === cause && isSame(event.names, names),
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

function isSame(left: ContainerNames | undefined, right: ContainerNames | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return (
    left.namespace === right.namespace &&
    left.pod === right.pod &&
    left.container === right.container
  );
}
