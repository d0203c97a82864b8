// The measurement itself is checked against commands whose cost is known.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { measureInterval, startMeasured } from '../../bench/measure.ts';
import { secondsBetween } from '../../src/command/process-cost.ts';
import { eventually } from '../support/eventually.ts';

/**
 * Burns 0.4 s of CPU by its own clock, in a child if asked. Each process says on stderr what it has
 * used in all, in microseconds.
 */
function burn(inChild: boolean): { file: string; args: string[] } {
  const used = 'const used = () => process.cpuUsage().user + process.cpuUsage().system;';
  const loop = `${used} const end = used() + 400_000; while (used() < end); console.error(used());`;
  const nested = `${used}
    require('node:child_process').execFileSync(process.execPath, ['-e', ${JSON.stringify(loop)}]);
    console.error(used());`;
  return { file: process.execPath, args: ['-e', inChild ? nested : loop] };
}

// What the processes say of themselves is the truth in these tests: a machine that is taken away
// for a while bills that to whoever runs, so nobody knows beforehand what a loop or a start costs.
test.each([false, true])('`startMeasured()` counts CPU, in a child: %s', async (inChild) => {
  const { exitCode, cpuSeconds, stderr } = await startMeasured(burn(inChild)).finished;
  expect(exitCode).toBe(0);
  const reports = stderr.trim().split('\n').map(Number);
  expect(reports).toHaveLength(inChild ? 2 : 1);
  const ownSeconds = reports.reduce((sum, micros) => sum + micros, 0) / 1e6;
  // To the millisecond, a process; what ends it comes after its report.
  expect(cpuSeconds).toBeGreaterThan(ownSeconds - 0.005);
  expect(cpuSeconds).toBeLessThan(1.5 * ownSeconds);
});

test('`startMeasured()` sees the peak of memory that was given back', async () => {
  const script = 'let kept = Buffer.alloc(200e6, 1); kept = null; setTimeout(() => gc(), 100);';
  const { rssPeakBytes } = await startMeasured({
    file: process.execPath,
    args: ['--expose-gc', '-e', script],
  }).finished;
  expect(rssPeakBytes).toBeGreaterThan(200e6);
});

test('`startMeasured()` hands on exit code and stderr, and stops what runs on', async () => {
  const failed = await startMeasured({
    file: process.execPath,
    args: ['-e', 'console.error("no such thing"); process.exit(3)'],
  }).finished;
  expect(failed.exitCode).toBe(3);
  expect(failed.stderr).toContain('no such thing');

  const running = startMeasured({ file: 'sleep', args: ['60'] });
  await eventually(() => expect(running.tree().length).toBe(1));
  const stopped = await running.stop();
  expect(stopped.exitCode).not.toBe(0);
  expect(stopped.wallSeconds).toBeLessThan(30);
});

test.each([1, 2])(
  '`measureInterval()` sees a thread that is busy for %s ms of 100',
  async (busyMs) => {
    const loop = `const usedMs = () => process.threadCpuUsage().user / 1_000;
    setInterval(() => { const end = usedMs() + ${busyMs};
    while (usedMs() < end); }, 100)`;
    const script = `new (require('node:worker_threads').Worker)(${JSON.stringify(loop)}, { eval: true });
    process.on('message', () => process.send(process.cpuUsage()));`;
    const child = spawn(process.execPath, ['-e', script], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const readOwnSeconds = async () => {
      const answer = once(child, 'message') as Promise<[NodeJS.CpuUsage]>;
      child.send('how much?');
      const [{ user, system }] = await answer;
      return (user + system) / 1e6;
    };
    try {
      await readOwnSeconds();
      // The answers lie outside the interval. If the machine bills much to those, the next try
      // tells: an interval that misses a thread misses it in each.
      let missedPercent = Number.POSITIVE_INFINITY;
      for (let attempt = 0; attempt < 5 && missedPercent > 0; attempt += 1) {
        const before = await readOwnSeconds();
        const { cpuPercentOfCore, seconds } = await measureInterval(() => [child.pid ?? 0], 2);
        const ownPercent = (100 * ((await readOwnSeconds()) - before)) / seconds;
        expect(ownPercent).toBeGreaterThan(0.8 * busyMs);
        expect(cpuPercentOfCore).toBeLessThan(ownPercent + 0.02);
        // A turn of the loop or two, and the answers' own cost.
        missedPercent = 0.75 * ownPercent - 0.2 - cpuPercentOfCore;
      }
      expect(missedPercent).toBeLessThanOrEqual(0);
    } finally {
      child.kill('SIGKILL');
    }
  },
);

test('`secondsBetween()` counts new threads whole, and knows nothing when one has ended', () => {
  const before = new Map([
    ['1', 1e9],
    ['2', 2e9],
  ]);
  expect(secondsBetween(before, new Map([...before, ['1', 4e9], ['3', 5e8]]))).toBe(3.5);
  expect(secondsBetween(before, new Map([['1', 4e9]]))).toBeUndefined();
});
