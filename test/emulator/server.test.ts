import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { defaults, openEmulator } from './emulator-fixture.ts';
import { eventually } from '../support/eventually.ts';

const body = JSON.stringify({ ...defaults, entries: [{ textPayload: 'x' }] });
const rawWrite = (text: string, headers = '') =>
  `POST /v2/entries:write HTTP/1.1\r\nhost: x\r\ncontent-length: ${text.length}\r\n${headers}\r\n${text}`;

/**
 * Sends bytes, and gives back all that comes until `count` answers are there or the other side
 * ends.
 */
async function exchange(port: number, text: string, count: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(text);
  let received = '';
  for await (const chunk of socket) {
    received += String(chunk);
    if (received.split('HTTP/1.1 ').length > count && received.endsWith('}')) break;
  }
  return received;
}

describe('clients', () => {
  it('may send many requests before they read', async () => {
    const { emulator } = await openEmulator();
    const answers = await exchange(emulator.port, rawWrite(body).repeat(20), 20);
    expect(answers.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(20);
    expect(emulator.stats()).toMatchObject({ requests: 20, entries: 20, connections: 1 });
  });

  it('may send a body in small pieces, chunked', async () => {
    const { emulator } = await openEmulator();
    const socket = connect(emulator.port, '127.0.0.1');
    socket.setNoDelay(true);
    socket.write(
      'POST /v2/entries:write HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n',
    );
    for (const character of body) socket.write(`1\r\n${character}\r\n`);
    socket.write('0\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 OK/);
    socket.destroy();
  });

  it('that break off an upload leave nothing behind', async () => {
    const { emulator, write } = await openEmulator();
    const socket = connect(emulator.port, '127.0.0.1');
    socket.write(rawWrite(body).slice(0, -5));
    await eventually(() => expect(emulator.stats().requests).toBe(1));
    socket.destroy();
    await eventually(() => expect(emulator.stats().openConnections).toBe(0));
    expect((await write({ entries: [{ textPayload: 'next' }] })).status).toBe(200);
    expect(emulator.stats()).toMatchObject({ entries: 1 });
  });

  it('that end their half after the request still get the answer', async () => {
    const { emulator } = await openEmulator();
    const socket = connect(emulator.port, '127.0.0.1');
    socket.end(rawWrite(body));
    let received = '';
    for await (const chunk of socket) received += String(chunk);
    expect(received).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  it('that speak no HTTP get a 400 and harm nobody', async () => {
    const { emulator, write } = await openEmulator();
    expect(await exchange(emulator.port, '\u0016\u0003\u0001 hello\r\n\r\n', 1)).toMatch(
      /^HTTP\/1\.1 400/,
    );
    expect((await write({ entries: [] })).status).toBe(200);
  });

  it('that vanish before the answer are no error', async () => {
    const { emulator, write } = await openEmulator({ faults: { delayMs: 100, times: 1 } });
    const socket = connect(emulator.port, '127.0.0.1');
    socket.write(rawWrite(body));
    await eventually(() => expect(emulator.stats().requests).toBe(1));
    socket.resetAndDestroy();
    // The request had come whole, so its entries are stored.
    await eventually(() => expect(emulator.stats().entries).toBe(1));
    expect((await write({ entries: [] })).status).toBe(200);
  });
});

describe('routes', () => {
  it('begin with a page that names them', async () => {
    const { emulator } = await openEmulator();
    const text = await (await fetch(emulator.url)).text();
    for (const route of [
      '/v2/entries:write',
      '/v2/entries:list',
      '/emulator/stats',
      '/emulator/faults',
    ]) {
      expect(text).toContain(route);
    }
  });

  it('that do not exist are a 404 in JSON', async () => {
    const { emulator } = await openEmulator();
    for (const path of [
      '/v2/x',
      '/nothing',
      '/computeMetadata/v1/project/project-id',
      '/v2/entries:write',
    ]) {
      const response = await fetch(emulator.url + path);
      expect(response.status, path).toBe(404);
      expect(await response.json()).toMatchObject({ error: { code: 404, status: 'NOT_FOUND' } });
    }
  });

  it('take a query', async () => {
    const { post } = await openEmulator();
    expect((await post('/v2/entries:write?prettyPrint=false&alt=json', body)).status).toBe(200);
  });

  it('forget all entries and counts on DELETE', async () => {
    const { emulator, write, stored } = await openEmulator();
    await write({ entries: [{ textPayload: 'x' }] });
    await fetch(`${emulator.url}/emulator/entries`, { method: 'DELETE' });
    expect(await stored()).toEqual([]);
    expect(emulator.stats()).toMatchObject({
      requests: 0,
      entries: 0,
      distinctEntries: 0,
      bytes: 0,
    });
  });

  it('tell the same stats over HTTP', async () => {
    const { emulator, write } = await openEmulator();
    await write({ entries: [{ textPayload: 'x' }] });
    const stats = (await (await fetch(`${emulator.url}/emulator/stats`)).json()) as Record<
      string,
      number
    >;
    expect(Object.keys(stats).slice(0, 6)).toEqual([
      'requests',
      'entries',
      'distinctEntries',
      'rejectedEntries',
      'bytes',
      'connections',
    ]);
    expect(stats).toMatchObject({
      requests: 1,
      entries: 1,
      distinctEntries: 1,
      rejectedEntries: 0,
    });
  });
});

describe('tokens', () => {
  const writeWith = async (url: string, authorization?: string) => {
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    return (await fetch(`${url}/v2/entries:write`, { method: 'POST', body: '{}', headers })).status;
  };

  it('are not asked for by default', async () => {
    const { emulator } = await openEmulator();
    expect(await writeWith(emulator.url)).toBe(200);
  });

  it('of any kind will do for requireToken: true', async () => {
    const { emulator, list } = await openEmulator({ requireToken: true });
    expect(await writeWith(emulator.url)).toBe(401);
    expect(await writeWith(emulator.url, 'Basic x')).toBe(401);
    expect(await writeWith(emulator.url, 'Bearer ')).toBe(401);
    expect(await writeWith(emulator.url, 'Bearer x')).toBe(200);
    const { status, json } = await list();
    expect([status, json['error'].status]).toEqual([401, 'UNAUTHENTICATED']);
  });

  it('must be the one that was asked for', async () => {
    const { emulator } = await openEmulator({ requireToken: 'secret' });
    expect(await writeWith(emulator.url, 'Bearer x')).toBe(401);
    expect(await writeWith(emulator.url, 'Bearer secret')).toBe(200);
  });

  it('come from the metadata server and from /token, and expire', async () => {
    const { emulator } = await openEmulator({
      requireToken: 'none',
      metadata: { projectId: 'acme', tokenLifeSeconds: 0.2 },
    });
    const path = '/computeMetadata/v1/instance/service-accounts/default/token';
    const issue = async (response: Response) =>
      (await response.json()) as { access_token: string; expires_in: number };
    const fromMetadata = await issue(
      await fetch(emulator.url + path, { headers: { 'metadata-flavor': 'Google' } }),
    );
    const fromOauth = await issue(await fetch(`${emulator.url}/token`, { method: 'POST' }));
    expect(fromMetadata).toMatchObject({ expires_in: 0.2, token_type: 'Bearer' });
    for (const { access_token: token } of [fromMetadata, fromOauth]) {
      await eventually(async () =>
        expect(await writeWith(emulator.url, `Bearer ${token}`)).toBe(401),
      );
    }
    const fresh = await issue(await fetch(`${emulator.url}/token`, { method: 'POST' }));
    expect(await writeWith(emulator.url, `Bearer ${fresh.access_token}`)).toBe(200);
  });

  it('end at once with expireTokens()', async () => {
    const { emulator } = await openEmulator({
      requireToken: true,
      metadata: { projectId: 'acme' },
    });
    const { access_token: token } = (await (
      await fetch(`${emulator.url}/token`, { method: 'POST' })
    ).json()) as { access_token: string };
    expect(await writeWith(emulator.url, `Bearer ${token}`)).toBe(200);
    emulator.expireTokens();
    expect(await writeWith(emulator.url, `Bearer ${token}`)).toBe(401);
  });
});

describe('the metadata server', () => {
  const metadata = {
    projectId: 'acme',
    clusterName: 'blue',
    clusterLocation: 'europe-west4',
    zone: 'europe-west4-a',
    name: 'node-1',
  };
  const values: readonly (readonly [path: string, status: number, text: string])[] = [
    ['project/project-id', 200, 'acme'],
    ['instance/attributes/cluster-name', 200, 'blue'],
    ['instance/attributes/cluster-location', 200, 'europe-west4'],
    ['instance/zone', 200, 'projects/123456789012/zones/europe-west4-a'],
    ['instance/name', 200, 'node-1'],
    ['instance/attributes/', 200, 'cluster-name\ncluster-location\n'],
    ['instance/attributes/other', 404, 'Not Found'],
    ['instance/other', 404, 'Not Found'],
  ];

  it('answers with its header, and only to those who send it', async () => {
    const { emulator } = await openEmulator({ metadata });
    for (const [path, status, text] of values) {
      const url = `${emulator.url}/computeMetadata/v1/${path}`;
      const response = await fetch(url, { headers: { 'metadata-flavor': 'Google' } });
      expect([response.status, await response.text()], path).toEqual([status, text]);
      expect(response.headers.get('metadata-flavor')).toBe('Google');
      expect((await fetch(url)).status).toBe(403);
    }
  });
});

it('startEmulator() rejects when the port is taken', async () => {
  const { emulator } = await openEmulator();
  await expect(openEmulator({ port: emulator.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
});
