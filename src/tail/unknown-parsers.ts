// Names of parsers in annotations that mean nothing here: each name is reported once, and the
// containers that ask for one are counted.

import { Refusals } from './refusals.ts';

export class UnknownParsers {
  readonly #names = new Refusals();
  readonly #containers = new Refusals();

  /** Containers since the start, each with each name once. */
  get count(): number {
    return this.#containers.count;
  }

  /** Returns whether the name is to be reported. */
  note(name: string, container: string): boolean {
    this.#containers.note(`${container} ${name}`);
    return this.#names.note(name);
  }
}
