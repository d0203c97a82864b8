// Which share of a realistic corpus the kernel encodes alone: lines as common logging libraries
// write them for Cloud Logging.

import { expect, test } from 'vitest';

import { drainHere, openFiles, plainSource } from './drain-bench.ts';
import { seededRandom } from './line-generator.ts';

const lineCount = 5_000;

/**
 * Lines of four services, each with its own members, all with severity, message, time and trace.
 */
function makeCorpus(seed: number): string {
  const random = seededRandom(seed);
  const hex = (digits: number) =>
    Array.from({ length: digits }, () => random.below(16).toString(16)).join('');
  const time = (at: number) => new Date(1_709_647_641_000 + at * 7).toISOString();
  const severities = ['DEBUG', 'INFO', 'info', 'WARNING', 'warn', 'ERROR'];
  const lines: string[] = [];
  for (let at = 0; at < lineCount; at += 1) {
    const severity = severities[random.below(severities.length)];
    const trace = { 'logging.googleapis.com/trace': hex(32) };
    const span = { 'logging.googleapis.com/spanId': hex(16) };
    const services = [
      {
        severity,
        message: `order ${at} "priced" in ${random.below(90)} ms`,
        time: time(at),
        ...trace,
      },
      {
        time: time(at),
        level: 'info',
        msg: 'cache miss',
        key: `user:${hex(6)}`,
        ttl: random.below(99) / 7,
      },
      {
        severity,
        time: time(at),
        message: 'request done: größer',
        ...trace,
        ...span,
        'logging.googleapis.com/trace_sampled': random.below(2) === 0,
        status: 200 + random.below(300),
        user: { id: hex(8), roles: ['a', 'b'], address: null },
        retries: [],
        ok: true,
      },
      {
        severity,
        message: 'labelled',
        'logging.googleapis.com/labels': { tier: 'gold' },
        n: -1.5e3,
        ...trace,
      },
    ];
    lines.push(`${time(at)} stdout F ${JSON.stringify(services[random.below(services.length)])}`);
  }
  return `${lines.join('\n')}\n`;
}

test('the kernel encodes at least 99 % of plain JSON logs alone', () => {
  const files = openFiles([makeCorpus(1)]);
  try {
    const { result } = drainHere([{ ...plainSource, segments: files.segments() }]);
    const [source] = result.sources;
    expect(source?.lines).toBe(lineCount);
    expect((source?.fastLines ?? 0) / lineCount).toBeGreaterThanOrEqual(0.99);
  } finally {
    files.close();
  }
});
