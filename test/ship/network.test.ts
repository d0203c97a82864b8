// The ship stage when the network or the endpoint is sick: nothing hangs for good, nothing is lost,
// and a sick endpoint is asked by one probe at a time.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { checkEndpoint } from '../../src/admin/endpoint-checks.ts';
import { sendDryRun } from '../../src/ship/dry-run.ts';
import { FakeApi, makeBatch } from './fake-api.ts';
import { makeStateDir, openApi, openShipper } from './open-shipper.ts';
import { makeTestCertificate } from './test-certificate.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { makeConfig } from '../support/make-config.ts';

/** A bare TCP server; its connections are broken off after the test. */
async function openTcp(onSocket: (socket: Socket, index: number) => void): Promise<URL> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    sockets.push(socket);
    onSocket(socket, sockets.length - 1);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

const okAnswer = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}';

test.each([
  ['a header', 'grpc-status: 14\r\ncontent-length: 2\r\n\r\n{}'],
  [
    'a trailer',
    'trailer: grpc-status\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\ngrpc-status: 14\r\n\r\n',
  ],
])('a success whose gRPC status says otherwise, in %s, is none', async (_, rest) => {
  const answers = [`HTTP/1.1 200 OK\r\n${rest}`, okAnswer];
  const url = await openTcp((socket) => {
    socket.on('data', () => socket.write(answers.shift() ?? okAnswer));
  });
  const { shipper } = await openShipper(url);
  expect(await shipper.ship(makeBatch(1))).toMatchObject({ accepted: 1, requests: 2 });
});

test('what is no HTTP is reported with its reason', async () => {
  const answers = ['SSH-2.0-OpenSSH_9.2\r\n', 'SSH-2.0-OpenSSH_9.2\r\n'];
  const url = await openTcp((socket) => {
    socket.on('data', () => socket.write(answers.shift() ?? okAnswer));
  });
  const { shipper, lines } = await openShipper(url);
  expect(await shipper.ship(makeBatch(1))).toMatchObject({ accepted: 1, requests: 3 });
  expect(lines[0]?.text).toMatch(/trying on: Response does not match the HTTP/);
});

