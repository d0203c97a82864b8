// The endpoint that every peer sends to: a process of its own, so that its CPU is never counted.
// Answers as each peer expects (sink-answers.ts) and finds each line's number in the bodies, so
// that a run counts only if every line arrived. `--port N`, default any. Bodies are kept and
// searched when the stats are asked for, after the run, so that the sink is not what a fast peer
// waits for. With `live` they are searched at once, for their time of arrival.
//
// With `--key` and `--certificate` what peers post is taken over https on a port of its own. The
// rest stays on plain http: the paths below, and a metadata server for peers that need a token. A
// third port takes gRPC, for the plugin that is cheaper that way; its bodies hold the same text. A
// fourth takes Fluentd's forward protocol.
//
//   POST /sink/reset?lines=N[&live]   forget everything, expect the numbers 0…N-1
//   POST /sink/forget-latencies       restart the quantiles
//   GET  /sink/stats                  what arrived since
//   GET  /computeMetadata/v1/…        a token and a project

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import * as http2 from 'node:http2';
import { createServer as createTlsServer } from 'node:https';
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server as TcpServer,
  type Socket,
} from 'node:net';
import type { Readable } from 'node:stream';
import { parseArgs } from 'node:util';
import { createGunzip } from 'node:zlib';
import { makeForwardReader } from './forward-protocol.ts';
import { makeMarkerScan } from './marker-scan.ts';
import {
  type Answer,
  answerGet,
  answerMetadata,
  answerPost,
  isBulk,
  isLokiPush,
} from './sink-answers.ts';
import type { SinkStats } from './sink-client.ts';
import { decodeSnappy } from './snappy.ts';

/** Latencies are counted in buckets of 0.1 ms up to a minute; later ones fall into the last. */
const bucketMicros = 100;
const bucketCount = 600_000;
/** More than this is not kept: it is searched at once, whatever that costs the peer. */
const keptBytesMax = 2 ** 29;

let seen = new Uint8Array(0);
let buckets = new Uint32Array(0);
let counts = makeCounts();
let live = false;
let kept: (() => void)[] = [];
let keptBytes = 0;
const sockets = new Set<Socket>();
const readBefore = new WeakMap<Socket, number>();

function makeCounts() {
  return {
    requests: 0,
    connections: 0,
    bodyBytes: 0,
    closedBytes: 0,
    distinct: 0,
    unknown: 0,
    doubled: 0,
  };
}

function reset(lineCount: number, isLive: boolean): void {
  live = isLive;
  kept = [];
  keptBytes = 0;
  seen = new Uint8Array(lineCount);
  buckets = new Uint32Array(bucketCount);
  counts = makeCounts();
  for (const socket of sockets) readBefore.set(socket, socket.bytesRead);
}

function onMarker(seq: number, writtenMicros: number | undefined): void {
  const before = seen[seq];
  if (before === undefined) counts.unknown++;
  else if (before > 0) counts.doubled++;
  else {
    seen[seq] = 1;
    counts.distinct++;
  }
  if (writtenMicros === undefined) return;
  const micros = Number(process.hrtime.bigint() / 1000n) - writtenMicros;
  const bucket = Math.min(bucketCount - 1, Math.max(0, Math.floor(micros / bucketMicros)));
  buckets[bucket] = (buckets[bucket] ?? 0) + 1;
}

function quantileMs(share: number): number | undefined {
  const total = buckets.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let passed = 0;
  const bucket = buckets.findIndex((count) => (passed += count) >= share * total);
  return ((bucket + 1) * bucketMicros) / 1000;
}

function bytesSinceReset(socket: Socket): number {
  return socket.bytesRead - (readBefore.get(socket) ?? 0);
}

/** Searches what was kept, in the order of arrival. */
function searchKept(): void {
  for (const searchOne of kept) searchOne();
  kept = [];
  keptBytes = 0;
}

function readStats(): SinkStats {
  searchKept();
  let wireBytes = counts.closedBytes;
  for (const socket of sockets) wireBytes += bytesSinceReset(socket);
  return {
    requests: counts.requests,
    connections: counts.connections,
    bodyBytes: counts.bodyBytes,
    wireBytes,
    distinct: counts.distinct,
    doubled: counts.doubled,
    unknown: counts.unknown,
    p50Ms: quantileMs(0.5),
    p99Ms: quantileMs(0.99),
  };
}

/** Counts bytes of a body, and searches them now or when the stats are asked for. */
function search(scan: ReturnType<typeof makeMarkerScan>, chunk: Buffer, isLast = false): void {
  counts.bodyBytes += chunk.length;
  if (seen.length === 0) return; // Nothing is expected, so there is nothing to find.
  if (live) return scan(chunk, isLast);
  kept.push(() => scan(chunk, isLast));
  keptBytes += chunk.length;
  if (keptBytes > keptBytesMax) searchKept();
}

const nothing = Buffer.alloc(0);

/** Counts and searches a body; calls back when all of it is there. */
function receiveBody(body: Readable, onEnd: () => void): void {
  const scan = makeMarkerScan(onMarker);
  body.on('data', (chunk: Buffer) => search(scan, chunk));
  body.on('end', () => {
    search(scan, nothing, true);
    counts.requests++;
    onEnd();
  });
}

