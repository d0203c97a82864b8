// The facts of the node's pods. A deleted pod is kept for `keptMs`, because its last lines are read
// after it is gone.

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
  #listing = 0;

  /** `changed` gets pods that are new or whose labels or annotations have changed. */
  constructor(keptMs: number, changed: (facts: PodFacts) => void) {
    this.#keptMs = keptMs;
    this.#changed = changed;
  }

  get size(): number {
    return this.#rows.size;
  }

  /** Labels that do not fit, of all pods. */
  get labelsCut(): number {
    let count = 0;
    for (const { facts } of this.#rows.values()) count += facts.labelsCut;
    return count;
  }

  /** Pods that are not `seen` until `endListing` are deleted. */
  beginListing(): void {
    this.#listing += 1;
  }

  endListing(): void {
    const nowMs = performance.now();
    for (const row of this.#rows.values()) {
      if (row.listing !== this.#listing) row.deletedAtMs ??= nowMs;
    }
    this.#expire(nowMs);
  }

  /** `object`: a pod as the API sends it. */
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
    if (isSame(row.facts, facts)) return; // Only its state has changed.
    row.facts = facts;
    this.#changed(facts);
  }

  gone(object: unknown): void {
    this.seen(object);
    const facts = describePod(object);
    const row = facts === undefined ? undefined : this.#rows.get(facts.uid);
    const nowMs = performance.now();
    if (row !== undefined) row.deletedAtMs = nowMs;
    this.#expire(nowMs);
  }

  find({ podUid, namespace, pod }: ContainerName): PodFacts | undefined {
    const row = this.#rows.get(podUid);
    if (row !== undefined) return row.facts;
    // Docker's paths contain only the container's id: then the names must do.
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
