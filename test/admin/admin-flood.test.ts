// Probes beside clients that mean harm: each test holds the admin port with connections of one
// kind, or of all, from a process of its own, and asks as a kubelet does meanwhile.

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startAdmin, type AdminServer } from '../../src/admin/admin-server.ts';
import { isOwnHost } from '../../src/admin/host-header.ts';
import { limits } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import {
  createSampleSource,
  sampleStatus,
  sampleWorkload,
  type SampleSource,
} from './status-fixture.ts';
import { eventually } from '../support/eventually.ts';
import { startOwnClock } from '../support/own-time.ts';

const probeCount = 100;
/** What a kubelet waits by default. */
const probeMs = 1_000;
/** On a loaded machine an answer may take longer than it takes the server. */
const answerMs = 60_000;

let server: AdminServer;
let source: SampleSource;
let attacker: ChildProcess | undefined;

beforeEach(async () => {
  const log = createLog({ level: 'error', write: () => undefined });
  source = createSampleSource();
  server = await startAdmin({ host: '127.0.0.1', port: 0 }, source, log, ['pod-7']);
});

afterEach(async () => {
  attacker?.kill('SIGKILL');
  await server.close();
});

/** One probe as the kubelet sends it: a connection of its own, closed afterwards. */
function probe(path = '/livez'): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const headers = { 'user-agent': 'kube-probe/1.33', connection: 'close' };
  const asked = request(server.url + path, { agent: false, headers, timeout: answerMs }, (answer) =>
    answer.resume().on('end', () => resolve(answer.statusCode ?? 0)),
  );
  asked.on('timeout', () => asked.destroy(new Error('timeout'))).on('error', reject);
  asked.end();
  return promise;
}

/** Resolves when the attacker has opened its connections once; closed ones it opens again. */
async function attack(kind: string, count: number): Promise<void> {
  const script = new URL('admin-attacker.ts', import.meta.url);
  attacker = fork(script, [kind, String(count), new URL(server.url).port]);
  await once(attacker, 'message');
}

function descriptorCount(): number {
  return readdirSync('/proc/self/fd').length;
}

describe.each([
  ['hold', 40],
  ['drip', 40],
  ['idle', 40],
  ['deaf', 40],
  ['pipeline', 40],
  ['all', 40],
  // More than there may be, all the time: one of them has to go for a probe.
  ['hold', 2 * limits.adminConnectionsMax],
  ['idle', 2 * limits.adminConnectionsMax],
  ['all', 10_000],
])('connections that %s, %i of them', (kind, count) => {
  test('leave all probes their answer within a second', async () => {
    const before = descriptorCount();
    await attack(kind, count);
    const failures: string[] = [];
    let descriptorsMax = 0;
    for (let round = 0; round < probeCount; round += 1) {
      const elapsedMs = startOwnClock();
      const outcome = await probe(round % 2 === 0 ? '/livez' : '/readyz').catch(String);
      const ms = elapsedMs();
      if (outcome !== 200 || ms > probeMs) failures.push(`${outcome} ${ms.toFixed(0)} ms`);
      descriptorsMax = Math.max(descriptorsMax, descriptorCount());
    }
    expect(failures).toEqual([]);
    // The probe's two ends, and what the runtime opens for a moment.
    expect(descriptorsMax - before).toBeLessThanOrEqual(limits.adminConnectionsMax + 16);
    expect(limits.adminConnectionsMax).toBeLessThanOrEqual(limits.openFilesReserve / 2);
  });
});

test('requests that are pipelined behind an unanswered one end their connection', async () => {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write('GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'.repeat(2_000));
  let answers = 0;
  socket.setEncoding('latin1').on('data', (text: string) => {
    answers += text.split('HTTP/1.1 200').length - 1;
  });
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  socket.once('close', resolve);
  await closed;
  expect(answers).toBeLessThan(10);
  expect(await probe()).toBe(200);
});

test('answers that nobody reads take bounded memory', async () => {
  // More than the buffers of the kernel take.
  const answerBytes = 16 * 1024 * 1024;
  const workload = { ...sampleWorkload, pod: 'x'.repeat(answerBytes) };
  let reads = 0;
  source.read = () => {
    reads += 1;
    return { ...sampleStatus, workloads: [workload] };
  };
  const { port } = new URL(server.url);
  const count = 12;
  let closed = 0;
  const taken = Array.from({ length: count }, () => 0);
  const sockets = taken.map((_, index) => {
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => undefined).on('close', () => (closed += 1));
    socket.on('data', (piece) => (taken[index] = (taken[index] ?? 0) + piece.length));
    socket.pause();
    socket.write('GET /api/status HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n');
    return socket;
  });
  await eventually(() => expect(reads).toBeGreaterThanOrEqual(count));
  for (let round = 0; round < 10; round += 1) expect(await probe()).toBe(200);
  // A paused socket learns of its end when it reads.
  for (const socket of sockets) socket.resume();
  await eventually(() => expect(closed).toBe(count));
  const whole = taken.filter((bytes) => bytes > answerBytes);
  expect(whole.length * answerBytes).toBeLessThanOrEqual(limits.adminUnreadBytesMax);
});

