import { describe, expect, it } from 'vitest';
import type { Fixture, Loose } from './emulator-fixture.ts';
import { openEmulator, resource } from './emulator-fixture.ts';

const time = (second: number) => `2024-01-01T00:00:${String(second).padStart(2, '0')}Z`;

/** Ten entries, one a second, with ids `e0` to `e9`. */
const entries: readonly object[] = [
  { textPayload: 'Connection refused by 10.0.0.1' },
  { textPayload: 'connection established', severity: 'INFO', trace: 'projects/p/traces/abc' },
  {
    severity: 'ERROR',
    jsonPayload: { message: 'boom', code: 500, user: { name: 'Ada', tags: ['x', 'y'] }, ok: false },
  },
  {
    severity: 'WARNING',
    jsonPayload: { message: 'slow', code: 200, 'a.b': 'dotted', ok: true, nothing: null },
  },
  { severity: 450, textPayload: 'between' },
  {
    severity: 'DEBUG',
    textPayload: 'with "quotes" and -- dashes',
    labels: { 'k8s-pod/app': 'web', 'compute.googleapis.com/resource_name': 'node-1' },
  },
  {
    textPayload: 'stderr text',
    logName: 'projects/acme-logs-42/logs/stderr',
    resource: { type: 'k8s_node', labels: { node_name: 'n1' } },
  },
  {
    httpRequest: {
      status: 404,
      requestUrl: 'http://x/y?z=1',
      responseSize: '12345',
      latency: '0.25s',
    },
  },
  {
    textPayload: 'last but one',
    spanId: '00f067aa0ba902b7',
    sourceLocation: { file: 'main.go', line: '42' },
  },
  { textPayload: 'ünïcode ÄÖ', operation: { id: 'op-1', first: true } },
].map((entry, index) => ({ timestamp: time(index), insertId: `e${index}`, ...entry }));

async function openWithEntries(): Promise<Fixture> {
  const fixture = await openEmulator();
  expect((await fixture.write({ entries: entries.toReversed() })).status).toBe(200);
  return fixture;
}

const idsOf = (listed: { json: Record<string, Loose> }): string =>
  (listed.json['entries'] ?? []).map((entry: Loose) => entry.insertId.slice(1)).join('');

