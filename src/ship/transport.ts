// One POST over HTTP: an undici Pool with few kept-alive connections, a deadline on every step, and
// a new pool when the old one is aged or suspect.
//
// Invariant: `post` settles within `shipRequestMs`, whatever the network does, and never rejects.
// An answer over its limits of bytes and time is not read further: its connection is closed.

import type { Dispatcher } from 'undici';
import type { ErrorCode } from '../errors.ts';
import { hasCode, networkErrorText } from '../errors.ts';
import { version } from '../version.ts';
import type { Answer } from './answer.ts';
import { isEmptyObject } from './answer-json.ts';
import { asBuffer } from './body.ts';
import type { ShipLimits } from '../ship-limits.ts';

export type TransportOptions = {
  readonly endpoint: URL;
  /** Makes a pool of connections to the endpoint. */
  readonly open: () => Dispatcher;
  readonly limits: ShipLimits;
  readonly nowMs: () => number;
  readonly random: () => number;
};

/** A complete answer; `text` is empty when its body was over its limits, or is encoded. */
export type HttpAnswer = Answer & {
  /** The server's Date header. */
  readonly date: string | undefined;
};

/** No usable answer came; `code` is SHIP_TIMEOUT or SHIP_UNREACHABLE. */
export type NoAnswer = { readonly code: ErrorCode; readonly text: string };

type Headers = Record<string, string>;

const openingBrace = 0x7b;
const emptyObjectBytes = 2;

type Generation = { readonly dispatcher: Dispatcher; readonly retireAtMs: number };

/** The headers of a request by its token; made once per token, which leaves fewer copies of it. */
export function requestHeaders(options: {
  readonly gzip: boolean;
  readonly quotaProject?: string | undefined;
}): (token: string | undefined) => Headers {
  const common = {
    'content-type': 'application/json',
    'user-agent': `tailship/${version}`,
    // An answer is compared as it comes.
    'accept-encoding': 'identity',
    ...(options.gzip && { 'content-encoding': 'gzip' }),
    ...(options.quotaProject !== undefined && { 'x-goog-user-project': options.quotaProject }),
  };
  let lastToken: string | undefined;
  let last: Headers = common;
  return (token) => {
    if (token !== lastToken) {
      last = token === undefined ? common : { ...common, authorization: `Bearer ${token}` };
      lastToken = token;
    }
    return last;
  };
}

