import { threadCpuUsage } from 'node:process';
import { describe, expect, test } from 'vitest';
import { createHeartbeat } from '../../src/status/heartbeat.ts';

/** CPU time: on a loaded machine another process may have the core for most of the wall time. */
function burnCpuMs(ms: number): void {
  const before = threadCpuUsage();
  const usedMs = () => {
    const { user, system } = threadCpuUsage(before);
    return (user + system) / 1_000;
  };
  while (usedMs() < ms);
}

describe('createHeartbeat()', () => {
  test('says how late the latest tick was, for 15 to 30 seconds', () => {
    let atMs = 0;
    const heartbeat = createHeartbeat(1_000, () => atMs);
    const tickAt = (ms: number): number => {
      atMs = ms;
      heartbeat.begin();
      return heartbeat.read().lagMs;
    };
    expect([tickAt(1_000), tickAt(2_250), tickAt(3_250)]).toEqual([0, 250, 250]);
    for (let ms = 4_250; ms < 29_000; ms += 1_000) expect(tickAt(ms)).toBe(250);
    for (let ms = 29_250; ms < 33_000; ms += 1_000) tickAt(ms);
    expect(tickAt(33_250)).toBe(0);
  });

  test('says how long ago the last tick and the last saving were', () => {
    let atMs = 0;
    const heartbeat = createHeartbeat(1_000, () => atMs);
    atMs = 400;
    heartbeat.begin();
    atMs = 500;
    heartbeat.saved();
    atMs = 2_500;
    expect(heartbeat.read()).toMatchObject({ tickAgeMs: 2_100, savedAgeMs: 2_000 });
  });

  test('charges each stage with the CPU time since the one before', () => {
    const heartbeat = createHeartbeat(1_000);
    heartbeat.begin();
    burnCpuMs(100);
    heartbeat.spent('tail');
    heartbeat.spent('commit');
    const { cpuMicrosByStage, mainCpuMicros } = heartbeat.read();
    expect(cpuMicrosByStage.tail).toBeGreaterThan(90_000);
    expect(cpuMicrosByStage.commit).toBeLessThan(cpuMicrosByStage.tail / 2);
    expect(mainCpuMicros).toBeGreaterThanOrEqual(cpuMicrosByStage.tail);
  });
});
