// The admin HTTP server: /livez, /readyz, /metrics, /api/status and the page at /.
//
// Invariants: nothing is computed before a request comes; probes are answered whatever other
// clients do; no request, and no fault in answering one, stops the agent.

import type * as HttpModule from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { threadCpuUsage } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { limits } from '../config.ts';
import { AgentError, errorText } from '../errors.ts';
import type { Log } from '../log.ts';
import type { HostPort } from '../options/options.ts';
import { pageHeaders, plainHeaders, readPageFile } from '../page-file.ts';
import { printable } from '../printable.ts';
import { limitConnections } from './admin-connections.ts';
import type { AdminSource, Check } from './admin-source.ts';
import { isOwnHost } from './host-header.ts';
import type * as MetricModule from './metric-text.ts';

// `import` of node:http evaluates its lazy WebSocket and so loads a second undici: 20 MB. `require`
// loads 4 MB (measured, Node 26.10).
const http = createRequire(import.meta.url)('node:http') as typeof HttpModule;

export type AdminServer = {
  /** `http://HOST:PORT`; for port 0, the port that was chosen. */
  readonly url: string;
  /** Ends all connections. */
  readonly close: () => Promise<void>;
};

type Answer = {
  readonly status: number;
  readonly type: string;
  readonly body: string | Buffer;
};
/** Writes the answer for as long as somebody reads it. */
type Stream = (response: ServerResponse) => Promise<void>;
type Route = (
  source: AdminSource,
  query: URLSearchParams,
) => Answer | Stream | Promise<Answer | Stream>;

const text = 'text/plain; charset=utf-8';

/** Kubelets and scrapers may request these under any host name: they hold no log content. */
const openPaths: ReadonlySet<string> = new Set(['/livez', '/readyz', '/metrics']);

const contentIsOff =
  'The page shows no content of logs: start the agent with --admin-show-content, or run ' +
  '`tailship tail` in its container.\n';

/** Loaded by the first scrape. */
let metrics: typeof MetricModule | undefined;

const routes: Readonly<Record<string, Route>> = {
  '/livez': (source) => health(() => source.liveness()),
  '/readyz': (source) => health(() => source.readiness()),
  '/metrics': async (source) => {
    metrics ??= await import('./metric-text.ts');
    const { metricContentType, metricText } = metrics;
    const body = charged(source, () => metricText(source.status()));
    return { status: 200, type: metricContentType, body };
  },
  // The page sends the time of its newest sample, and gets the later ones together with the status:
  // one request costs half as much as two.
  '/api/status': (source, query) => {
    const after = query.get('after');
    const history = after === null ? undefined : source.history(Number(after));
    return charged(source, () => json({ ...source.status(), history }));
  },
  '/api/dead-letters': (source) =>
    charged(source, () => json({ letters: source.deadLetters?.() ?? [] })),
  '/api/tail': async (source, query) => {
    if (source.tail === undefined) return { status: 403, type: text, body: contentIsOff };
    const { streamTail } = await import('./live-tail.ts');
    return (response) => streamTail(source, query, response);
  },
};

/** Runs synchronous work and reports its CPU time. */
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

/**
 * Listens at `address`. Status and page are only served to requests whose `Host` is an IP address,
 * `localhost` or one of `names`.
 * @throws AgentError ADMIN_ADDRESS_UNUSABLE when the address is in use or not this machine's.
 */
export async function startAdmin(
  address: HostPort,
  source: AdminSource,
  log: Log,
  names: readonly string[] = [],
): Promise<AdminServer> {
  // A probe needs no `Host`; other requests without one are refused below.
  const answers = new Set<Promise<void>>();
  const server = http.createServer({ requireHostHeader: false }, (request, response) => {
    if (!connections.begin(request, response)) return;
    const answer = respond(request, response, { source, names })
      .catch((error: unknown) => {
        // A fault of the status must not stop the shipping.
        log.error(undefined, `the admin server failed: ${String(error)}`, { path: request.url });
        if (!response.headersSent) response.writeHead(500);
        response.end();
      })
      .finally(() => {
        answers.delete(answer);
        connections.shed();
      });
    answers.add(answer);
  });
  const connections = limitConnections(server, {
    countMax: limits.adminConnectionsMax,
    unreadBytesMax: limits.adminUnreadBytesMax,
  });
  server.keepAliveTimeout = limits.adminKeepAliveMs;
  server.requestTimeout = limits.adminRequestTimeoutMs;
  server.headersTimeout = limits.adminRequestTimeoutMs;
  await listen(server, address);
  server.on('error', (error) => log.warn(undefined, `the admin server: ${error.message}`));
  const { port } = server.address() as AddressInfo;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  const close = async (): Promise<void> => {
    await closeServer(server);
    // A live tail closes what it opened when it loses its reader.
    await Promise.all(answers);
  };
  return { url: `http://${host}:${port}`, close };
}

type Served = { readonly source: AdminSource; readonly names: readonly string[] };

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  served: Served,
): Promise<void> {
  const { source } = served;
  // The body of a request is not read.
  if (hasBody(request)) response.shouldKeepAlive = false;
  const answer = await answerOf(request, served);
  if (typeof answer === 'function') return answer(response);
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

function hasBody({ headers }: IncomingMessage): boolean {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = headers;
  return encoding !== undefined || length !== '0';
}

async function answerOf(
  request: IncomingMessage,
  { source, names }: Served,
): Promise<Answer | Stream> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { status: 405, type: text, body: 'only GET and HEAD\n' };
  }
  const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
  if (!openPaths.has(path) && !isOwnHost(request.headersDistinct['host'], names)) {
    const body = `ask by ${['an address', 'localhost', ...names].join(' or ')}, not by another Host\n`;
    return { status: 403, type: text, body };
  }
  if (path === '/api/tail' && request.method !== 'GET') {
    return { status: 405, type: text, body: 'only GET\n' };
  }
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (route !== undefined) return route(source, new URLSearchParams(query));
  const { pageTable } = await import('./page-table.ts');
  const file = await readPageFile(pageTable, path);
  if (file !== undefined) return { status: 200, ...file };
  return { status: 404, type: text, body: `there are / ${Object.keys(routes).join(' ')}\n` };
}

/**
 * One line per check: the kubelet prints them into the pod's events when a probe fails.
 *
 * After a pause of the whole process (a frozen cgroup, a busy event loop) the probe is read before
 * the timers that are due. They run first, so that a live agent is not reported dead.
 */
async function health(look: () => readonly Check[]): Promise<Answer> {
  await sleep(0);
  const checks = look();
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
  server.listen({ port, host, backlog: limits.adminBacklogMax }, resolve);
  try {
    await promise;
  } catch (error) {
    throw new AgentError('ADMIN_ADDRESS_UNUSABLE', errorText(error), { cause: error });
  }
  server.off('error', reject);
}

async function closeServer(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections();
  await promise;
}
