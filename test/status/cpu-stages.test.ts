// What is computed from several readings may come out lower than before; its counter does not.

import { expect, test } from 'vitest';
import { cpuSecondsByStage, createRising } from '../../src/status/cpu-stages.ts';

test('a counter never falls, and goes on where the sum exceeds it', () => {
  const rising = createRising();
  expect([3, 2, 5, 4, 6].map((value) => rising('a', value))).toEqual([3, 3, 5, 5, 6]);
  expect(rising('b', 0)).toBe(0);
});

test('the time of a task is no other stage until it has answered, and makes none fall', () => {
  const rising = createRising();
  const cpuMicrosByStage = { tail: 0, commit: 0 };
  const heartbeat = { read: () => ({ cpuMicrosByStage, mainCpuMicros: 0 }) };
  const at = (drainCpuMicros: number) => {
    const spent = { heartbeat, pipeline: { totals: { drainCpuMicros } }, discovery: undefined };
    return cpuSecondsByStage(spent, 0, rising);
  };
  const during = at(0);
  // All that this process has spent so far was the task's.
  const { user, system } = process.cpuUsage();
  const after = at(user + system);
  expect(after['drain']).toBeGreaterThan(0);
  for (const [stage, seconds] of Object.entries(during)) {
    expect(after[stage], stage).toBeGreaterThanOrEqual(seconds);
  }
});
