// The admin HTTP server: /livez, /readyz, /metrics, /api/status and the page at /. Started by
// agent.ts. Its invariants: nothing is computed unless somebody asks, and nothing that a client
// does, or a fault in what is asked, stops the agent.

import type * as HttpModule from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { threadCpuUsage } from 'node:process';
import { limits } from '../config.ts';
import { AgentError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { HostPort } from '../options/options.ts';
import { pageHeaders, plainHeaders, readPageFile } from '../page-file.ts';
import { printable } from '../printable.ts';
import type { AdminSource, Check } from './admin-source.ts';
import type * as MetricModule from './metric-text.ts';

// `import` of node:http touches every export, among them its lazy WebSocket, and so loads a second
// undici: 20 MB. `require` loads 4 MB (measured, Node 26.10).
const http = createRequire(import.meta.url)('node:http') as typeof HttpModule;

export type AdminServer = {
  /** `http://HOST:PORT`, with the port that was taken for port 0. */
  readonly url: string;
  /** Ends all connections. */
  readonly close: () => Promise<void>;
};

type Answer = {
  readonly status: number;
  readonly type: string;
  readonly body: string | Buffer;
};
type Route = (source: AdminSource, query: URLSearchParams) => Answer | Promise<Answer>;

const text = 'text/plain; charset=utf-8';

/** Loaded by the first scrape. */
let metrics: typeof MetricModule | undefined;

const routes: Readonly<Record<string, Route>> = {
  '/livez': (source) => health(source.liveness()),
  '/readyz': (source) => health(source.readiness()),
  '/metrics': async (source) => {
    metrics ??= await import('./metric-text.ts');
    const { metricContentType, metricText } = metrics;
    const body = charged(source, () => metricText(source.status()));
    return { status: 200, type: metricContentType, body };
  },
  // The page gives the time of its newest sample, and gets those since with the status: one request
  // costs half of two.
  '/api/status': (source, query) => {
    const after = query.get('after');
    const history = after === null ? undefined : source.history(Number(after));
    return charged(source, () => json({ ...source.status(), history }));
  },
};

/** Does what never waits, and tells what it cost. */
function charged<Result>(source: AdminSource, work: () => Result): Result {
  const before = threadCpuUsage();
  const result = work();
  const { user, system } = threadCpuUsage(before);
  source.spent(user + system);
  return result;
}

function json(value: object): Answer {
  return { status: 200, type: 'application/json', body: `${JSON.stringify(value)}\n` };
}

/** Listens at `address`. Throws ADMIN_ADDRESS_UNUSABLE when it is taken or not this machine's. */
export async function startAdmin(
  address: HostPort,
  source: AdminSource,
  log: Log,
): Promise<AdminServer> {
  const server = http.createServer((request, response) => {
    void respond(request, response, source).catch((error: unknown) => {
      // A fault of the status must not stop the shipping.
      log.error(undefined, `the admin server failed: ${String(error)}`, { path: request.url });
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  server.maxConnections = limits.adminConnectionsMax;
  server.keepAliveTimeout = limits.adminKeepAliveMs;
  server.requestTimeout = limits.adminRequestTimeoutMs;
  server.headersTimeout = limits.adminRequestTimeoutMs;
  await listen(server, address);
  server.on('error', (error) => log.warn(undefined, `the admin server: ${error.message}`));
  const { port } = server.address() as AddressInfo;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return { url: `http://${host}:${port}`, close: () => closeServer(server) };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  source: AdminSource,
): Promise<void> {
  const answer = await answerOf(request, source);
  charged(source, () => {
    const isPage = Buffer.isBuffer(answer.body);
    response.writeHead(answer.status, {
      'content-type': answer.type,
      'content-length': Buffer.byteLength(answer.body),
      ...(isPage ? pageHeaders : plainHeaders),
    });
    response.end(request.method === 'HEAD' ? undefined : answer.body);
  });
}

async function answerOf(request: IncomingMessage, source: AdminSource): Promise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { status: 405, type: text, body: 'only GET and HEAD\n' };
  }
  const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (route !== undefined) return route(source, new URLSearchParams(query));
  const { pageTable } = await import('./page-table.ts');
  const file = await readPageFile(pageTable, path);
  if (file !== undefined) return { status: 200, ...file };
  return { status: 404, type: text, body: `there are / ${Object.keys(routes).join(' ')}\n` };
}

/** One line per check, as the kubelet prints it into the events of the pod when a probe fails. */
function health(checks: readonly Check[]): Answer {
  const isOk = checks.every(({ ok }) => ok);
  const lines = checks.map(({ name, ok, reason }) =>
    printable(ok ? `ok ${name}` : `failed ${name}: ${reason ?? 'no reason given'}`),
  );
  const body = [...lines, isOk ? 'ok' : 'failed', ''].join('\n');
  return { status: isOk ? 200 : 503, type: text, body };
}

async function listen(server: Server, { host, port }: HostPort): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(port, host, resolve);
  try {
    await promise;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AgentError('ADMIN_ADDRESS_UNUSABLE', reason, { cause: error });
  }
  server.off('error', reject);
}

async function closeServer(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections();
  await promise;
}