export class Transport {
  readonly #options: TransportOptions;
  readonly #path: string;
  #generation: Generation | undefined;
  /** Older pools with requests that may still end well. */
  readonly #retired = new Set<Dispatcher>();

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#path = `${options.endpoint.pathname.replace(/\/+$/, '')}/v2/entries:write`;
  }

  /** Sends `body` from its memory, which must stay valid until the answer. */
  post(body: Uint8Array, headers: Headers): Promise<HttpAnswer | NoAnswer> {
    const { dispatcher } = this.#current();
    const exchange = new Exchange(this.#options.limits);
    // undici passes a Buffer on shared memory to the socket without a copy.
    const request = {
      origin: this.#options.endpoint.origin,
      path: this.#path,
      method: 'POST',
      headers,
      body: asBuffer(body),
    } as const;
    try {
      dispatcher.dispatch(request, exchange);
    } catch (error) {
      exchange.fail(error);
    }
    return exchange.done;
  }

  /** Lets the next request open a new connection; those in flight may end on the old ones. */
  renew(): void {
    const generation = this.#generation;
    if (generation === undefined) return;
    this.#generation = undefined;
    const { dispatcher } = generation;
    this.#retired.add(dispatcher);
    const forget = () => this.#retired.delete(dispatcher);
    void dispatcher.close().then(forget, forget);
  }

  /** Breaks off the requests in flight. */
  async destroy(reason: Error): Promise<void> {
    this.renew();
    await Promise.allSettled(Array.from(this.#retired, (dispatcher) => dispatcher.destroy(reason)));
  }

  #current(): Generation {
    const nowMs = this.#options.nowMs();
    if (this.#generation !== undefined && nowMs >= this.#generation.retireAtMs) this.renew();
    this.#generation ??= {
      dispatcher: this.#options.open(),
      retireAtMs:
        nowMs + this.#options.limits.shipConnectionAgeMs * (1 - 0.2 * this.#options.random()),
    };
    return this.#generation;
  }
}

/** One request and its answer: a handler of undici, without streams. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly done: Promise<HttpAnswer | NoAnswer>;
  readonly #limits: ShipLimits;
  readonly #startMs = performance.now();
  #deadline: NodeJS.Timeout;
  #isAnswerTimed = false;
  #resolve: ((answer: HttpAnswer | NoAnswer) => void) | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #retryAfter: string | undefined;
  #date: string | undefined;
  #chunks: Buffer[] = [];
  /** The body is not encoded; no encoding was requested. */
  #isIdentity = true;
  /** A gateway in front of gRPC says that the call failed, whatever the HTTP status is. */
  #isGrpcFailed = false;
  #bodyBytes = 0;
  #bodyBytesMax: number;

  constructor(limits: ShipLimits) {
    this.#limits = limits;
    this.#bodyBytesMax = limits.shipForeignBytesMax;
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#deadline = this.#expireAfter(limits.shipRequestMs);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // It waited for a connection until its deadline: its memory may hold another batch by now.
    if (this.#resolve === undefined) controller.abort(new Error('the deadline is over'));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status;
    this.#retryAfter = firstOf(headers['retry-after']);
    this.#date = firstOf(headers['date']);
    const encoding = firstOf(headers['content-encoding'])?.trim().toLowerCase() ?? '';
    this.#isIdentity = encoding === '' || encoding === 'identity';
    this.#noteGrpcStatus(headers);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    // Only JSON can be from the API, and it is long for a batch of refused entries.
    if (this.#bodyBytes === 0 && chunk[0] === openingBrace) {
      this.#bodyBytesMax = this.#limits.shipAnswerBytesMax;
    }
    this.#bodyBytes += chunk.length;
    // Nearly every answer is `{}`, which needs no second timer.
    if (this.#bodyBytes > emptyObjectBytes && !this.#isAnswerTimed) this.#timeAnswer();
    if (this.#bodyBytes <= this.#bodyBytesMax) {
      this.#chunks.push(chunk);
      return;
    }
    this.#settle(this.#answer(''));
    controller.abort(new Error('the answer is too long'));
  }

  onResponseEnd(
    _controller: Dispatcher.DispatchController,
    trailers: Record<string, string | string[] | undefined> = {},
  ): void {
    this.#noteGrpcStatus(trailers);
    const text = this.#isIdentity ? Buffer.concat(this.#chunks).toString('utf8') : '';
    this.#settle(this.#answer(this.#isGrpcFailed && isEmptyObject(text) ? '' : text));
  }

  #noteGrpcStatus(headers: Record<string, string | string[] | undefined>): void {
    const status = firstOf(headers['grpc-status'])?.trim() ?? '0';
    if (status !== '0') this.#isGrpcFailed = true;
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(error);
  }

  /** Ends the exchange without a complete answer. */
  fail(error: unknown): void {
    const late = hasCode(error, 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT');
    this.#settle({
      code: late ? 'SHIP_TIMEOUT' : 'SHIP_UNREACHABLE',
      text: networkErrorText(error),
    });
  }

  /** Gives the answer `shipAnswerMs` from now on, unless the whole exchange has less left. */
  #timeAnswer(): void {
    this.#isAnswerTimed = true;
    const { shipAnswerMs, shipRequestMs } = this.#limits;
    if (performance.now() - this.#startMs + shipAnswerMs >= shipRequestMs) return;
    clearTimeout(this.#deadline);
    this.#deadline = this.#expireAfter(shipAnswerMs);
  }

  #expireAfter(durationMs: number): NodeJS.Timeout {
    return setTimeout(() => {
      const text = `no complete answer within ${durationMs / 1_000} s`;
      this.#settle({ code: 'SHIP_TIMEOUT', text });
      this.#controller?.abort(new Error(text));
    }, durationMs);
  }

  #answer(text: string): HttpAnswer {
    return { status: this.#status, retryAfter: this.#retryAfter, date: this.#date, text };
  }

  #settle(answer: HttpAnswer | NoAnswer): void {
    clearTimeout(this.#deadline);
    this.#resolve?.(answer);
    this.#resolve = undefined;
    this.#chunks = [];
  }
}

function firstOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
