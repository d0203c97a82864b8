// Counts by container the refused entries that are not kept as dead letters either.

import { limits } from '../config.ts';

export const givenUpCauses = ['dead_letter_unwritten', 'dead_letter_evicted'] as const;
export type GivenUpCause = (typeof givenUpCauses)[number];

/** `namespace/pod/container`, or '' if unknown → entries. */
export type EntriesByContainer = Map<string, number>;

export type GivenUpEntries = Readonly<Record<GivenUpCause, EntriesByContainer>>;

/** Beyond the limit of names, containers are counted as unknown. */
export function addEntries(counts: EntriesByContainer, container: string, entries: number): void {
  const isKept = counts.has(container) || counts.size < limits.lossContainersMax;
  const key = isKept ? container : '';
  counts.set(key, (counts.get(key) ?? 0) + entries);
}
