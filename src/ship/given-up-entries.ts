// Counts by container the refused entries that could not be kept as dead letters either, for
// `/metrics` and the list of losses.

import { limits } from '../config.ts';

export const givenUpCauses = ['dead_letter_unwritten', 'dead_letter_evicted'] as const;
export type GivenUpCause = (typeof givenUpCauses)[number];

/** `namespace/pod/container`, '' where it is not known → entries. */
export type EntriesByContainer = Map<string, number>;

export type GivenUpEntries = Readonly<Record<GivenUpCause, EntriesByContainer>>;

/** Past the bound of names, the others are counted as not known. */
export function addEntries(counts: EntriesByContainer, container: string, entries: number): void {
  const isKept = counts.has(container) || counts.size < limits.lossContainersMax;
  const key = isKept ? container : '';
  counts.set(key, (counts.get(key) ?? 0) + entries);
}
