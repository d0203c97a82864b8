// What synthetic containers wrote and what their kubelet deleted: the truth that shipped entries
// are compared with.
//
// Invariant: line `seq` of a container is `explicit` or else what its LineSource gives for `seq`;
// numbers begin at 1 and have no holes.

import type { LineKind, Stream } from './log-lines.ts';

/** Lines `[start, end)` of a container by number. */
export type SeqRange = { start: number; end: number };

export type ExplicitLine = { readonly stream: Stream; text: string };

export type ContainerAccount = {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly kind: LineKind;
  /** Target length of generated messages; undefined is the kind's own. */
  readonly bytes: number | undefined;
  /** How many lines were written, which is the last number. */
  lines: number;
  /** Bytes written to files, CRI headers included. */
  fileBytes: number;
  /** Lines that were given as text, by number. */
  readonly explicit: Map<number, ExplicitLine>;
  /** Lines whose file was deleted or truncated: each was shipped before, or is missing. */
  readonly deleted: SeqRange[];
};

export type Account = {
  readonly seed: number;
  readonly containers: readonly ContainerAccount[];
};

/** Lines written in all containers. */
export function accountLines(account: Account): number {
  return account.containers.reduce((sum, container) => sum + container.lines, 0);
}
