import { PassThrough } from 'node:stream';
import type { ReadStream } from 'node:tty';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AdminServer, startAdmin } from '../../src/admin/admin-server.ts';
import type { AgentStatus } from '../../src/admin/admin-source.ts';
import { nextView, runTop } from '../../src/admin/top-command.ts';
import { compareLooks, firstView, topLines, type TopTable } from '../../src/admin/top-table.ts';
import { createLog } from '../../src/log.ts';
import { until } from '../support/agent-process.ts';
import {
  createSampleSource,
  sampleJournal,
  sampleStatus,
  sampleWorkload,
  type SampleSource,
} from './status-fixture.ts';
import { makeConfig } from '../support/make-config.ts';

/** With these rates, of what is written. */
function writing(status: AgentStatus, bytesPerSecond: readonly number[]): AgentStatus {
  return {
    ...status,
    cpuSecondsByStage: { drain: 0.35, main: 0.6 },
    workloads: status.workloads.map((workload, index) => ({
      ...workload,
      bytesPerSecond: bytesPerSecond[index] ?? 0,
      linesPerSecond: (bytesPerSecond[index] ?? 0) / 10,
      ...(index === 0 && { errorShares: [0, 0.024, 0.0004, null], lostBytes: 9 }),
    })),
  };
}

describe('compareLooks()', () => {
  test('puts first what writes most, whatever is shipped of it', () => {
    const now = { status: writing(sampleStatus, [100, 3_900]), atMs: 12_000 };
    const table = compareLooks({ status: sampleStatus, atMs: 10_000 }, now);
    expect(table).toMatchObject({
      seconds: 2,
      bytesPerSecond: 4_000,
      linesPerSecond: 400,
      shippedBytesPerSecond: 1_000,
    });
    expect(table.cores).toBeCloseTo(0.1);
    expect(table.workloads.map(({ pod, bytesPerSecond }) => [pod, bytesPerSecond])).toEqual([
      ['web-0', 3_900],
      ['cart-0', 100],
    ]);
  });

  test('counts the CPU from the start of an agent that was started again between', () => {
    const restarted = { ...sampleStatus, startedAt: '2026-01-03T00:00:00.000Z' };
    const before = { status: sampleStatus, atMs: 0 };
    expect(compareLooks(before, { status: restarted, atMs: 1_000 }).cores).toBe(0.75);
  });
});

describe('topLines()', () => {
  test('shows how the agent is, and aligns the columns', () => {
    const now = { status: writing(sampleStatus, [100, 3_900]), atMs: 1_000 };
    expect(topLines(compareLooks({ status: sampleStatus, atMs: 0 }, now))).toEqual([
      'tailship 1.2.3   NOT READY: state   400 lines/s   4.0 kB/s   shipped 1.0 kB/s   errors 20/10/5.0 %   behind 5.0 kB, 1.5 s   in flight 2.0 kB   CPU 20.0 %   RSS 80 MB',
      'answers 200: 6, 429: 2, SHIP_TIMEOUT: 1   retries 3   dead letters 4   dropped 2   lost 9 B   about $25 a month',
      '',
      'BYTES/S  LINES/S  ERR%  BEHIND    LAG   TOTAL  ERR 1/5/15M  $/MONTH            LOST  NAMESPACE  POD     CONTAINER',
      ' 3.9 kB      390     0     0 B  0.0 s   50 kB        0/0/0      $12               0  shop       web-0   <b>&"',
      '  100 B       10     0  5.0 kB  1.5 s  150 kB   2.4/<0.1/0      $12  9 B, 2 refused  shop       cart-0  app',
    ]);
  });

  test('says how the journal is, where it is shipped', () => {
    const status = { ...sampleStatus, journal: sampleJournal };
    const drawn = topLines(compareLooks({ status, atMs: 0 }, { status, atMs: 9 }));
    expect(drawn[2]).toBe(
      'journal 1,500 entries   behind 12, 1.5 s   LOST 3   in memory only   UNREADABLE 1 file   kubelet 1,500+12   <b>&" 5   docker excluded',
    );
  });

  test('sorts by any column, searches and scrolls', () => {
    const table = compareLooks(
      { status: sampleStatus, atMs: 0 },
      { status: sampleStatus, atMs: 9 },
    );
    const podsOf = (view: Partial<typeof firstView>): string[] =>
      topLines(table, { ...firstView, ...view })
        .slice(4)
        .map((line) => /(cart|web)-0/.exec(line)?.[0] ?? '');
    expect(podsOf({ sortedBy: 5 })).toEqual(['cart-0', 'web-0']);
    expect(podsOf({ sortedBy: 5, isAscending: true })).toEqual(['web-0', 'cart-0']);
    expect(podsOf({ sortedBy: 10, isAscending: true })).toEqual(['cart-0', 'web-0']);
    expect(podsOf({ search: 'WEB' })).toEqual(['web-0']);
    expect(podsOf({ skipped: 1 })).toEqual(['web-0']);
  });

  test('lets no name of a pod move the cursor', () => {
    const [workload] = sampleStatus.workloads;
    const workloads = workload === undefined ? [] : [{ ...workload, pod: 'a\u001b[2J\nb' }];
    const look = { status: { ...sampleStatus, workloads }, atMs: 0 };
    expect(topLines(compareLooks(look, look)).at(-1)).toContain('a?[2J?b');
  });
});

