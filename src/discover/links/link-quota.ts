// How many logs one pod may have read: a pod that can make links and files by the thousand must not
// take the room, the descriptors and the time of the others.

import { limits } from '../../config.ts';

export class LinkQuota {
  /** Logs that are read, and links that are not because there are too many, by pod directory. */
  readonly #read = new Map<string, number>();
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

  /** A link more that is not read. Returns whether it is the first one of its pod. */
  addOver(owner: string): boolean {
    return add(this.#over, owner, 1) === 1;
  }

  removeOver(owner: string): void {
    add(this.#over, owner, -1);
  }

  /** Directories of pods with more logs than are read, and how many more. */
  get over(): ReadonlyMap<string, number> {
    return this.#over;
  }
}

/** Adds to a count, which is absent when it is 0; returns it. */
function add(counts: Map<string, number>, key: string, change: number): number {
  const count = (counts.get(key) ?? 0) + change;
  if (count <= 0) counts.delete(key);
  else counts.set(key, count);
  return count;
}