describe('a filter', () => {
  const filters: readonly (readonly [filter: string, ids: string])[] = [
    ['', '0123456789'],
    ['  -- a comment only\n', '0123456789'],
    ['textPayload:connection', '01'],
    ['text_payload:"CONNECTION refused"', '0'],
    ['textPayload="connection established"', '1'],
    ['textPayload=~"^Connection .*\\\\d$"', '0'],
    ['textPayload=~"(?i)^connection"', '01'],
    ['textPayload!~"connection|text"', '04589'],
    ['severity=INFO', '1'],
    ['severity>=WARNING', '234'],
    ['severity>warning AND severity<ERROR', '4'],
    ['severity=450', '4'],
    ['severity=DEFAULT', '06789'],
    ['severity!=DEFAULT', '12345'],
    ['severity=(INFO OR ERROR)', '12'],
    ['NOT severity>=WARNING', '0156789'],
    ['-severity>=WARNING', '0156789'],
    [`timestamp>="${time(7)}"`, '789'],
    [`timestamp>${time(7)} timestamp<=${time(8)}`, '8'],
    ['timestamp>="2024-01-01T02:00:08.000000000+02:00"', '89'],
    [`timestamp="${time(3)}"`, '3'],
    ['timestamp<"2024-01-01"', ''],
    [`timestamp<"${time(2)}" OR timestamp>"${time(8)}"`, '019'],
    ['logName="projects/acme-logs-42/logs/stderr"', '6'],
    ['logName:stderr', '6'],
    ['log_name=projects/acme-logs-42/logs/stderr', '6'],
    ['resource.type=k8s_node', '6'],
    ['resource.type=k8s_container AND resource.labels.pod_name="web-0" AND severity=ERROR', '2'],
    ['resource.labels.node_name:*', '6'],
    ['labels."k8s-pod/app"=web', '5'],
    ['labels.k8s-pod/app=web', '5'],
    ['labels."compute.googleapis.com/resource_name"="node-1"', '5'],
    ['labels.compute.googleapis.com/resource_name="node-1"', '5'],
    ['labels:k8s-pod', '5'],
    ['jsonPayload.code=500', '2'],
    ['jsonPayload.code>=200 jsonPayload.code<500.5', '23'],
    ['jsonPayload.code!=500', '3'],
    ['jsonPayload.user.name=ada', '2'],
    ['jsonPayload.user.tags=y', '2'],
    ['jsonPayload.user.missing!=x', ''],
    ['jsonPayload."a.b"=dotted', '3'],
    ['jsonPayload.ok=true', '3'],
    ['jsonPayload.nothing=NULL_VALUE', '3'],
    ['jsonPayload:*', '23'],
    ['jsonPayload.message:(oo OR lo)', '23'],
    ['jsonPayload.message:(o AND NOT b)', '3'],
    ['httpRequest.status=404', '7'],
    ['http_request.status>400', '7'],
    ['httpRequest.responseSize>9999', '7'],
    ['insertId=e4', '4'],
    ['insertId=(e4 OR e9) OR trace:abc', '149'],
    ['trace="projects/p/traces/abc"', '1'],
    ['sourceLocation.line=42', '8'],
    ['operation.first=true', '9'],
    ['connection', '01'],
    ['"refused by"', '0'],
    ['CONNECTION -refused', '1'],
    ['"\\"quotes\\" and -- dashes"', '5'],
    ['\'with "quotes"\'', '5'],
    ['ÜNÏCODE', '9'],
    ['10.0.0.1', '0'],
    // OR binds tighter than AND.
    ['severity=ERROR OR severity=WARNING AND jsonPayload.code=200', '3'],
    ['severity=ERROR OR (severity=WARNING AND jsonPayload.code=500)', '2'],
    ['(severity=ERROR OR severity=INFO) connection', '1'],
    ['NOT (textPayload:* OR jsonPayload:*)', '7'],
  ];

  it('finds what it asks for', async () => {
    const { list } = await openWithEntries();
    for (const [filter, ids] of filters) {
      const listed = await list({ filter });
      expect(listed.status, filter).toBe(200);
      expect(idsOf(listed), filter).toBe(ids);
      const descending = await list({ filter, orderBy: 'timestamp desc' });
      expect(idsOf(descending), `${filter} desc`).toBe(ids.split('').toReversed().join(''));
    }
  });

  it('that does not parse is refused with its place', async () => {
    const { list } = await openEmulator();
    const broken = [
      'severity>=',
      '(a',
      'a)',
      'a AND',
      'a OR',
      'x="open',
      'a=b)',
      '=x',
      'NOT',
      'severity=LOUD',
      'timestamp>yesterday',
      'a=~"("',
      '('.repeat(60),
    ];
    for (const filter of broken) {
      const { status, json } = await list({ filter });
      expect(status, filter).toBe(400);
      expect(json['error'].message, filter).toMatch(
        /Unparseable filter: syntax error at line 1, column \d+|in filter/,
      );
    }
  });
});