describe('nextView()', () => {
  test('sorts numbers from the largest and names from a, and turns round', () => {
    const byLag = nextView(firstView, '5', 9);
    expect(byLag).toMatchObject({ sortedBy: 4, isAscending: false });
    expect(nextView(byLag, '5', 9)).toMatchObject({ sortedBy: 4, isAscending: true });
    expect(nextView(byLag, 'r', 9)).toMatchObject({ sortedBy: 4, isAscending: true });
    expect(nextView(byLag, '9', 9)).toMatchObject({ sortedBy: 8, isAscending: false });
    expect(nextView(byLag, '0', 9)).toMatchObject({ sortedBy: 9, isAscending: true });
    expect(nextView(firstView, 'left', 9)).toMatchObject({ sortedBy: 11, isAscending: true });
    expect(nextView(firstView, 'right', 9)).toMatchObject({ sortedBy: 1 });
  });

  test('scrolls between the first and the last row', () => {
    expect(nextView(firstView, 'up', 3).skipped).toBe(0);
    expect(nextView(firstView, 'j', 3).skipped).toBe(1);
    expect(nextView(firstView, 'pagedown', 3).skipped).toBe(2);
    expect(nextView({ ...firstView, skipped: 2 }, 'home', 3).skipped).toBe(0);
    expect(nextView(firstView, 'pagedown', 0).skipped).toBe(0);
  });
});

