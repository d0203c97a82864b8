// Waits until an expectation holds, for as long as a loaded machine may take: the only limit of
// time for a condition within a process, as `until` of agent-process.ts is for one outside.

import { vi } from 'vitest';

/** Calls `holds` until it throws nothing; then throws what it threw last. */
export function eventually<T>(holds: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(holds, { timeout: 120_000, interval: 5 });
}
