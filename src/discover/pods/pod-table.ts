// What is known about the node's pods. A deleted pod stays for some minutes, because its last lines
// are read after it is gone.
//
// Invariant: it holds the facts of the pods that the API server named and has not deleted, and of
// those that it deleted less than `keptMs` ago; nothing else of the pods.

import type { ContainerName } from '../container-name.ts';
import { describePod, type PodFacts } from './pod-labels.ts';

type Row = {
  facts: PodFacts;
  /** Monotonic milliseconds. */
  deletedAtMs: number | undefined;
  listing: number;
};

const uuidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export class PodTable {
  readonly #rows = new Map<string, Row>();
  readonly #keptMs: number;
  readonly #changed: (facts: PodFacts) => void;
  readonly #nowMs: () => number;
  #listing = 0;

  /**
   * `changed` gets pods that are new or whose labels or annotations have changed.
   */
  constructor(
    keptMs: number,
    changed: (facts: PodFacts) => void,
    nowMs: () => number = () => performance.now(),
  ) {
    this.#keptMs = keptMs;
    this.#changed = changed;
    this.#nowMs = nowMs;
  }

  get size(): number {
    return this.#rows.size;
  }

  /** Labels that had no room, of all pods. */
  get labelsCut(): number {
    let count = 0;
    for (const { facts } of this.#rows.values()) count += facts.labelsCut;
    return count;
  }

  /** What is not `seen` between now and `endListing` is deleted. */
  beginListing(): void {
    this.#listing += 1;
  }

  endListing(): void {
    const nowMs = this.#nowMs();
    for (const row of this.#rows.values()) {
      if (row.listing !== this.#listing) row.deletedAtMs ??= nowMs;
    }
    this.#expire(nowMs);
  }

  /** A pod as the API sends it: new, changed, or as before. */
  seen(object: unknown): void {
    const facts = describePod(object);
    if (facts === undefined) return;
    const row = this.#rows.get(facts.uid);
    if (row === undefined) {
      this.#rows.set(facts.uid, { facts, deletedAtMs: undefined, listing: this.#listing });
      this.#changed(facts);
      return;
    }
    row.deletedAtMs = undefined;
    row.listing = this.#listing;
    if (isSame(row.facts, facts)) return; // Its state changed, as it does all the time.
    row.facts = facts;
    this.#changed(facts);
  }

  /** A pod that the API server has deleted: its last lines still need its labels. */
  gone(object: unknown): void {
    this.seen(object);
    const facts = describePod(object);
    const row = facts === undefined ? undefined : this.#rows.get(facts.uid);
    const nowMs = this.#nowMs();
    if (row !== undefined) row.deletedAtMs = nowMs;
    this.#expire(nowMs);
  }

  find({ podUid, namespace, pod }: ContainerName): PodFacts | undefined {
    const row = this.#rows.get(podUid);
    if (row !== undefined) return row.facts;
    // A path of Docker's tells the container's id only. Of two pods with one name the UUID tells
    // which.
    if (uuidPattern.test(podUid)) return undefined;
    for (const { facts } of this.#rows.values()) {
      if (facts.pod === pod && facts.namespace === namespace) return facts;
    }
    return undefined;
  }

  #expire(nowMs: number): void {
    for (const [uid, { deletedAtMs }] of this.#rows) {
      if (deletedAtMs !== undefined && nowMs - deletedAtMs >= this.#keptMs) this.#rows.delete(uid);
    }
  }
}

function isSame(a: PodFacts, b: PodFacts): boolean {
  return (
    a.labels === b.labels &&
    JSON.stringify([a.annotations, a.texts]) === JSON.stringify([b.annotations, b.texts])
  );
}
