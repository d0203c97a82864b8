import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AdminServer, startAdmin } from '../../src/admin/admin-server.ts';
import {
  createHistory,
  historyNames,
  type HistoryColumns,
  type Sample,
} from '../../src/admin/history.ts';
import { metricTable, metricText } from '../../src/admin/metric-text.ts';
import { pageTable } from '../../src/admin/page-table.ts';
import { createLog } from '../../src/log.ts';
import {
  createSampleSource,
  sampleStatus,
  sampleWorkload,
  type SampleSource,
} from './status-fixture.ts';

/** Of Debian's package prometheus; its tests are skipped without it. */
const promtool = '/usr/bin/promtool';

let source: SampleSource;
let server: AdminServer;
let logged: string[];

beforeEach(async () => {
  source = createSampleSource();
  logged = [];
  const log = createLog({ level: 'debug', write: (line) => logged.push(line) });
  server = await startAdmin({ host: '127.0.0.1', port: 0 }, source, log);
});

afterEach(async () => {
  await server.close();
});

async function get(path: string, options: RequestInit = {}) {
  const response = await fetch(server.url + path, options);
  return { status: response.status, headers: response.headers, text: await response.text() };
}

describe.each<['/livez' | '/readyz', 'live' | 'ready']>([
  ['/livez', 'live'],
  ['/readyz', 'ready'],
])('%s', (path, kind) => {
  test('answers 200 when no check fails', async () => {
    expect(await get(path)).toMatchObject({ status: 200, text: 'ok\n' });
    source.checks[kind] = [{ name: 'state', ok: true }];
    expect(await get(path)).toMatchObject({ status: 200, text: 'ok state\nok\n' });
  });

  test('answers 503 and names each failing check with its reason, on one line', async () => {
    source.checks[kind] = [
      { name: 'state', ok: false, reason: 'ENOSPC: no space\nleft' },
      { name: 'running', ok: true },
      { name: 'loop', ok: false },
    ];
    expect(await get(path)).toMatchObject({
      status: 503,
      text: 'failed state: ENOSPC: no space?left\nok running\nfailed loop: no reason given\nfailed\n',
    });
  });
});

