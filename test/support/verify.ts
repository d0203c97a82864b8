// Waits until everything that a FakeKubelet wrote has arrived, and asserts that it did so exactly
// once, in order and unchanged.

import { expect } from 'vitest';
import type { FakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import { accountLines } from '../../src/emulator/kubelet/log-account.ts';
import type { Account } from '../../src/emulator/kubelet/log-account.ts';
import { verifyShipped } from '../../src/emulator/verify/verify-shipped.ts';
import type { Verdict } from '../../src/emulator/verify/verify-shipped.ts';
import { until } from './agent-process.ts';
import type { EmulatorProcess } from './agent-process.ts';

export type Shipped = { readonly kubelet: FakeKubelet; readonly emulator: EmulatorProcess };

export type Expectation = {
  readonly withinMs?: number;
  /** Lines whose file was deleted must have arrived too: the agent had the file open. */
  readonly deletedToo?: boolean;
};

/**
 * Waits until no line is missing but those the kubelet deleted; then expects the rest of the
 * verdict to be clean, and returns it.
 */
export async function expectExactlyOnce(
  { kubelet, emulator }: Shipped,
  options: Expectation = {},
): Promise<Verdict> {
  const account = options.deletedToo === true ? withoutDeletions(kubelet) : kubelet.account();
  const gone = account.containers.flatMap(({ deleted }) => deleted);
  const goneLines = gone.reduce((sum, { start, end }) => sum + end - start, 0);
  let verdict: Verdict | undefined;
  const look = async (): Promise<Verdict | undefined> => {
    // Reading all entries is dear; the count tells when that is worth while.
    const { distinctEntries } = await emulator.stats();
    if (distinctEntries < accountLines(account) - goneLines) return undefined;
    verdict = await verifyShipped(emulator.url, account);
    return verdict.lost === 0 ? verdict : undefined;
  };
  const all = await until('every line has arrived', look, options).catch(async () => {
    return verdict ?? verifyShipped(emulator.url, account);
  });
  expectClean(all);
  return all;
}

function withoutDeletions(kubelet: FakeKubelet): Account {
  const { seed, containers } = kubelet.account();
  return { seed, containers: containers.map((each) => ({ ...each, deleted: [] })) };
}

/** Expects that nothing is lost, doubled, out of order, altered or strange. */
export function expectClean(verdict: Verdict): void {
  const { lost, doubled, outOfOrder, altered, unknown, samples } = verdict;
  expect({ lost, doubled, outOfOrder, altered, unknown, samples }).toEqual({
    lost: 0,
    doubled: 0,
    outOfOrder: 0,
    altered: 0,
    unknown: 0,
    samples: [],
  });
}