/** A stdin that is a terminal, as far as `top` can tell. */
function createInput(): ReadStream & { readonly modes: boolean[] } {
  const modes: boolean[] = [];
  const setRawMode = (isRaw: boolean): void => void modes.push(isRaw);
  return Object.assign(new PassThrough(), { isRaw: false, setRawMode, modes }) as never;
}

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

  /** Runs `top` on a terminal of 12 rows; `onScreen` is called with each screen. */
  async function runOnTerminal(onScreen: (screen: string) => void, columns = 100) {
    const input = createInput();
    const written: string[] = [];
    const stop = new AbortController();
    const control = {
      signal: stop.signal,
      log,
      write: (text: string) => {
        written.push(text);
        if (text.startsWith('\u001b[H')) onScreen(stripVTControlCharacters(text));
      },
    };
    const code = runTop(configOf(), control, {
      terminalSize: () => ({ columns, rows: 12 }),
      terminalInput: () => input,
    });
    return { input, written, stop, code };
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

  test('--once is as wide as the terminal', async () => {
    const lines: string[] = [];
    const write = (line: string): void => void lines.push(line);
    const control = { signal: new AbortController().signal, log, write };
    const terminalSize = () => ({ columns: 80, rows: 12 });
    expect(await runTop(configOf({ once: true }), control, { terminalSize })).toBe(0);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(lines.some((line) => line.includes('CONTAINER'))).toBe(true);
  });

  test('without a terminal the tables follow each other, whole', async () => {
    const lines: string[] = [];
    const stop = new AbortController();
    const write = (line: string): void => {
      lines.push(line);
      if (lines.length === 12) stop.abort('SIGINT');
    };
    const control = { signal: stop.signal, log, write };
    expect(await runTop(configOf(), control, { terminalSize: () => undefined })).toBe(0);
    expect(lines[0]).toMatch(/^tailship 1\.2\.3/);
    expect(lines[6]).toMatch(/^tailship 1\.2\.3/);
  });

  test('draws on a screen of its own, cut to its width, and leaves the terminal as it was', async () => {
    const screens: string[] = [];
    const { code, input, stop, written } = await runOnTerminal((screen) => {
      screens.push(screen);
      if (screens.length === 3) stop.abort('SIGTERM');
    }, 30);
    expect(await code).toBe(0);
    for (const row of screens[0]?.split('\n') ?? []) expect(row.length).toBeLessThanOrEqual(30);
    expect(written[0]).toContain('\u001b[?1049h');
    expect(written.at(-1)).toContain('\u001b[?1049l');
    expect(input.modes).toEqual([true, false]);
  });

  test.each([80, 100, 140])(
    'shows both status lines and each container at %i columns',
    async (columns) => {
      const long = {
        ...sampleWorkload,
        namespace: 'payments-production',
        pod: 'checkout-frontend-7d9c6b8f5d-x2x9k',
        container: 'istio-proxy',
      };
      source.read = () => ({ ...sampleStatus, workloads: [long] });
      let screen = '';
      const { code, stop } = await runOnTerminal((drawn) => {
        screen = drawn;
      }, columns);
      await until('the table is drawn', () => screen.includes('BYTES/S'));
      stop.abort('SIGTERM');
      expect(await code).toBe(0);
      for (const word of ['tailship 1.2.3', 'NOT READY: state', 'in flight 2.0 kB', 'RSS 80 MB']) {
        expect(screen).toContain(word);
      }
      for (const word of ['retries 3', 'dead letters 4', 'lost 9 B', 'a month']) {
        expect(screen).toContain(word);
      }
      const row = screen.split('\n').find((line) => line.includes('x2x9k')) ?? '';
      expect(row).toContain('istio-proxy');
      expect(row).toContain('checkout'); // Its end, too, tells a pod from its siblings.
      for (const line of screen.split('\n')) expect(line.length).toBeLessThanOrEqual(columns);
    },
  );

  test('colours what is wrong, unless told not to', async () => {
    const drawnWith = async (hasColours: boolean): Promise<string> => {
      const written: string[] = [];
      const stop = new AbortController();
      const write = (text: string): void => {
        written.push(text);
        if (text.startsWith('\u001b[H')) stop.abort('SIGTERM');
      };
      const control = { signal: stop.signal, log, write, hasColours };
      await runTop(configOf(), control, { terminalSize: () => ({ columns: 100, rows: 12 }) });
      return written.join('');
    };
    expect(await drawnWith(true)).toContain('\u001b[31m');
    expect(await drawnWith(false)).not.toContain('\u001b[31m');
  });

  test('obeys its keys', async () => {
    let screen = '';
    const { code, input } = await runOnTerminal((drawn) => {
      screen = drawn;
    });
    await until('the first table is there', () => screen.includes('cart-0'));
    input.push('/web\r');
    await until('the search is over', () => !screen.includes('cart-0') && screen.includes('web-0'));
    input.push('q');
    expect(await code).toBe(0);
  });

  test('outlives the agent, and goes on with the next one', async () => {
    let screen = '';
    const { code, input } = await runOnTerminal((drawn) => {
      screen = drawn;
    });
    await until('the first table is there', () => screen.includes('cart-0'));
    const port = Number(new URL(server.url).port);
    await server.close();
    await until('the trouble is told', () => screen.includes('no answer for'));
    expect(screen).toContain('cart-0');
    server = await startAdmin({ host: '127.0.0.1', port }, source, log);
    await until('the trouble is over', () => !screen.includes('no answer for'));
    input.push('\u0003');
    expect(await code).toBe(0);
  });

  test('says CONFIG_INVALID when the address is off', async () => {
    const control = { signal: new AbortController().signal, log, write: () => undefined };
    const config = configOf({ adminAddress: undefined });
    await expect(runTop(config, control, { terminalSize: () => undefined })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });
});
