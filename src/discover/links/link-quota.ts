// Limits how many logs of one pod are read: a pod with thousands of links must not take the memory,
// descriptors and time of the others.

import { limits } from '../../config.ts';

export class LinkQuota {
  /** Logs that are read, by pod directory. */
  readonly #read = new Map<string, number>();
  /** Links that are not read because there are too many. */
  readonly #over = new Map<string, number>();

  hasRoom(owner: string): boolean {
    return (this.#read.get(owner) ?? 0) < limits.linksPerPodMax;
  }

  take(owner: string): void {
    add(this.#read, owner, 1);
  }

  giveBack(owner: string): void {
    add(this.#read, owner, -1);
  }

  /** Adds a link that is not read; true for the first one of a pod. */
  addOver(owner: string): boolean {
    return add(this.#over, owner, 1) === 1;
  }

  removeOver(owner: string): void {
    add(this.#over, owner, -1);
  }

  /** By pod directory. */
  get over(): ReadonlyMap<string, number> {
    return this.#over;
  }
}

/** A count of 0 is absent. */
function add(counts: Map<string, number>, key: string, change: number): number {
  const count = (counts.get(key) ?? 0) + change;
  if (count <= 0) counts.delete(key);
  else counts.set(key, count);
  return count;
}
