// GET requests to the Kubernetes API server whose answers arrive in pieces. Only undici's Pool is
// loaded, because all of undici, or a Kubernetes client, costs more memory than the labels.
//
// Invariants: the token is read from its file for each request and the certificates for each
// connection, because the kubelet replaces them; `get` settles within its deadline.

import { readFileSync } from 'node:fs';
import type { Dispatcher } from 'undici';
import Pool from 'undici/lib/dispatcher/pool.js';
import { limits } from '../../config.ts';
import { AgentError, hasCode, networkErrorText } from '../../errors.ts';
import { version } from '../../version.ts';

export type KubernetesApiOptions = {
  readonly url: URL;
  /** Of the service account; without the file there is no token. */
  readonly tokenFile: string;
  /** PEM; without the file, Node's own certificates. */
  readonly caFile: string;
};

export type ApiRequest = {
  /** With its query. */
  readonly path: string;
  readonly accept: string;
  /** From the call to the end of the answer. */
  readonly deadlineMs: number;
  /** For each piece of an answer with status 200; an exception ends the request. */
  readonly onChunk: (chunk: Buffer) => void;
};

export type ApiAnswer = {
  readonly status: number;
  /** The beginning of an answer with another status than 200. */
  readonly text: string;
  /** What Retry-After asks for. */
  readonly waitMs: number;
};

export class KubernetesApi {
  readonly #options: KubernetesApiOptions;
  #pool: Dispatcher | undefined;
  #closed = false;

  constructor(options: KubernetesApiOptions) {
    this.#options = options;
  }

  /** Rejects with POD_METADATA_UNAVAILABLE when there is no complete answer. */
  async get(request: ApiRequest): Promise<ApiAnswer> {
    if (this.#closed) throw unavailable('the agent is stopping');
    this.#pool ??= this.#open();
    const exchange = new Exchange(request);
    const token = readIfThere(this.#options.tokenFile)?.trim();
    const headers = {
      accept: request.accept,
      'user-agent': `tailship/${version}`,
      ...(token !== undefined && token !== '' && { authorization: `Bearer ${token}` }),
    };
    const { origin, pathname } = this.#options.url;
    const path = `${pathname.replace(/\/+$/, '')}${request.path}`;
    try {
      this.#pool.dispatch({ origin, path, method: 'GET', headers }, exchange);
      return await exchange.done;
    } catch (error) {
      // The next request gets new connections and reads the certificates again.
      this.#drop();
      throw error instanceof AgentError ? error : unavailable(networkErrorText(error), error);
    }
  }

  /** Aborts the request in progress. */
  close(): void {
    this.#closed = true;
    this.#drop();
  }

  #drop(): void {
    const pool = this.#pool;
    this.#pool = undefined;
    void pool?.destroy(new Error('the connection was given up'));
  }

  #open(): Dispatcher {
    const ca = readIfThere(this.#options.caFile);
    return new Pool(this.#options.url.origin, {
      connections: 1,
      pipelining: 1,
      allowH2: false,
      connect: { timeout: limits.podHeadersMs, allowH2: false, ...(ca !== undefined && { ca }) },
      headersTimeout: limits.podHeadersMs,
      // A watch may be silent; the deadline of the request ends it.
      bodyTimeout: 0,
    });
  }
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly done: Promise<ApiAnswer>;
  readonly #request: ApiRequest;
  readonly #deadline: NodeJS.Timeout;
  readonly #settle: PromiseWithResolvers<ApiAnswer>;
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #waitMs = 0;
  #text = '';

  constructor(request: ApiRequest) {
    this.#request = request;
    this.#settle = Promise.withResolvers<ApiAnswer>();
    this.done = this.#settle.promise;
    this.#deadline = setTimeout(() => {
      this.#fail(unavailable(`no complete answer within ${request.deadlineMs / 1_000} s`));
    }, request.deadlineMs);
    this.#deadline.unref();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status;
    this.#waitMs = Math.max(0, Number(headers['retry-after'] ?? 0) * 1_000) || 0;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#status !== 200) {
      if (this.#text.length < limits.podAnswerTextMax) this.#text += chunk.toString('utf8');
      return;
    }
    try {
      this.#request.onChunk(chunk);
    } catch (error) {
      this.#fail(error);
    }
  }

  onResponseEnd(): void {
    clearTimeout(this.#deadline);
    this.#settle.resolve({ status: this.#status, text: this.#text, waitMs: this.#waitMs });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(error);
  }

  #fail(error: unknown): void {
    clearTimeout(this.#deadline);
    this.#settle.reject(error);
    this.#controller?.abort(error instanceof Error ? error : new Error(String(error)));
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw unavailable(`${path} cannot be read`, error);
  }
}

function unavailable(text: string, cause?: unknown): AgentError {
  return new AgentError('POD_METADATA_UNAVAILABLE', text, { cause });
}
