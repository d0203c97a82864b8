import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AdminServer, startAdmin } from '../../src/admin/admin-server.ts';
import { metricTable, metricText } from '../../src/admin/metric-text.ts';
import { createLog } from '../../src/log.ts';
import { createSampleSource, sampleStatus, type SampleSource } from './status-fixture.ts';

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
      'tailship_batches_total 7',
      'tailship_requests_total{code="200"} 6',
      'tailship_requests_total{code="429"} 2',
      'tailship_requests_total{code="SHIP_TIMEOUT"} 1',
      'tailship_retries_total 3',
      'tailship_dead_lettered_total{reason="refused"} 4',
      'tailship_behind_bytes 5000',
      'tailship_behind_seconds 1.5',
      'tailship_in_flight_bytes 2048',
      'tailship_open_files 12',
      'tailship_deleted_held_bytes 77',
      'tailship_cpu_seconds_total{stage="drain"} 0.25',
      'tailship_cpu_seconds_total{stage="rest"} 0.5',
      'tailship_fast_path_lines_total 990',
      'tailship_checkpoint_age_seconds 0.75',
      'tailship_build_info{version="1.2.3"} 1',
    ]);
  });

  test('escapes what stands in a label', () => {
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
});

describe('the page', () => {
  test('shows the workloads, the busiest first, and runs nothing', async () => {
    const { status, headers, text } = await get('/');
    expect(status).toBe(200);
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(text.indexOf('cart-0')).toBeLessThan(text.indexOf('web-0'));
    expect(text).not.toMatch(/<script|https?:\/\//);
  });

  test('escapes names that pods choose', async () => {
    const { text } = await get('/');
    expect(text).toContain('&lt;b&gt;&amp;&quot;');
    expect(text).not.toContain('<b>');
  });

  test('names what fails', async () => {
    source.checks.ready = [{ name: 'state', ok: false, reason: '<disk full>' }];
    expect((await get('/')).text).toContain('state: &lt;disk full&gt;');
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