test('a client that asks from time to time keeps its connection, however many are silent', async () => {
  const { port } = new URL(server.url);
  const client = connect(Number(port), '127.0.0.1').setEncoding('latin1');
  const isLost = once(client, 'close').then(() => expect.unreachable('it lost its connection'));
  const silent: Socket[] = [];
  for (let round = 0; round < 6; round += 1) {
    client.write('GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    const [answer] = await Promise.race([once(client, 'data'), isLost]);
    expect(answer).toContain('HTTP/1.1 200');
    for (let more = 0; more < limits.adminConnectionsMax / 2; more += 1) {
      const socket = connect(Number(port), '127.0.0.1').on('error', () => undefined);
      await once(socket, 'connect');
      silent.push(socket);
    }
  }
  expect(client.closed).toBe(false);
  isLost.catch(() => undefined);
  for (const socket of [client, ...silent]) socket.destroy();
});

test('a probe that comes while the event loop is busy learns of the ticks that are due', async () => {
  let tickedAtMs = performance.now();
  const timer = setInterval(() => (tickedAtMs = performance.now()), 10);
  const ageMaxMs = 50;
  source.liveness = () => [{ name: 'clock', ok: performance.now() - tickedAtMs < ageMaxMs }];
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1').setEncoding('latin1');
  const ask = () => socket.write('GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  ask();
  await once(socket, 'data'); // The connection is open and kept.
  ask();
  const endMs = performance.now() + 4 * ageMaxMs;
  while (performance.now() < endMs); // Busy.
  const [answer] = (await once(socket, 'data')) as [string];
  clearInterval(timer);
  socket.destroy();
  expect(answer).toContain('HTTP/1.1 200');
});

test('a request with a body is answered without waiting for its end', async () => {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  let answer = '';
  socket.on('error', () => undefined).on('data', (chunk) => (answer += String(chunk)));
  socket.write('GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n');
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  socket.once('close', resolve);
  await closed;
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
});

describe('Host', () => {
  const names = ['pod-7', 'Node.example'];

  test.each([
    ['127.0.0.1'],
    ['127.0.0.1:8090'],
    ['10.4.0.9:8090'],
    ['[::1]'],
    ['[::1]:8090'],
    ['[fd00::7]:8090'],
    ['[fe80::1%eth0]:8090'],
    ['localhost'],
    ['LocalHost:8090'],
    ['localhost.'],
    ['pod-7'],
    ['POD-7:8090'],
    ['pod-7.:8090'],
    ['node.EXAMPLE:1'],
  ])('%s names this agent', (host) => {
    expect(isOwnHost([host], names)).toBe(true);
  });

  test.each([
    ['evil.example'],
    ['evil.example:8090'],
    ['127.0.0.1.evil.example'],
    ['localhost.evil.example'],
    ['evil-localhost'],
    ['pod-7.evil.example'],
    ['pod-70'],
    ['::1'],
    ['[::1'],
    ['[localhost]'],
    ['[127.0.0.1]'],
    ['127.1'],
    ['0x7f.0.0.1'],
    ['2130706433'],
    ['localhost:port'],
    ['localhost:8090:1'],
    ['user@localhost'],
    ['localhost,evil.example'],
    ['localhost evil.example'],
    [''],
    ['.'],
    [':8090'],
  ])('"%s" does not', (host) => {
    expect(isOwnHost([host], names)).toBe(false);
  });

  test('none or two name no host', () => {
    expect(isOwnHost(undefined, names)).toBe(false);
    expect(isOwnHost([], names)).toBe(false);
    expect(isOwnHost(['localhost', 'evil.example'], names)).toBe(false);
    expect(isOwnHost(['localhost', 'localhost'], names)).toBe(false);
  });

  /** The status of one request with these header lines. */
  async function ask(path: string, headers: readonly string[], version = '1.1'): Promise<number> {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    const lines = [`GET ${path} HTTP/${version}`, ...headers, 'Connection: close', '', ''];
    socket.write(lines.join('\r\n'));
    let text = '';
    for await (const piece of socket) text += String(piece);
    return Number(text.split(' ')[1]);
  }

  test.each([['/'], ['/api/status'], ['/page.js'], ['/nothing']])(
    'of a stranger does not get %s',
    async (path) => {
      expect(await ask(path, ['Host: evil.example'])).toBe(403);
      expect(await ask(path, [])).toBe(403);
      expect(await ask(path, [], '1.0')).toBe(403);
      expect(await ask(path, ['Host: localhost', 'Host: evil.example'])).toBe(403);
      const expected = path === '/nothing' ? 404 : 200;
      expect(await ask(path, ['Host: pod-7:8090'])).toBe(expected);
      expect(await ask(path, ['Host: [::1]:8090'])).toBe(expected);
    },
  );

  test.each([['/livez'], ['/readyz'], ['/metrics']])('of anybody gets %s', async (path) => {
    expect(await ask(path, ['Host: tailship.logging.svc:8090'])).toBe(200);
    expect(await ask(path, [])).toBe(200);
    expect(await ask(path, [], '1.0')).toBe(200);
  });
});
