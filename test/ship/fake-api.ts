// A real HTTP server that answers entries:write as a test says, and remembers what it received.
// Used by the tests of the ship stage, which need answers that no healthy API gives.

import { createServer } from 'node:http';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import type { TestCertificate } from './test-certificate.ts';

export type ReceivedRequest = {
  readonly index: number;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** insertIds, in their order. */
  readonly ids: readonly string[];
  /** Which connection it came on, from 1. */
  readonly connection: number;
  readonly atMs: number;
};

export type Respond = (request: ReceivedRequest, response: ServerResponse) => void;

export class FakeApi {
  readonly requests: ReceivedRequest[] = [];
  readonly sockets: Socket[] = [];
  /** insertIds that were answered with success, and how often. */
  readonly written = new Map<string, number>();
  readonly #server;
  readonly #scheme: string;
  respond: Respond;

  constructor(respond: Respond, certificate?: TestCertificate) {
    this.respond = respond;
    this.#scheme = certificate === undefined ? 'http' : 'https';
    this.#server = certificate === undefined ? createServer() : createTlsServer(certificate);
    this.#server.on('connection', (socket: Socket) => {
      this.sockets.push(socket);
      socket.on('error', () => undefined);
    });
    this.#server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('error', () => undefined);
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const bytes = Buffer.concat(chunks);
        const zipped = request.headers['content-encoding'] === 'gzip';
        const body = (zipped ? gunzipSync(bytes) : bytes).toString('utf8');
        const port = request.socket.remotePort;
        const received = {
          index: this.requests.length,
          path: request.url ?? '',
          headers: request.headers,
          body,
          ids: idsOf(body),
          connection: this.sockets.findIndex((socket) => socket.remotePort === port) + 1,
          atMs: performance.now(),
        };
        this.requests.push(received);
        this.respond(received, response);
      });
    });
  }

  async listen(port = 0): Promise<this> {
    await new Promise<void>((resolve) => {
      this.#server.listen(port, '127.0.0.1', resolve);
    });
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): URL {
    return new URL(`${this.#scheme}://127.0.0.1:${this.port}/`);
  }

  /** Answers 200 and counts the entries as written. */
  accept(request: ReceivedRequest, response: ServerResponse): void {
    this.count(request.ids);
    response.setHeader('content-type', 'application/json').end('{}');
  }

  count(ids: Iterable<string>): void {
    for (const id of ids) this.written.set(id, (this.written.get(id) ?? 0) + 1);
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Answers with the API's JSON error. */
export function apiError(
  response: ServerResponse,
  error: { code: number; status: string; message: string; details?: readonly unknown[] },
): void {
  response.writeHead(error.code, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error }));
}

/** The detail that names entries by index, with google.rpc.Codes. */
export function partialErrors(codes: Readonly<Record<string, number>>): unknown {
  const logEntryErrors = Object.fromEntries(
    Object.entries(codes).map(([index, code]) => [index, { code, message: `code ${code}` }]),
  );
  return {
    '@type': 'type.googleapis.com/google.logging.v2.WriteLogEntriesPartialErrors',
    logEntryErrors,
  };
}

/** A batch of `entryCount` entries `e0`, `e1`, … as a view within shared memory. */
export function makeBatch(
  entryCount: number,
  text = (index: number): string => `text of ${index}`,
): { readonly body: Uint8Array; readonly entryCount: number } {
  const entries = Array.from({ length: entryCount }, (_, index) =>
    JSON.stringify({ insertId: `e${index}`, textPayload: text(index) }),
  );
  const head = '{"partialSuccess":true,"labels":{"k":"\\"entries\\":["},"entries":[';
  const json = `${head}${entries.join(',\n')}]}`;
  const bytes = Buffer.from(json);
  const memory = new SharedArrayBuffer(bytes.length + 96);
  new Uint8Array(memory).fill(0x7e);
  const body = new Uint8Array(memory, 40, bytes.length);
  body.set(bytes);
  return { body, entryCount };
}

function idsOf(body: string): string[] {
  if (body === '') return []; // A GET for a token.
  return (JSON.parse(body) as { entries: { insertId: string }[] }).entries.map(
    (entry) => entry.insertId,
  );
}
