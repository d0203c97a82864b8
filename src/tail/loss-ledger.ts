// What was lost so far: the sums, and the notices that are still to be sent.
//
// Invariant: every lost byte is in the sums; a notice may be missing when there are very many.

import { limits } from '../config.ts';
import type { EntryTemplate } from '../encode/entries/entry-template.ts';
import { lossReasons, type Loss, type LossReason } from './tail-setup.ts';
import type { ContainerNames } from './container-names.ts';

/** Bytes `[offset, offset + bytes)` of one file that will never be shipped, or not yet. */
export type LossNotice = {
  readonly template: EntryTemplate;
  readonly path: string;
  /** The first 22 characters of the file's insertIds; undefined when its first line was unknown. */
  readonly idPrefix: string | undefined;
  readonly reason: LossReason | 'rate_limit';
  readonly offset: number;
  readonly bytes: number;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
};

/** Bytes since the start; kept when the container is long gone. */
export type ContainerLoss = ContainerNames & { readonly lostBytes: number };

/** Where in which file. */
type LossPlace = Loss['file'];

export class LossLedger {
  readonly #bytesByReason = Object.fromEntries(lossReasons.map((reason) => [reason, 0])) as Record<
    LossReason,
    number
  >;
  readonly #containers = new Map<string, ContainerLoss>();
  readonly #notices: LossNotice[] = [];

  /** Bytes since the start. */
  get bytesByReason(): Readonly<Record<LossReason, number>> {
    return this.#bytesByReason;
  }

  /** Containers that have lost bytes. */
  get containers(): readonly ContainerLoss[] {
    return [...this.#containers.values()];
  }

  /** Adds a loss; without a template it is only counted, no notice is sent. */
  enter(
    { file, reason, bytes }: Loss,
    template: EntryTemplate | undefined,
    names: ContainerNames | undefined,
  ): void {
    if (names !== undefined) this.#enterContainer(names, bytes);
    this.#bytesByReason[reason] += bytes;
    if (template !== undefined) this.#notify(file, reason, bytes, template);
  }

  #enterContainer({ namespace, pod, container }: ContainerNames, bytes: number): void {
    const key = `${namespace}/${pod}/${container}`;
    const lostBytes = this.#containers.get(key)?.lostBytes;
    if (lostBytes === undefined && this.#containers.size >= limits.lossContainersMax) return;
    this.#containers.set(key, { namespace, pod, container, lostBytes: (lostBytes ?? 0) + bytes });
  }

  /** Notes for a container's own log that its rate limit holds it back; nothing is lost by it. */
  enterHeldBack(file: LossPlace, bytes: number, template: EntryTemplate): void {
    this.#notify(file, 'rate_limit', bytes, template);
  }

  #notify(
    { path, identity, offset }: LossPlace,
    reason: LossNotice['reason'],
    bytes: number,
    template: EntryTemplate,
  ): void {
    if (this.#notices.length >= limits.lossNoticesMax) return;
    const idPrefix = identity?.idPrefix;
    this.#notices.push({ template, path, idPrefix, reason, offset, bytes, atMs: Date.now() });
  }

  /**
   * Notices that were not taken before, the oldest first: those of one project, the first that is
   * not busy.
   */
  take(countMax: number, isBusy: (project: string | undefined) => boolean): LossNotice[] {
    const first = this.#notices.find(({ template }) => !isBusy(template.project));
    if (first === undefined) return [];
    const { project } = first.template;
    const isTaken = ({ template }: LossNotice) => template.project === project;
    const taken = this.#notices.filter(isTaken).slice(0, countMax);
    const left = new Set(taken);
    this.#notices.splice(0, Infinity, ...this.#notices.filter((notice) => !left.has(notice)));
    return taken;
  }
}
