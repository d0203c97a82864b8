// The way to the endpoint through a proxy: a tunnel, healthy and sick.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import type { ShipLimits } from '../../src/ship-limits.ts';
import { makeBatch } from './fake-api.ts';
import { makeStateDir, openApi, openShipper } from './open-shipper.ts';
import { makeTestCertificate } from './test-certificate.ts';
import { eventually } from '../support/eventually.ts';

type Proxy = { readonly url: string; readonly asked: string[]; mode: 'tunnel' | 'hang' | 'refuse' };

async function openProxy(): Promise<Proxy> {
  const server = createServer();
  const sockets = new Set<Duplex | Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const proxy: Proxy = { url: `http://127.0.0.1:${port}`, asked: [], mode: 'tunnel' };
  server.on('connect', (request, socket: Duplex) => {
    proxy.asked.push(String(request.url));
    socket.on('error', () => undefined);
    if (proxy.mode === 'hang') return;
    if (proxy.mode === 'refuse') {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    const inner = connect(Number(String(request.url).split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(inner).pipe(socket);
    });
    sockets.add(inner);
    inner.on('error', () => socket.destroy());
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return proxy;
}

async function openProxied(
  mode: Proxy['mode'],
  limits: Partial<ShipLimits> = {},
): Promise<{
  proxy: Proxy;
  host: string;
  opened: Awaited<ReturnType<typeof openShipper>>;
}> {
  const certificate = makeTestCertificate();
  const caFile = path.join(makeStateDir(), 'ca.pem');
  writeFileSync(caFile, certificate.cert);
  const api = await openApi(undefined, certificate);
  const metadata = await openApi((_request, response) => response.end());
  metadata.respond = (_request, response) =>
    response
      .setHeader('metadata-flavor', 'Google')
      .end('{"access_token":"t","expires_in":3600,"token_type":"Bearer"}');
  const proxy = await openProxy();
  proxy.mode = mode;
  // A name that only the proxy can reach: nothing here resolves it.
  const endpoint = new URL(`https://logging.test:${api.port}/`);
  const opened = await openShipper(endpoint, {
    caFile,
    proxy: proxy.url,
    metadataHost: `127.0.0.1:${metadata.port}`,
    limits,
    resolve: () => Promise.reject(new Error('no name is resolved here')),
  });
  return { proxy, host: endpoint.host, opened };
}

test('requests go through the tunnel of the proxy, which resolves the name', async () => {
  const { proxy, host, opened } = await openProxied('tunnel');
  const { shipper } = opened;
  for (let round = 0; round < 3; round += 1) {
    expect(await shipper.ship(makeBatch(2))).toMatchObject({ accepted: 2, requests: 1 });
  }
  expect(new Set(proxy.asked)).toEqual(new Set([host]));
  expect(proxy.asked.length).toBeLessThanOrEqual(2);
});

test.each(['hang', 'refuse'] as const)(
  'a proxy that does %s is tried until it opens',
  async (mode) => {
    const { proxy, opened } = await openProxied(mode, { shipRequestMs: 500, shipHeadersMs: 200 });
    const shipped = opened.shipper.ship(makeBatch(2));
    await eventually(() => expect(opened.shipper.counters.consecutiveFailures).toBeGreaterThan(1));
    proxy.mode = 'tunnel';
    expect(await shipped).toMatchObject({ accepted: 2, deadLettered: 0 });
  },
);
