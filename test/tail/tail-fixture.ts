// What the tests of the tail stage give a chain, unless they say otherwise: nothing is stored, and
// what is lost or reported goes nowhere.

import { OpenFiles } from '../../src/tail/open-files.ts';
import type { KnownOffset, TailSetup } from '../../src/tail/tail-setup.ts';

export function makeTailSetup(root: string, overrides: Partial<TailSetup> = {}): TailSetup {
  return {
    roots: [root],
    openFiles: new OpenFiles(100),
    from: () => 'start',
    listUntilMs: () => Number.POSITIVE_INFINITY,
    once: false,
    lookup: () => [],
    remember: () => undefined,
    forget: () => undefined,
    lost: () => undefined,
    missed: () => undefined,
    trace: () => undefined,
    report: () => undefined,
    ...overrides,
  };
}

/**
 * Stands in for the store of checkpoints of one container: one offset a fingerprint and instance.
 */
export class OffsetStore {
  #offsets: readonly KnownOffset[] = [];

  get offsets(): readonly KnownOffset[] {
    return this.#offsets;
  }

  replaceAll(offsets: readonly KnownOffset[]): void {
    this.#offsets = offsets;
  }

  /** These parts of a chain's setup. */
  readonly setup: Pick<TailSetup, 'lookup' | 'remember' | 'forget'> = {
    lookup: () => this.#offsets,
    remember: (checkpoint) => this.remember(checkpoint),
    forget: (_owner, key) => this.#forget(key),
  };

  remember(checkpoint: KnownOffset): void {
    this.#forget(checkpoint);
    this.#offsets = [...this.#offsets, checkpoint];
  }

  #forget({ fingerprint, instance }: Pick<KnownOffset, 'fingerprint' | 'instance'>): void {
    this.#offsets = this.#offsets.filter(
      (each) => each.fingerprint !== fingerprint || each.instance !== instance,
    );
  }
}