describe('/metrics', () => {
  test('gives every metric with its help and type', async () => {
    const { status, headers, text } = await get('/metrics');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    for (const [name, { type }] of Object.entries(metricTable)) {
      expect(text).toContain(`# HELP ${name} `);
      expect(text).toContain(`\n# TYPE ${name} ${type}\n`);
    }
    expect(text.endsWith('\n')).toBe(true);
  });

  test('holds the values of the status', () => {
    const samples = metricText(sampleStatus)
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(samples).toEqual([
      'tailship_lines_total 1000',
      'tailship_bytes_total 200000',
      'tailship_entries_total 900',
      'tailship_entries_by_severity_total{severity="DEFAULT"} 0',
      'tailship_entries_by_severity_total{severity="INFO"} 800',
      'tailship_entries_by_severity_total{severity="ERROR"} 100',
      'tailship_written_bytes_total 205000',
      'tailship_written_lines_total 1020',
      'tailship_error_ratio{window="1m"} 0.2',
      'tailship_error_ratio{window="5m"} 0.1',
      'tailship_error_ratio{window="15m"} 0.05',
      'tailship_fast_path_lines_total 990',
      'tailship_malformed_lines_total 8',
      'tailship_redacted_total 14',
      'tailship_sampled_out_total 15',
      'tailship_hole_bytes_total 4096',
      'tailship_batches_total 7',
      'tailship_sent_bytes_total 400000',
      'tailship_requests_total{code="200"} 6',
      'tailship_requests_total{code="429"} 2',
      'tailship_requests_total{code="SHIP_TIMEOUT"} 1',
      'tailship_retries_total 3',
      'tailship_dead_lettered_total{reason="refused"} 4',
      'tailship_dropped_total{reason="dead_letter_evicted"} 2',
      'tailship_lost_bytes_total{namespace="shop",pod="cart-0",container="app",reason="truncated"} 5',
      'tailship_lost_bytes_total{namespace="",pod="",container="(rest)",reason="truncated"} 4',
      'tailship_container_dead_lettered_total{namespace="shop",pod="cart-0",container="app"} 2',
      'tailship_container_dropped_total{namespace="",pod="",container="(rest)",reason="dead_letter_evicted"} 2',
      'tailship_over_limit{namespace="shop",pod="cart-0",kind="files"} 30',
      'tailship_refused_total{kind="link"} 16',
      'tailship_refused_total{kind="path"} 17',
      'tailship_read_errors_total 5',
      'tailship_behind_bytes 5000',
      'tailship_behind_seconds 1.5',
      'tailship_in_flight_bytes 2048',
      'tailship_open_files 12',
      'tailship_deleted_held_bytes 77',
      'tailship_orphan_bytes 0',
      'tailship_orphan_bytes_total 0',
      'tailship_orphan_failures_total 0',
      'tailship_orphans_damaged_total 0',
      'tailship_checkpoint_age_seconds 0.75',
      'tailship_container_lines_total{namespace="shop",pod="cart-0",container="app"} 600',
      'tailship_container_lines_total{namespace="shop",pod="web-0",container="<b>&\\""} 400',
      'tailship_container_bytes_total{namespace="shop",pod="cart-0",container="app"} 150000',
      'tailship_container_bytes_total{namespace="shop",pod="web-0",container="<b>&\\""} 50000',
      'tailship_container_written_bytes_total{namespace="shop",pod="cart-0",container="app"} 155000',
      'tailship_container_written_bytes_total{namespace="shop",pod="web-0",container="<b>&\\""} 155000',
      'tailship_container_error_ratio{namespace="shop",pod="cart-0",container="app",window="1m"} 0.2',
      'tailship_container_error_ratio{namespace="shop",pod="cart-0",container="app",window="5m"} 0.1',
      'tailship_container_error_ratio{namespace="shop",pod="cart-0",container="app",window="15m"} 0',
      'tailship_container_behind_bytes{namespace="shop",pod="cart-0",container="app"} 5000',
      'tailship_container_behind_bytes{namespace="",pod="",container="(rest)"} 0',
      'tailship_container_behind_seconds{namespace="shop",pod="cart-0",container="app"} 1.5',
      'tailship_container_behind_seconds{namespace="",pod="",container="(rest)"} 0',
      'tailship_pods_known 31',
      'tailship_pods_without_labels_total 2',
      'tailship_pod_labels_cut 1',
      'tailship_kubernetes_requests_total{kind="list"} 3',
      'tailship_kubernetes_requests_total{kind="watch"} 4',
      'tailship_kubernetes_failures_total 5',
      'tailship_held_back_bytes 41',
      'tailship_config_reloads_total{result="accepted"} 6',
      'tailship_config_reloads_total{result="refused"} 7',
      'tailship_cpu_seconds_total{stage="drain"} 0.25',
      'tailship_cpu_seconds_total{stage="main"} 0.5',
      'tailship_worker_tasks_total 11',
      'tailship_wake_ups_total 21',
      'tailship_containers{state="busy"} 1',
      'tailship_containers{state="idle"} 1',
      'tailship_event_loop_lag_seconds 0.1',
      'tailship_cpu_limit_periods_total 80',
      'tailship_cpu_throttled_periods_total 20',
      'tailship_cpu_throttled_seconds_total 1.5',
      'tailship_conntrack_used_ratio 0.25',
      'process_resident_memory_bytes 80000000',
      'process_start_time_seconds 1767323045.678',
      'tailship_check_ok{check="clock"} 1',
      'tailship_check_ok{check="state"} 0',
      'tailship_build_info{version="1.2.3",node_version="26.1.0"} 1',
      'tailship_config_info{hash="c0ffee123456"} 1',
    ]);
  });

  test('has no series for what cannot be known', () => {
    const text = metricText({ ...sampleStatus, throttling: undefined, conntrackShare: undefined });
    expect(text).not.toMatch(/^tailship_(?:cpu_(?:limit|throttled)|conntrack)/m);
    expect(text).toContain('# TYPE tailship_conntrack_used_ratio gauge\n# HELP');
  });

  test('has series for the 50 containers that matter most, and one for the rest', () => {
    const workloads = Array.from({ length: 60 }, (_, index) => ({
      ...sampleWorkload,
      pod: `pod-${index}`,
      behindBytes: index + 1,
      behindSeconds: index + 1,
      bytes: 1_000 - index,
    }));
    const text = metricText({ ...sampleStatus, workloads });
    const seriesOf = (name: string) =>
      text.split('\n').filter((line) => line.startsWith(`${name}{`));
    expect(seriesOf('tailship_container_bytes_total')).toHaveLength(50);
    expect(seriesOf('tailship_container_bytes_total')[0]).toContain('pod="pod-0"');
    const behind = seriesOf('tailship_container_behind_bytes');
    expect(behind).toHaveLength(51);
    expect(behind[0]).toContain('pod="pod-59"');
    expect(behind.at(-1)).toMatch(/container="\(rest\)"\} 55$/);
    expect(seriesOf('tailship_container_behind_seconds').at(-1)).toMatch(/ 10$/);
  });

  test('never says one series twice, though pods of one name follow each other', () => {
    const text = metricText({ ...sampleStatus, workloads: [sampleWorkload, sampleWorkload] });
    const lines = text.split('\n').filter((line) => line.startsWith('tailship_container_lines'));
    expect(lines).toEqual([
      'tailship_container_lines_total{namespace="shop",pod="cart-0",container="app"} 1200',
    ]);
  });

  test.skipIf(!existsSync(promtool))(`passes promtool check metrics (${promtool})`, () => {
    expect(
      execFileSync(promtool, ['check', 'metrics'], { input: metricText(sampleStatus) }).toString(),
    ).toBe('');
  });

  test('escapes the values of labels', () => {
    const text = metricText({ ...sampleStatus, droppedByReason: { 'a"b\\c\nd': 1 } });
    expect(text).toContain('tailship_dropped_total{reason="a\\"b\\\\c\\nd"} 1\n');
  });
});