describe('a request that gets stuck', () => {
  const limits = {
    shipRequestMs: 400,
    shipConnectMs: 100,
    shipHeadersMs: 100,
    shipBodyMs: 100,
  };

  test('before the body is taken is given up and sent again on a new connection', async () => {
    const url = await openTcp((socket, index) => {
      if (index === 0) socket.pause();
      else socket.once('data', () => socket.write(okAnswer)).resume();
    });
    const { shipper } = await openShipper(url, { limits });
    // Larger than what the kernel buffers, so that the write itself hangs.
    const batch = makeBatch(2_000, () => 'x'.repeat(5_000));
    expect(await shipper.ship(batch)).toMatchObject({ accepted: 2_000, requests: 2 });
    expect(shipper.counters.requestsByCode).toEqual({ SHIP_TIMEOUT: 1, 200: 1 });
  });

  test('before the headers is given up', async () => {
    const api = await openApi((request, response) => {
      if (request.index > 0) api.accept(request, response);
    });
    const { shipper } = await openShipper(api.url, { limits });
    expect(await shipper.ship(makeBatch(2))).toMatchObject({ accepted: 2, requests: 2 });
    expect(shipper.counters.requestsByCode).toEqual({ SHIP_TIMEOUT: 1, 200: 1 });
    expect(api.requests.map((request) => request.connection)).toEqual([1, 2]);
  });

  test('within an error answer is given up', async () => {
    const api = await openApi((request, response) => {
      if (request.index > 0) api.accept(request, response);
      else response.writeHead(503, { 'content-length': '1000' }).write('{"error":');
    });
    const { shipper } = await openShipper(api.url, { limits });
    expect(await shipper.ship(makeBatch(2))).toMatchObject({ accepted: 2, requests: 2 });
    expect(shipper.counters.requestsByCode).toEqual({ SHIP_TIMEOUT: 1, 200: 1 });
  });

  test('while its answer drips is given up when the whole time is over', async () => {
    const api = await openApi((request, response) => {
      if (request.index > 0) return api.accept(request, response);
      response.writeHead(500, { 'content-length': '1000' });
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
    });
    const { shipper } = await openShipper(api.url, { limits });
    expect(await shipper.ship(makeBatch(2))).toMatchObject({ accepted: 2, requests: 2 });
    expect(shipper.counters.lastError).toMatchObject({
      code: 'SHIP_TIMEOUT',
      text: 'no complete answer within 0.4 s',
    });
  });

  test.each([200, 204, 400, 413, 503])(
    'by an endless answer with status %i reads some KiB of it, and closes the connection',
    async (status) => {
      let writtenBytes = 0;
      const api = await openApi((request, response) => {
        if (request.index > 0) return api.accept(request, response);
        const { socket } = response;
        socket?.write(`HTTP/1.1 ${status} X\r\nconnection: close\r\n\r\n`);
        const block = Buffer.alloc(16_384, 'endless ');
        const pour = (): void => {
          while (socket?.write(block) === true) writtenBytes += block.length;
        };
        socket?.on('drain', pour);
        pour();
      });
      const { shipper } = await openShipper(api.url);
      expect(await shipper.ship(makeBatch(1))).toMatchObject({ accepted: 1, deadLettered: 0 });
      await eventually(() => expect(api.sockets[0]?.destroyed).toBe(true));
      // Most of it lies in the kernel's buffers on both sides.
      expect(writtenBytes).toBeLessThan(16 * 1024 * 1024);
    },
  );

  test.each([200, 400, 503])('by dripping JSON with status %i is given up', async (status) => {
    const api = await openApi((request, response) => {
      if (request.index > 0) return api.accept(request, response);
      response.writeHead(status).write('{"a":"');
      const timer = setInterval(() => response.write('a'), 10);
      response.on('close', () => clearInterval(timer));
    });
    const { shipper } = await openShipper(api.url, { limits: { shipAnswerMs: 150 } });
    expect(await shipper.ship(makeBatch(1))).toMatchObject({ accepted: 1, requests: 2 });
    expect(shipper.counters.lastError).toMatchObject({
      code: 'SHIP_TIMEOUT',
      text: 'no complete answer within 0.15 s',
    });
    await eventually(() => expect(api.sockets[0]?.destroyed).toBe(true));
  });

  test('by JSON without an end is given up at its bound', async () => {
    const api = await openApi((request, response) => {
      if (request.index > 0) return api.accept(request, response);
      response.write(`{"error":{"message":"${'x'.repeat(3_000)}`);
      response.write('x'.repeat(3_000));
    });
    const { shipper } = await openShipper(api.url, { limits: { shipAnswerBytesMax: 5_000 } });
    expect(await shipper.ship(makeBatch(1))).toMatchObject({ accepted: 1, requests: 2 });
    expect(shipper.counters.lastError?.code).toBe('SHIP_FOREIGN_ANSWER');
    await eventually(() => expect(api.sockets[0]?.destroyed).toBe(true));
  });

  test('within the TLS handshake is given up', async () => {
    const certificate = makeTestCertificate();
    const caFile = path.join(makeStateDir(), 'ca.pem');
    writeFileSync(caFile, certificate.cert);
    let mute = true;
    const tls = await openApi(undefined, certificate);
    // Takes the connection and says nothing, then passes bytes through.
    const url = await openTcp((socket) => {
      if (mute) return;
      const inner = connect(tls.port, '127.0.0.1').on('error', () => undefined);
      socket.pipe(inner).pipe(socket);
    });
    const { shipper } = await openShipper(new URL(`https://127.0.0.1:${url.port}/`), {
      limits: { ...limits, shipRequestMs: 20_000 },
      caFile,
      metadataHost: await metadataHost(),
    });
    const shipped = shipper.ship(makeBatch(2));
    // undici's clock for this step ticks each half second.
    await eventually(() => {
      expect(shipper.counters.requestsByCode).toEqual({ SHIP_UNREACHABLE: 1 });
    });
    expect(shipper.counters.lastError?.text).toContain('Connect Timeout');
    mute = false;
    expect(await shipped).toMatchObject({ accepted: 2 });
  });
});

