// The pods endpoint of a Kubernetes API server as far as a client of one node's pods can tell:
// lists in pages, watches with bookmarks, versions that are forgotten, tokens that expire, and all
// the ways in which a real one fails. For the tests of the pod metadata and for measuring its load.
//
// Source of behaviour: https://kubernetes.io/docs/reference/using-api/api-concepts/

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

export type FakePod = {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string }[];
  };
  readonly spec: { readonly nodeName: string };
  readonly status?: unknown;
};

/** What is wrong with the server at the moment. */
export type ApiServerFault =
  | { readonly kind: 'none' }
  /** Connections are accepted, requests are never answered. */
  | { readonly kind: 'hang' }
  /** Every answer begins this much later. */
  | { readonly kind: 'slow'; readonly delayMs: number }
  | { readonly kind: 'status'; readonly status: number; readonly retryAfterSeconds?: number }
  /** A page that is no JSON, with status 200. */
  | { readonly kind: 'garbage' };

type Stored = { readonly pod: FakePod; readonly version: number };
type Change = { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' } & Stored;
type Watch = {
  readonly response: ServerResponse;
  readonly node: string;
  readonly isPartial: boolean;
};

export type FakeApiServerOptions = {
  /** Only these bearer tokens are accepted; undefined: any, or none. */
  readonly tokens?: Set<string> | undefined;
  readonly certificate?: { readonly key: string; readonly cert: string } | undefined;
  /** A real server pages its answers from memory only since 1.31; this one always does. */
  readonly pageMax?: number;
  readonly bookmarkMs?: number;
};

export class FakeApiServer {
  /** Requests since the start. */
  readonly counts = { lists: 0, pages: 0, watches: 0, refused: 0, sentBytes: 0 };
  /** Paths with queries, in order. */
  readonly requests: string[] = [];
  fault: ApiServerFault = { kind: 'none' };
  readonly #options: FakeApiServerOptions;
  readonly #server;
  readonly #pods = new Map<string, Stored>();
  readonly #watches = new Set<Watch>();
  readonly #sockets = new Set<Socket>();
  readonly #bookmarks: NodeJS.Timeout;
  #changes: Change[] = [];
  #forgottenTo = 0;
  #version = 100;

  constructor(options: FakeApiServerOptions = {}) {
    this.#options = options;
    const { certificate } = options;
    this.#server = certificate === undefined ? createServer() : createTlsServer(certificate);
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#answer(request, response);
    });
    this.#bookmarks = setInterval(() => this.bookmark(), options.bookmarkMs ?? 60_000);
  }

  /** Begins to listen; the URL. */
  async listen(): Promise<string> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    const { port } = this.#server.address() as AddressInfo;
    return `${this.#options.certificate === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  }

  get watchCount(): number {
    return this.#watches.size;
  }

  get version(): number {
    return this.#version;
  }

  /** Adds or changes a pod. */
  put(pod: FakePod): void {
    const type = this.#pods.has(pod.metadata.uid) ? 'MODIFIED' : 'ADDED';
    this.#version += 1;
    this.#pods.set(pod.metadata.uid, { pod, version: this.#version });
    this.#tell({ type, pod, version: this.#version });
  }

  remove(uid: string): void {
    const stored = this.#pods.get(uid);
    assert(stored !== undefined, `no pod ${uid}`);
    this.#version += 1;
    this.#pods.delete(uid);
    this.#tell({ type: 'DELETED', pod: stored.pod, version: this.#version });
  }

  /** A request for a version before now gets 410 from now on, as after a restart. */
  forgetHistory(): void {
    // As if other nodes' pods had changed meanwhile.
    this.#version += 1_000;
    this.#changes = [];
    this.#forgottenTo = this.#version;
  }

  /** Tells all watches the present version. */
  bookmark(): void {
    const metadata = { resourceVersion: String(this.#version) };
    for (const { response } of this.#watches) {
      this.#send(response, {
        type: 'BOOKMARK',
        object: { kind: 'Pod', apiVersion: 'v1', metadata },
      });
    }
  }

  /** Sends every watch the error that a server sends into a stream. */
  expireWatches(): void {
    const object = status(410, 'too old resource version');
    for (const { response } of this.#watches) {
      this.#send(response, { type: 'ERROR', object });
      response.end();
    }
    this.#watches.clear();
  }

  /** Breaks all connections, or ends the watches as their timeout does. */
  cut(how: 'reset' | 'end'): void {
    for (const { response } of this.#watches) {
      if (how === 'end') response.end();
    }
    this.#watches.clear();
    if (how === 'reset') for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    clearInterval(this.#bookmarks);
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { fault } = this;
    this.requests.push(request.url ?? '');
    if (fault.kind === 'hang') return;
    const answer = () => this.#answerNow(request, response);
    if (fault.kind === 'slow') setTimeout(answer, fault.delayMs);
    else answer();
  }

  #answerNow(request: IncomingMessage, response: ServerResponse): void {
    const { fault } = this;
    const url = new URL(request.url ?? '', 'http://fake');
    const token = /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1];
    if (this.#options.tokens !== undefined && !this.#options.tokens.has(token ?? '')) {
      this.#refuse(response, 401, 'Unauthorized');
    } else if (fault.kind === 'status') {
      if (fault.retryAfterSeconds !== undefined) {
        response.setHeader('Retry-After', String(fault.retryAfterSeconds));
      }
      this.#refuse(response, fault.status, 'a fault of the test');
    } else if (fault.kind === 'garbage') {
      response.end('<html>hello</html>');
    } else if (request.method !== 'GET' || url.pathname !== '/api/v1/pods') {
      this.#refuse(response, 404, 'the server could not find the requested resource');
    } else if (url.searchParams.get('watch') === 'true') {
      this.#watch(url.searchParams, request, response);
    } else {
      this.#list(url.searchParams, request, response);
    }
  }

  #list(query: URLSearchParams, request: IncomingMessage, response: ServerResponse): void {
    const [from, version] = decodeContinue(query.get('continue') ?? `0,${this.#version}`);
    this.counts.pages += 1;
    if (from === 0) this.counts.lists += 1;
    else if (version < this.#forgottenTo) return this.#refuse(response, 410, 'token expired');
    const limit = Math.min(Number(query.get('limit') ?? 1e9), this.#options.pageMax ?? 1e9);
    const isPartial = wantsPartial(request);
    const found = [...this.#pods.values()].filter(({ pod }) => isOfNode(pod, nodeOf(query)));
    const page = found.slice(from, from + limit);
    const next = from + limit < found.length ? `${from + limit},${version}` : '';
    const kind = isPartial
      ? { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1' }
      : { kind: 'PodList', apiVersion: 'v1' };
    this.#send(response, {
      ...kind,
      metadata: { resourceVersion: String(version), ...(next !== '' && { continue: next }) },
      items: page.map((stored) => written(stored, isPartial)),
    });
    response.end();
  }

  #watch(query: URLSearchParams, request: IncomingMessage, response: ServerResponse): void {
    this.counts.watches += 1;
    const since = Number(query.get('resourceVersion') ?? 0);
    if (since < this.#forgottenTo) {
      // A real server says so within the stream as often as with the status.
      if (this.counts.watches % 2 === 0) return this.#refuse(response, 410, 'too old');
      this.#send(response, { type: 'ERROR', object: status(410, 'too old resource version') });
      response.end();
      return;
    }
    const watch = { response, node: nodeOf(query), isPartial: wantsPartial(request) };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    for (const change of this.#changes) if (change.version > since) this.#sendChange(watch, change);
    this.#watches.add(watch);
    const end = () => {
      this.#watches.delete(watch);
      response.end();
    };
    const timer = setTimeout(end, Number(query.get('timeoutSeconds') ?? 1_800) * 1_000);
    response.on('close', () => {
      clearTimeout(timer);
      this.#watches.delete(watch);
    });
  }

  #tell(change: Change): void {
    this.#changes.push(change);
    for (const watch of this.#watches) this.#sendChange(watch, change);
  }

  #sendChange({ response, node, isPartial }: Watch, change: Change): void {
    if (!isOfNode(change.pod, node)) return;
    this.#send(response, { type: change.type, object: written(change, isPartial) });
  }

  #refuse(response: ServerResponse, code: number, message: string): void {
    this.counts.refused += 1;
    response.writeHead(code, { 'content-type': 'application/json' });
    response.end(JSON.stringify(status(code, message)));
  }

  #send(response: ServerResponse, object: unknown): void {
    const text = `${JSON.stringify(object)}\n`;
    this.counts.sentBytes += text.length;
    response.write(text);
  }
}