/** Takes a body that can only be searched when it is whole; throws when it is damaged. */
function receivePush(body: Readable, onEnd: (error: unknown) => void): void {
  const chunks: Buffer[] = [];
  body.on('data', (chunk: Buffer) => chunks.push(chunk));
  body.on('end', () => {
    let damage: unknown;
    try {
      search(makeMarkerScan(onMarker), decodeSnappy(Buffer.concat(chunks)), true);
      counts.requests++;
    } catch (error) {
      damage = error;
    }
    onEnd(damage);
  });
}

function send(response: ServerResponse, answer: Answer): void {
  const { status, type, body, headers } = answer;
  const length = status === 204 ? {} : { 'content-length': Buffer.byteLength(body) };
  response.writeHead(status, { 'content-type': type, ...length, ...headers });
  response.end(body);
}

function countLineBreaks(chunk: Buffer): number {
  let count = 0;
  for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) count++;
  return count;
}

function receive(request: IncomingMessage, response: ServerResponse): void {
  const { pathname } = new URL(request.url ?? '/', 'http://sink');
  if (request.method === 'GET' || request.method === 'HEAD') {
    request.resume();
    return send(response, answerGet(pathname));
  }
  const isZipped = request.headers['content-encoding'] === 'gzip';
  const body: Readable = isZipped ? request.pipe(createGunzip()) : request;
  // A peer that went away in mid-request counts as nothing: its lines come again or are missing.
  body.on('error', () => response.destroy());
  if (isLokiPush(pathname) && request.headers['content-type'] === 'application/x-protobuf') {
    return receivePush(body, (error) => {
      const refusal = { status: 400, type: 'text/plain', body: String(error) };
      send(response, error === undefined ? answerPost(pathname, 0) : refusal);
    });
  }
  let lineBreaks = 0;
  if (isBulk(pathname)) body.on('data', (chunk: Buffer) => (lineBreaks += countLineBreaks(chunk)));
  receiveBody(body, () => send(response, answerPost(pathname, lineBreaks)));
}

/** Takes the forward protocol on a connection; each message counts as a request. */
function receiveForward(socket: Socket): void {
  const read = makeForwardReader({
    onMessage(message) {
      search(makeMarkerScan(onMarker), message, true);
      counts.requests++;
    },
    answer: (bytes) => socket.write(bytes),
  });
  socket.on('data', (chunk: Buffer) => {
    try {
      read(chunk);
    } catch {
      socket.destroy(); // What follows has no beginning.
    }
  });
  socket.on('error', () => socket.destroy());
}

/** An empty message of gRPC: not compressed, no bytes. */
const emptyMessage = Buffer.alloc(5);

function receiveGrpc(request: http2.Http2ServerRequest, response: http2.Http2ServerResponse): void {
  receiveBody(request, () => {
    response.writeHead(200, { 'content-type': 'application/grpc' });
    response.addTrailers({ 'grpc-status': '0' });
    response.end(emptyMessage);
  });
  request.on('error', () => response.stream.destroy());
}

function control(request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://sink');
  if (url.pathname === '/sink/reset') {
    reset(Number(url.searchParams.get('lines') ?? 0), url.searchParams.has('live'));
    request.resume();
    response.end('{}');
  } else if (url.pathname === '/sink/forget-latencies') {
    buckets.fill(0);
    request.resume();
    response.end('{}');
  } else if (url.pathname === '/sink/stats') {
    response.end(JSON.stringify(readStats()));
  } else if (url.pathname.startsWith('/computeMetadata/')) {
    request.resume();
    const flavor = request.headers['metadata-flavor'];
    send(response, answerMetadata(url.pathname, String(flavor)));
  } else {
    receive(request, response);
  }
}

/** Counts the connections of a server and what they carry, and answers its URL. */
async function listen(
  server: Server | http2.Http2Server | TcpServer,
  port: number,
  scheme: string,
): Promise<string> {
  if ('keepAliveTimeout' in server) server.keepAliveTimeout = 60_000;
  // The plain socket even under TLS: the wire's bytes are those of TLS.
  server.on('connection', (socket: Socket) => {
    counts.connections++;
    sockets.add(socket);
    socket.once('close', () => {
      counts.closedBytes += bytesSinceReset(socket);
      sockets.delete(socket);
    });
  });
  await once(server.listen(port, '127.0.0.1'), 'listening');
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const { values: option } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    key: { type: 'string' },
    certificate: { type: 'string' },
  },
});
const controlUrl = await listen(createServer(control), Number(option.port), 'http');
let url = controlUrl;
if (option.key !== undefined && option.certificate !== undefined) {
  const pair = { key: readFileSync(option.key), cert: readFileSync(option.certificate) };
  url = await listen(createTlsServer(pair, receive), 0, 'https');
}
const grpcUrl = await listen(http2.createServer(receiveGrpc), 0, 'http');
const forwardUrl = await listen(createTcpServer(receiveForward), 0, 'tcp');
const urls = { listening: url, controlUrl, grpcUrl, forwardUrl };
process.stdout.write(`${JSON.stringify(urls)}\n`);
// The parent holds the other end of stdin: when it dies in any way, so does the sink.
process.stdin.on('end', () => process.exit(0)).resume();
