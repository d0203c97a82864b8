// One POST over HTTP: an undici Pool with few kept-alive connections, a deadline on every step, and
// a new pool when the old one is aged or suspect. Called by the delivery of a batch, which decides
// what an answer means.
//
// Invariant: `post` settles within `requestMs`, whatever the network does, and never rejects.

import type { Dispatcher } from 'undici';
import type { ErrorCode } from '../errors.ts';
import { hasCode } from '../errors.ts';
import type { Answer } from './answer.ts';
import { asBuffer } from './body.ts';

export type TransportOptions = {
  readonly endpoint: URL;
  /** Makes a pool of connections to the endpoint. */
  readonly open: () => Dispatcher;
  /** Everything from the hand-over to the end of the answer. */
  readonly requestMs: number;
  /** A pool is replaced at 80 to 100 % of this age. */
  readonly connectionAgeMs: number;
  /** More of an error answer is not kept. */
  readonly answerBytesMax: number;
  readonly clock: () => number;
  readonly random: () => number;
};

/** No usable answer came; `code` is SHIP_TIMEOUT or SHIP_UNREACHABLE. */
export type NoAnswer = { readonly code: ErrorCode; readonly text: string };

type Generation = { readonly dispatcher: Dispatcher; readonly retireAtMs: number };

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

  /** Sends `body` as it stands in its memory; it must stay valid until the answer. */
  post(body: Uint8Array, headers: Record<string, string>): Promise<Answer | NoAnswer> {
    const { dispatcher } = this.#current();
    const exchange = new Exchange(this.#options);
    // undici takes a Buffer on shared memory as it is and hands it to the socket without a copy.
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

  /** Lets the next request open a new connection; requests under way may end on the old ones. */
  renew(): void {
    const generation = this.#generation;
    if (generation === undefined) return;
    this.#generation = undefined;
    const { dispatcher } = generation;
    this.#retired.add(dispatcher);
    void dispatcher.close().then(
      () => this.#retired.delete(dispatcher),
      () => this.#retired.delete(dispatcher),
    );
  }

  /** Breaks whatever is still under way. */
  async destroy(reason: Error): Promise<void> {
    this.renew();
    await Promise.allSettled(Array.from(this.#retired, (dispatcher) => dispatcher.destroy(reason)));
  }

  #current(): Generation {
    const nowMs = this.#options.clock();
    if (this.#generation !== undefined && nowMs >= this.#generation.retireAtMs) this.renew();
    this.#generation ??= {
      dispatcher: this.#options.open(),
      retireAtMs: nowMs + this.#options.connectionAgeMs * (1 - 0.2 * this.#options.random()),
    };
    return this.#generation;
  }
}

/** One request and its answer: undici's handler, without streams between. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly done: Promise<Answer | NoAnswer>;
  readonly #answerBytesMax: number;
  readonly #deadline: NodeJS.Timeout;
  #resolve: ((answer: Answer | NoAnswer) => void) | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #retryAfter: string | undefined;
  #chunks: Buffer[] = [];
  #chunkBytes = 0;

  constructor(options: TransportOptions) {
    this.#answerBytesMax = options.answerBytesMax;
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#deadline = setTimeout(() => {
      const text = `no complete answer within ${options.requestMs / 1_000} s`;
      this.#settle({ code: 'SHIP_TIMEOUT', text });
      this.#controller?.abort(new Error(text));
    }, options.requestMs);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // It waited for a connection until its deadline: its bytes may be of another batch by now.
    if (this.#resolve === undefined) controller.abort(new Error('the deadline is over'));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status;
    const retryAfter = headers['retry-after'];
    this.#retryAfter = Array.isArray(retryAfter) ? retryAfter[0] : retryAfter;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunkBytes += chunk.length;
    // The body of a success does not matter; one that is too long is read to its end but not kept.
    if (this.#status < 300 || this.#chunkBytes > this.#answerBytesMax) this.#chunks = [];
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    const text = this.#chunks.length === 0 ? '' : Buffer.concat(this.#chunks).toString('utf8');
    this.#settle({ status: this.#status, retryAfter: this.#retryAfter, text });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(error);
  }

  /** Ends the exchange without a complete answer. */
  fail(error: unknown): void {
    // A success whose body broke off is a success all the same.
    if (this.#status >= 200 && this.#status < 300) {
      this.#settle({ status: this.#status, retryAfter: undefined, text: '' });
      return;
    }
    const late = hasCode(error, 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT');
    this.#settle({ code: late ? 'SHIP_TIMEOUT' : 'SHIP_UNREACHABLE', text: describe(error) });
  }

  #settle(answer: Answer | NoAnswer): void {
    clearTimeout(this.#deadline);
    this.#resolve?.(answer);
    this.#resolve = undefined;
    this.#chunks = [];
  }
}

/** The code and text of an error and of the first error below it, which names the system call. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const first = error instanceof AggregateError ? error.errors[0] : error.cause;
  const text =
    'code' in error && !error.message.includes(String(error.code))
      ? `${String(error.code)}: ${error.message}`
      : error.message;
  return first instanceof Error ? `${text} (${first.message})` : text;
}