function status(code: number, message: string): Record<string, unknown> {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, code };
}

function written({ pod, version }: Stored, isPartial: boolean): Record<string, unknown> {
  const metadata = { ...pod.metadata, resourceVersion: String(version) };
  if (!isPartial) return { kind: 'Pod', apiVersion: 'v1', ...pod, metadata };
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata };
}

function wantsPartial(request: IncomingMessage): boolean {
  return (request.headers.accept ?? '').includes('as=PartialObjectMetadata');
}

function nodeOf(query: URLSearchParams): string {
  return /^spec\.nodeName=(.*)$/.exec(query.get('fieldSelector') ?? '')?.[1] ?? '';
}

/** Without a selector a client would get the pods of the whole cluster. */
function isOfNode({ spec }: FakePod, node: string): boolean {
  return node === '' || spec.nodeName === node;
}

function decodeContinue(text: string): [number, number] {
  const [from, version] = text.split(',').map(Number);
  return [from ?? 0, version ?? 0];
}

export type FakePodOptions = Partial<FakePod['metadata']> & {
  readonly node?: string;
  /** Bytes of spec and status, which a client of the metadata should never see. */
  readonly bodyBytes?: number;
};

/** A pod with the labels and annotations of a common one. */
export function fakePod(number: number, options: FakePodOptions = {}): FakePod {
  const { node = 'node-1', bodyBytes = 0, ...metadata } = options;
  const hash = '6d9f7c5b84';
  return {
    metadata: {
      name: `web-${hash}-${number}`,
      namespace: 'shop',
      uid: `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`,
      labels: {
        app: 'web',
        'app.kubernetes.io/name': 'web',
        'app.kubernetes.io/instance': 'shop-web',
        'app.kubernetes.io/managed-by': 'Helm',
        'pod-template-hash': hash,
      },
      annotations: { 'prometheus.io/scrape': 'true', 'checksum/config': 'f'.repeat(64) },
      ownerReferences: [{ kind: 'ReplicaSet', name: `web-${hash}` }],
      ...metadata,
    },
    spec: { nodeName: node },
    ...(bodyBytes > 0 && { status: { text: 'x'.repeat(bodyBytes) } }),
  };
}