describe('entries:list', () => {
  it('shows an entry once that was written many times, and the same id of another time or project', async () => {
    const { write, list, stored, emulator } = await openEmulator();
    const entry = { insertId: 'same', timestamp: '2024-01-01T00:00:00.000000001Z' };
    await write({ entries: [{ ...entry, textPayload: 'first' }] });
    await write({
      entries: [
        { ...entry, textPayload: 'again', timestamp: '2024-01-01T01:00:00.000000001+01:00' },
      ],
    });
    await write({
      entries: [{ ...entry, textPayload: 'later', timestamp: '2024-01-01T00:00:00.000000002Z' }],
    });
    await write({
      logName: 'projects/other/logs/stdout',
      entries: [{ ...entry, textPayload: 'other' }],
    });
    const texts = (await list()).json['entries'].map((shown: Loose) => shown.textPayload);
    expect(texts).toEqual(['first', 'later']);
    const both = await list({ resourceNames: ['projects/acme-logs-42', 'projects/other'] });
    expect(both.json['entries']).toEqual(await stored());
    expect(emulator.stats()).toMatchObject({ requests: 4, entries: 4, distinctEntries: 3 });
  });

  it('orders by time to the nanosecond, then by insertId', async () => {
    const { write, list } = await openEmulator();
    const at = [
      '2024-01-01T00:00:00.1Z',
      '2024-01-01T00:00:00.100000001Z',
      '2024-01-01T00:00:00.09Z',
    ];
    const written = at.flatMap((timestamp) =>
      ['b', 'a', 'B'].map((insertId) => ({ timestamp, insertId })),
    );
    await write({ entries: written });
    const shown = (await list()).json['entries'].map(
      (entry: Loose) => entry.timestamp.slice(19) + entry.insertId,
    );
    expect(shown).toEqual([
      '.090ZB',
      '.090Za',
      '.090Zb',
      '.100ZB',
      '.100Za',
      '.100Zb',
      '.100000001ZB',
      '.100000001Za',
      '.100000001Zb',
    ]);
  });

  it('cuts pages that join without loss, while entries are written and deleted', async () => {
    const { write, list } = await openEmulator();
    const written = Array.from({ length: 2345 }, (_, index) => ({
      timestamp: time(index % 7),
      insertId: `i${index}`,
      textPayload: 'x',
    }));
    await write({ entries: written });
    for (const orderBy of ['timestamp asc', 'timestamp desc']) {
      const seen: string[] = [];
      let pageToken: string | undefined = '';
      while (pageToken !== undefined) {
        const { status, json } = await list({ orderBy, pageSize: 1000, pageToken });
        expect(status).toBe(200);
        seen.push(...json['entries'].map((entry: Loose) => entry.insertId));
        pageToken = json['nextPageToken'];
        // Before all that is left in this direction, so it must not show.
        const timestamp = orderBy.endsWith('asc') ? '2023-01-01T00:00:00Z' : '2025-01-01T00:00:00Z';
        await write({ entries: [{ timestamp, insertId: `${orderBy}${seen.length}` }] });
      }
      const ours = seen.filter((id) => id.startsWith('i'));
      expect(new Set(ours).size).toBe(2345);
      expect(ours).toHaveLength(2345);
    }
  });

  it('gives 50 entries without a pageSize, and no token with the last page', async () => {
    const { write, list } = await openEmulator();
    await write({ entries: Array.from({ length: 50 }, () => ({ textPayload: 'x' })) });
    const full = await list();
    expect(full.json['entries']).toHaveLength(50);
    expect(full.json).not.toHaveProperty('nextPageToken');
    await write({ entries: [{ textPayload: 'one more' }] });
    const { entries: page, nextPageToken } = (await list()).json;
    expect(page).toHaveLength(50);
    expect((await list({ pageToken: nextPageToken })).json['entries']).toMatchObject([
      { textPayload: 'one more' },
    ]);
  });

  it('answers an empty object when there is nothing', async () => {
    const { list } = await openEmulator();
    expect(await list({ filter: 'severity=INFO' })).toEqual({ status: 200, json: {} });
  });

  it('refuses what the API refuses', async () => {
    const { list, post } = await openEmulator();
    const bad = [
      { pageSize: 1001 },
      { pageSize: -1 },
      { pageSize: 'x' },
      { orderBy: 'severity' },
      { resourceNames: [] },
      { resourceNames: ['acme'] },
      { resourceNames: Array.from({ length: 101 }, (_, index) => `projects/p${index}`) },
      { filter: 'x'.repeat(20_001) },
      { pageToken: 'nonsense' },
      { unknown: 1 },
      { filter: 5 },
    ];
    for (const request of bad) {
      expect((await list(request)).status, JSON.stringify(request).slice(0, 80)).toBe(400);
    }
    expect((await post('/v2/entries:list', '{')).status).toBe(400);
    expect((await post('/v2/entries:list', '')).status).toBe(400);
  });

  it('refuses a token of another question', async () => {
    const { list, write } = await openEmulator();
    await write({ entries: Array.from({ length: 3 }, () => ({ textPayload: 'x' })) });
    const { nextPageToken: pageToken } = (await list({ pageSize: 1 })).json;
    expect((await list({ pageSize: 2, pageToken })).json['entries']).toHaveLength(2);
    expect((await list({ pageSize: 1, pageToken, filter: 'x' })).status).toBe(400);
    expect((await list({ pageSize: 1, pageToken, orderBy: 'timestamp desc' })).status).toBe(400);
  });
});

describe('logs', () => {
  it('are listed in pages, and deleted one by one', async () => {
    const { emulator, write, stored } = await openEmulator();
    const names = ['a', 'b%2Fc', 'd'].map((id) => `projects/acme-logs-42/logs/${id}`);
    await write({
      entries: [...names, 'projects/other/logs/x'].map((logName) => ({ logName, resource })),
    });
    const logs = `${emulator.url}/v2/projects/acme-logs-42/logs`;
    const get = async (query: string) =>
      (await (await fetch(logs + query)).json()) as Record<string, Loose>;
    expect(await get('')).toEqual({ logNames: names });
    const first = await get('?pageSize=2');
    expect(first['logNames']).toEqual(names.slice(0, 2));
    expect(await get(`?pageSize=2&pageToken=${first['nextPageToken']}`)).toEqual({
      logNames: names.slice(2),
    });
    const remove = (id: string) => fetch(`${logs}/${id}`, { method: 'DELETE' });
    expect((await remove('b%2Fc')).status).toBe(200);
    expect((await remove('b%2Fc')).status).toBe(404);
    expect(await get('')).toEqual({
      logNames: ['a', 'd'].map((id) => `projects/acme-logs-42/logs/${id}`),
    });
    expect(await stored()).toHaveLength(3);
  });
});
