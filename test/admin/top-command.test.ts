import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AdminServer, startAdmin } from '../../src/admin/admin-server.ts';
import type { AgentStatus } from '../../src/admin/admin-source.ts';
import { compareLooks, runTop, type TopTable, topLines } from '../../src/admin/top-command.ts';
import { makeConfig } from '../../src/config-loader.ts';
import { createLog } from '../../src/log.ts';
import { createSampleSource, sampleStatus, type SampleSource } from './status-fixture.ts';

function grown(status: AgentStatus, bytes: readonly number[]): AgentStatus {
  const total = bytes.reduce((sum, more) => sum + more, 0);
  return {
    ...status,
    bytes: status.bytes + total,
    lines: status.lines + 20,
    cpuSecondsByStage: { drain: 0.35, rest: 0.6 },
    workloads: status.workloads.map((workload, index) => ({
      ...workload,
      bytes: workload.bytes + (bytes[index] ?? 0),
    })),
  };
}

describe('compareLooks()', () => {
  test('gives rates per second and puts the busiest first', () => {
    const now = { status: grown(sampleStatus, [100, 3_900]), atMs: 12_000 };
    const table = compareLooks({ status: sampleStatus, atMs: 10_000 }, now);
    expect(table).toMatchObject({ seconds: 2, bytesPerSecond: 2_000, linesPerSecond: 10 });
    expect(table.cores).toBeCloseTo(0.1);
    expect(table.workloads.map(({ pod, bytesPerSecond }) => [pod, bytesPerSecond])).toEqual([
      ['web-0', 1_950],
      ['cart-0', 50],
    ]);
  });

  test('counts from the start of an agent that was started again between', () => {
    const restarted = { ...sampleStatus, startedAt: '2026-01-03T00:00:00.000Z', bytes: 500 };
    const before = { status: sampleStatus, atMs: 0 };
    expect(compareLooks(before, { status: restarted, atMs: 1_000 }).bytesPerSecond).toBe(500);
  });

  test('counts a workload that is new from its start', () => {
    const before = { status: { ...sampleStatus, workloads: [] }, atMs: 0 };
    const table = compareLooks(before, { status: sampleStatus, atMs: 1_000 });
    expect(table.workloads[0]?.bytesPerSecond).toBe(150_000);
  });
});

describe('topLines()', () => {
  test('aligns the columns', () => {
    const now = { status: grown(sampleStatus, [100, 3_900]), atMs: 1_000 };
    expect(topLines(compareLooks({ status: sampleStatus, atMs: 0 }, now))).toEqual([
      'tailship 1.2.3   20 lines/s   4.0 kB/s   behind 5.0 kB, 1.5 s   in flight 2.0 kB   CPU 20.0 %   RSS 80 MB',
      '',
      'BYTES/S  LINES/S  BEHIND   TOTAL  NAMESPACE  POD     CONTAINER',
      ' 3.9 kB        0     0 B   54 kB  shop       web-0   <b>&"',
      '  100 B        0  5.0 kB  150 kB  shop       cart-0  app',
    ]);
  });

  test('lets no name of a pod move the cursor', () => {
    const [workload] = sampleStatus.workloads;
    const workloads = workload === undefined ? [] : [{ ...workload, pod: 'a\u001b[2J\nb' }];
    const look = { status: { ...sampleStatus, workloads }, atMs: 0 };
    expect(topLines(compareLooks(look, look)).at(-1)).toContain('a?[2J?b');
  });
});

describe('runTop()', () => {
  let source: SampleSource;
  let server: AdminServer;
  const log = createLog({ level: 'error', write: () => undefined });

  beforeEach(async () => {
    source = createSampleSource();
    server = await startAdmin({ host: '127.0.0.1', port: 0 }, source, log);
  });
  afterEach(async () => {
    await server.close();
  });

  function configOf(overrides: Parameters<typeof makeConfig>[0] = {}) {
    const port = Number(new URL(server.url).port);
    return makeConfig({ adminAddress: { host: '0.0.0.0', port }, intervalMs: 100, ...overrides });
  }

  test('--once --json prints one line of JSON and ends', async () => {
    const lines: string[] = [];
    const control = {
      signal: new AbortController().signal,
      log,
      write: (line: string) => void lines.push(line),
    };
    const config = configOf({ once: true, json: true });
    expect(await runTop(config, control, { terminalSize: () => undefined })).toBe(0);
    expect(lines).toHaveLength(1);
    expect((JSON.parse(lines[0] ?? '') as TopTable).status).toEqual(sampleStatus);
  });

  test('draws again and again, cut to the terminal, until it is stopped', async () => {
    const stop = new AbortController();
    const screens: string[] = [];
    const write = (screen: string): void => {
      screens.push(screen);
      if (screens.length === 3) stop.abort('SIGINT');
    };
    const control = { signal: stop.signal, log, write };
    const terminalSize = () => ({ columns: 30, rows: 4 });
    expect(await runTop(configOf(), control, { terminalSize })).toBe(0);
    expect(screens).toHaveLength(3);
    const [first = ''] = screens;
    expect(first.startsWith('\u001b[H\u001b[J')).toBe(true);
    const rows = first.slice('\u001b[H\u001b[J'.length).split('\n');
    expect(rows).toHaveLength(3);
    expect(Math.max(...rows.map((row) => row.length))).toBeLessThanOrEqual(30);
  });

  test('says CONFIG_INVALID when the address is off', async () => {
    const control = { signal: new AbortController().signal, log, write: () => undefined };
    const config = configOf({ adminAddress: undefined });
    await expect(runTop(config, control, { terminalSize: () => undefined })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });
});
