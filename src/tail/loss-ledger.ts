// What was lost so far: the sums, and the notices that are still to be told. fleet.ts enters each
// loss, pipeline.ts takes the notices, agent-status.ts prints the sums.
//
// Invariant: every lost byte is in the sums; a notice may be missing when there are very many.

import { limits } from '../config.ts';
import type { EntryTemplate } from '../encode/entry-template.ts';
import type { LogFile } from './log-file.ts';
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
export type ContainerLoss = ContainerNames & { lostBytes: number };

export class LossLedger {
  /** Bytes since the start. */
  readonly bytesByReason: Record<LossReason, number>;
  readonly #containers = new Map<string, ContainerLoss>();
  readonly #notices: LossNotice[] = [];

  constructor() {
    const zeros = lossReasons.map((reason) => [reason, 0] as const);
    this.bytesByReason = Object.fromEntries(zeros) as Record<LossReason, number>;
  }

  /** Adds a loss; without a template it is only counted, no notice is sent. */
  enter(
    { file, reason, bytes }: Loss,
    template: EntryTemplate | undefined,
    names: ContainerNames | undefined,
  ): void {
    if (names !== undefined) this.#enterContainer(names, bytes);
    this.bytesByReason[reason] += bytes;
    if (template === undefined || this.#notices.length >= limits.lossNoticesMax) return;
    const { path, identity, offset } = file;
    const idPrefix = identity?.idPrefix;
    const atMs = Date.now();
    this.#notices.push({ template, path, idPrefix, reason, offset, bytes, atMs });
  }

  #enterContainer({ namespace, pod, container }: ContainerNames, bytes: number): void {
    const key = `${namespace}/${pod}/${container}`;
    const known = this.#containers.get(key);
    if (known !== undefined) {
      known.lostBytes += bytes;
    } else if (this.#containers.size < limits.lossContainersMax) {
      this.#containers.set(key, { namespace, pod, container, lostBytes: bytes });
    }
  }

  /** Containers that have lost bytes. */
  get containers(): readonly ContainerLoss[] {
    return [...this.#containers.values()];
  }

  /** Tells a container that its rate limit holds it back; nothing is lost by it. */
  tellHeldBack(file: LogFile, bytes: number, template: EntryTemplate): void {
    if (this.#notices.length >= limits.lossNoticesMax) return;
    const { path, identity, offset } = file;
    const idPrefix = identity?.idPrefix;
    const atMs = Date.now();
    this.#notices.push({ template, path, idPrefix, reason: 'rate_limit', offset, bytes, atMs });
  }

  /** Notices that were not taken before, the oldest first. */
  take(countMax: number): LossNotice[] {
    return this.#notices.splice(0, countMax);
  }
}