describe('/api/status', () => {
  test('is the status as JSON, computed only when asked', async () => {
    let readCount = 0;
    source.read = () => {
      readCount += 1;
      return sampleStatus;
    };
    await get('/livez');
    expect(readCount).toBe(0);
    const { text } = await get('/api/status?ignored=1');
    expect(JSON.parse(text)).toEqual(sampleStatus);
    expect(readCount).toBe(1);
  });

  test('is charged to the admin server, with what it takes to compute', async () => {
    await get('/api/status');
    source.spentMicros = 0;
    source.read = () => {
      // On a loaded machine another has the CPU for most of the time.
      const startMicros = process.cpuUsage().user;
      while (process.cpuUsage().user - startMicros < 30_000);
      return sampleStatus;
    };
    await get('/api/status');
    expect(source.spentMicros).toBeGreaterThan(5_000);
  });
});

describe('/api/status?after=', () => {
  async function historyAfter(ms: number): Promise<HistoryColumns> {
    const { text } = await get(`/api/status?after=${ms}`);
    return (JSON.parse(text) as { history: HistoryColumns }).history;
  }

  test('gives the samples that are new to who asks', async () => {
    const zeros = Object.fromEntries(historyNames.map((name) => [name, 0])) as Sample;
    source.samples.add({ ...zeros, atMs: 1_000, lines: 5 });
    source.samples.add({ ...zeros, atMs: 6_000, lines: 7.00049 });
    const all = await historyAfter(0);
    expect(all).toMatchObject({ atMs: [1_000, 6_000], lines: [5, 7], rssBytes: [0, 0] });
    const more = await historyAfter(1_000);
    expect(more).toMatchObject({ atMs: [6_000], lines: [7] });
  });

  test('gives no sample twice, whatever fraction of a millisecond its time has', () => {
    const zeros = Object.fromEntries(historyNames.map((name) => [name, 0])) as Sample;
    const history = createHistory();
    let last = 0;
    for (let at = 1; at <= 100; at += 1) {
      history.add({ ...zeros, atMs: 1_785_000_000_000 + at * 5_000.01237 });
      const { atMs } = history.after(last);
      expect(atMs).toHaveLength(1);
      last = atMs[0]!;
    }
  });

  test('forgets the oldest when it is full', () => {
    const zeros = Object.fromEntries(historyNames.map((name) => [name, 0])) as Sample;
    const history = createHistory(3);
    for (let at = 1; at <= 5; at += 1) history.add({ ...zeros, atMs: at });
    expect(history.after(0).atMs).toEqual([3, 4, 5]);
  });
});

describe('the page', () => {
  test('comes with all its files, and may load nothing from elsewhere', async () => {
    for (const path of Object.keys(pageTable)) {
      const { status, headers, text } = await get(path);
      expect(status).toBe(200);
      expect(text.length).toBeGreaterThan(100);
      expect(headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(headers.get('content-type')).toMatch(/^text\/(?:html|css|javascript); charset=utf-8$/);
    }
  });

  test('names each of its files as a relative address that is served', async () => {
    const html = (await get('/')).text;
    const script = (await get('/page.js')).text;
    const named = [
      ...[...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? ''),
      ...[...script.matchAll(/from '\.\/([^']+)'/g)].map((match) => match[1] ?? ''),
    ].filter((address) => !address.startsWith('data:'));
    expect(named.length).toBeGreaterThan(8);
    for (const address of named) {
      expect(address).not.toMatch(/^\/|:/);
      expect(await get(`/${address}`)).toMatchObject({ status: 200 });
    }
  });
});

describe('the admin server', () => {
  test('answers HEAD without a body, other methods with 405, other paths with 404', async () => {
    const head = await get('/metrics', { method: 'HEAD' });
    expect(head).toMatchObject({ status: 200, text: '' });
    expect(Number(head.headers.get('content-length'))).toBeGreaterThan(1_000);
    expect(await get('/', { method: 'POST', body: 'x' })).toMatchObject({ status: 405 });
    expect(await get('/constructor')).toMatchObject({ status: 404 });
    expect((await get('/nothing')).text).toContain('/api/status');
  });

  test('answers 500 and goes on when the status fails', async () => {
    source.read = () => {
      throw new Error('a bug');
    };
    expect(await get('/metrics')).toMatchObject({ status: 500 });
    expect(logged.join('')).toContain('a bug');
    source.read = () => sampleStatus;
    expect(await get('/metrics')).toMatchObject({ status: 200 });
  });

  test('says ADMIN_ADDRESS_UNUSABLE when the port is taken', async () => {
    const address = { host: '127.0.0.1', port: Number(new URL(server.url).port) };
    const log = createLog({ level: 'error', write: () => undefined });
    await expect(startAdmin(address, source, log)).rejects.toMatchObject({
      code: 'ADMIN_ADDRESS_UNUSABLE',
    });
  });

  test('closes although a client holds its connection open', async () => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write('GET /livez HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(socket, 'data');
    const closed = once(socket, 'close');
    await server.close();
    await closed;
    await expect(fetch(server.url)).rejects.toThrow('fetch failed');
  });
});