/** A metadata server that gives out one token for an hour. */
async function metadataHost(): Promise<string> {
  const url = await openTcp((socket) => {
    const text = '{"access_token":"t0","expires_in":3600,"token_type":"Bearer"}';
    socket.once('data', () =>
      socket.end(
        `HTTP/1.1 200 OK\r\nmetadata-flavor: Google\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
      ),
    );
  });
  return url.host;
}

const flaws = [
  ['expired', 'certificate has expired'],
  ['other host', 'does not match certificate'],
] as const;

describe.each(flaws)('a certificate that is flawed (%s)', (flaw, reason) => {
  async function openFlawed() {
    const certificate = makeTestCertificate(flaw);
    const api = await openApi(undefined, certificate);
    const caFile = path.join(makeStateDir(), 'ca.pem');
    writeFileSync(caFile, certificate.cert);
    return { api, caFile, metadataHost: await metadataHost() };
  }

  test('keeps the entries, tells the reason, and shows nobody the token', async () => {
    const { api, caFile, metadataHost: host } = await openFlawed();
    const { shipper, lines } = await openShipper(api.url, { caFile, metadataHost: host });
    const shipped = codeOf(shipper.ship(makeBatch(2)));
    await eventually(() => expect(lines.length).toBe(1));
    expect(lines[0]).toMatchObject({ level: 'error', code: 'SHIP_UNREACHABLE' });
    expect(lines[0]?.text).toContain(reason);
    expect(api.requests).toEqual([]);
    expect(shipper.counters.acceptedEntries).toBe(0);
    await shipper.stop(0);
    expect(await shipped).toBe('SHIP_STOPPED');
  });

  test('is what `check` says', async () => {
    const { api, caFile, metadataHost: host } = await openFlawed();
    const config = makeConfig({ endpoint: api.url.origin, caFile, metadataHost: host });
    const place = { project: 'p', cluster: 'c', location: 'l', node: 'n' };
    const findNodeIdentity = () => Promise.resolve(place);
    const findings = await checkEndpoint(config, { findNodeIdentity, sendDryRun });
    const [finding] = findings.filter(({ level }) => level === 'fail');
    expect(finding?.text).toContain('SHIP_UNREACHABLE');
    expect(finding?.text).toContain(reason);
    expect(finding?.advice).toContain('certificate');
  });
});

describe('a connection', () => {
  test('that is reset in mid-request costs a retry', async () => {
    const api = await openApi((request, response) => {
      if (request.index === 0) (response.socket as Socket).resetAndDestroy();
      else api.accept(request, response);
    });
    const { shipper } = await openShipper(api.url);
    expect(await shipper.ship(makeBatch(3))).toMatchObject({ accepted: 3, requests: 2 });
    expect(shipper.counters.requestsByCode).toEqual({ SHIP_UNREACHABLE: 1, 200: 1 });
  });

  test('that breaks off after half an answer costs a retry', async () => {
    const api = await openApi((request, response) => {
      if (request.index > 0) return api.accept(request, response);
      response.writeHead(400, { 'content-length': '1000' });
      response.write('{"error":{"code":400,"message":"x"}}', () => response.socket?.destroy());
    });
    const { shipper } = await openShipper(api.url);
    expect(await shipper.ship(makeBatch(3))).toMatchObject({ accepted: 3, deadLettered: 0 });
  });

  test('that the server half-closes while it is idle is closed, not kept in CLOSE_WAIT', async () => {
    const api = await openApi();
    const { shipper } = await openShipper(api.url);
    for (let round = 1; round <= 5; round += 1) {
      await shipper.ship(makeBatch(1));
      const socket = api.sockets.at(-1);
      socket?.end();
      // The client's own end of the connection comes back: it is closed on both sides.
      if (socket !== undefined && !socket.closed) await once(socket, 'close');
      expect(api.sockets.length).toBe(round);
    }
    expect(shipper.counters.requestsByCode).toEqual({ 200: 5 });
  });

  test('is kept for the next request', async () => {
    const api = await openApi();
    const { shipper } = await openShipper(api.url, { connections: 1 });
    for (let round = 0; round < 10; round += 1) await shipper.ship(makeBatch(1));
    expect(api.sockets.length).toBe(1);
  });

  test('is closed when it was idle for long', async () => {
    const api = await openApi();
    const { shipper } = await openShipper(api.url, { limits: { shipIdleMs: 50 } });
    await shipper.ship(makeBatch(1));
    await eventually(() => expect(api.sockets[0]?.closed).toBe(true));
  });

  test('is replaced when it is old, without breaking a request', async () => {
    const api = await openApi((request, response) => {
      setTimeout(() => api.accept(request, response), 5);
    });
    const { shipper } = await openShipper(api.url, { limits: { shipConnectionAgeMs: 60 } });
    while (api.sockets.length <= 6) {
      await Promise.all([shipper.ship(makeBatch(1)), shipper.ship(makeBatch(1))]);
    }
    expect(Object.keys(shipper.counters.requestsByCode)).toEqual(['200']);
    // Each takes 5 ms at least, so that more of them would be older than 60 ms.
    const uses = Map.groupBy(api.requests, (request) => request.connection).values();
    expect(Math.max(...uses.map(({ length }) => length))).toBeLessThan(60 / 5 + 4);
  });
});

describe('an outage', () => {
  test('is asked by one probe at a time, and told in two lines of log', async () => {
    let sick = true;
    let open = 0;
    let most = 0;
    const api = await openApi((request, response) => {
      if (!sick) return api.accept(request, response);
      open += 1;
      most = Math.max(most, open);
      setTimeout(() => {
        open -= 1;
        response.writeHead(503).end();
      }, 3);
    });
    const { shipper, lines } = await openShipper(api.url, { connections: 4 });
    // Healthy first, so that four requests are under way when it falls ill.
    const batches = Array.from({ length: 12 }, () => shipper.ship(makeBatch(2)));
    await eventually(() => expect(api.requests.length).toBeGreaterThan(12));
    most = open;
    const firstProbe = api.requests.length;
    await eventually(() => expect(api.requests.length).toBeGreaterThan(firstProbe + 8));
    expect(most).toBe(1);
    expect(shipper.counters.consecutiveFailures).toBeGreaterThan(8);
    sick = false;
    const outcomes = await Promise.all(batches);
    expect(outcomes.every((outcome) => outcome.accepted === 2)).toBe(true);
    expect(shipper.counters.consecutiveFailures).toBe(0);
    expect(lines.map((line) => [line.level, line.code])).toEqual([
      ['error', 'SHIP_UNAVAILABLE'],
      ['info', 'SHIP_UNAVAILABLE'],
    ]);
    expect(lines[1]?.text).toMatch(/recovered after \d+ s/);
  });

  test('of a port that nobody listens on ends when somebody does', async () => {
    const port = await freePort();
    const { shipper } = await openShipper(new URL(`http://127.0.0.1:${port}`));
    const shipped = shipper.ship(makeBatch(2));
    await eventually(() => expect(shipper.counters.consecutiveFailures).toBeGreaterThan(3));
    expect(shipper.counters.lastError?.text).toContain('ECONNREFUSED');
    const back = new FakeApi((request, response) => back.accept(request, response));
    await back.listen(port);
    onTestFinished(() => back.close());
    expect(await shipped).toMatchObject({ accepted: 2 });
  });

  test('of single failures is not told at all', async () => {
    const api = await openApi((request, response) => {
      if (request.index % 2 === 0) response.writeHead(503).end();
      else api.accept(request, response);
    });
    const { shipper, lines } = await openShipper(api.url);
    for (let round = 0; round < 5; round += 1) await shipper.ship(makeBatch(1));
    expect(shipper.counters.retries).toBe(5);
    expect(lines).toEqual([]);
  });
});

describe('a 429', () => {
  test.each([
    ['seconds', () => '1', 1_000],
    ['a date', () => new Date(Date.now() + 2_000).toUTCString(), 900],
  ])('holds back every batch for its Retry-After in %s', async (_name, retryAfter, waitMs) => {
    const api = await openApi((request, response) => {
      if (request.index > 0) return api.accept(request, response);
      response.writeHead(429, { 'retry-after': retryAfter() }).end();
    });
    const { shipper } = await openShipper(api.url, { connections: 1 });
    await Promise.all([shipper.ship(makeBatch(1)), shipper.ship(makeBatch(1))]);
    const [first, second] = api.requests;
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThan(waitMs - 5);
  });

  test('lowers the rate of all, and successes raise it again', async () => {
    // No jitter: it would add to the gaps.
    vi.spyOn(Math, 'random').mockReturnValue(0);
    onTestFinished(() => void vi.restoreAllMocks());
    const api = await openApi((request, response) => {
      if (request.index === 0) response.writeHead(429).end();
      else api.accept(request, response);
    });
    // After the 429: 10 requests a second, and 10 more a second with each success from the first
    // on.
    const { shipper } = await openShipper(api.url, {
      connections: 1,
      limits: { shipBackoffBaseMs: 100, shipBackoffMaxMs: 1_000, shipRateStep: 10 },
    });
    await Promise.all(Array.from({ length: 15 }, () => shipper.ship(makeBatch(1))));
    const times = api.requests.map((request) => request.atMs);
    const gaps = times.slice(1).map((atMs, index) => atMs - (times[index] ?? 0));
    // From the 429 on, which no request overtakes: one that arrives late shortens the next gap.
    const early = gaps.slice(0, 4).reduce((sum, gap) => sum + gap, 0);
    // 50 + 33 + 25 ms at least: the first success has raised the rate to 20 a second.
    expect(early).toBeGreaterThan(100);
    // A loaded machine makes gaps longer, never shorter.
    expect(Math.min(...gaps.slice(-7))).toBeLessThan(early / 6);
  });
});

/** The code that the promise rejects with; handled from the start, however late it is asked for. */
function codeOf(shipped: Promise<unknown>): Promise<unknown> {
  return shipped.then(
    () => 'resolved',
    (error: unknown) => (error as { code: unknown }).code,
  );
}

describe('stop', () => {
  test('lets what is in flight end within the grace, and rejects the rest', async () => {
    const answers: (() => void)[] = [];
    const api = await openApi((request, response) => {
      answers.push(() => api.accept(request, response));
    });
    const { shipper } = await openShipper(api.url, { connections: 1 });
    const first = shipper.ship(makeBatch(3));
    const second = shipper.ship(makeBatch(3));
    const rejected = codeOf(second);
    await eventually(() => expect(answers.length).toBe(1));
    const stopped = shipper.stop(5_000);
    expect(await rejected).toBe('SHIP_STOPPED');
    answers[0]?.();
    expect(await first).toMatchObject({ accepted: 3 });
    await stopped;
    await expect(shipper.ship(makeBatch(1))).rejects.toMatchObject({ code: 'SHIP_STOPPED' });
    expect(api.requests.length).toBe(1);
  });

  test('rejects everything when the grace is over', async () => {
    const api = await openApi(() => undefined);
    const { shipper } = await openShipper(api.url);
    const hung = codeOf(shipper.ship(makeBatch(3)));
    await eventually(() => expect(api.requests.length).toBe(1));
    await shipper.stop(50);
    expect(await hung).toBe('SHIP_STOPPED');
    await eventually(() => expect(api.sockets[0]?.closed).toBe(true));
  });

  test('ends a back-off at once', async () => {
    const api = await openApi((_request, response) => response.writeHead(503).end());
    const { shipper } = await openShipper(api.url, {
      limits: { shipBackoffBaseMs: 600_000, shipBackoffMaxMs: 600_000 },
    });
    const waiting = codeOf(shipper.ship(makeBatch(1)));
    await eventually(() => expect(shipper.counters.consecutiveFailures).toBe(1));
    await shipper.stop(60_000);
    expect(await waiting).toBe('SHIP_STOPPED');
  });
});
