// Connections to the endpoint without a proxy: undici's Pool, HTTP/1.1, one request at a time on
// each connection. Opened by the transport each time it needs a new generation.

import type { Dispatcher } from 'undici';
import Pool from 'undici/lib/dispatcher/pool.js';
import type { Lookup } from './lookup.ts';

export type DispatcherOptions = {
  readonly connections: number;
  /** Every certificate that is trusted, PEM; undefined is Node's choice. */
  readonly ca: string[] | undefined;
  readonly lookup: Lookup;
  /** Name lookup, TCP and TLS together. */
  readonly connectMs: number;
  readonly headersMs: number;
  /** Between two pieces of an answer. */
  readonly bodyMs: number;
  /** An idle connection is closed after this. */
  readonly idleMs: number;
};

/** Opens no connection yet. */
export function openDirect(endpoint: URL, options: DispatcherOptions): Dispatcher {
  const { ca, lookup } = options;
  const tls = ca === undefined ? {} : { ca };
  const connect = { ...tls, lookup, timeout: options.connectMs, allowH2: false };
  return new Pool(endpoint.origin, { ...commonOptions(options), connect });
}

/** The options that direct and proxied connections share, by undici's names. */
export function commonOptions(options: DispatcherOptions): CommonOptions {
  return {
    connections: options.connections,
    pipelining: 1,
    allowH2: false,
    connectTimeout: options.connectMs,
    headersTimeout: options.headersMs,
    bodyTimeout: options.bodyMs,
    keepAliveTimeout: options.idleMs,
    // A server's hint may shorten the idle time, never lengthen it.
    keepAliveMaxTimeout: options.idleMs,
  };
}

type CommonOptions = {
  readonly connections: number;
  readonly pipelining: number;
  readonly allowH2: boolean;
  readonly connectTimeout: number;
  readonly headersTimeout: number;
  readonly bodyTimeout: number;
  readonly keepAliveTimeout: number;
  readonly keepAliveMaxTimeout: number;
};
