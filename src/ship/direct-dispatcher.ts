// Connections to the endpoint without a proxy: undici's Pool, HTTP/1.1, one request at a time on
// each connection.

import type { Dispatcher, Pool as UndiciPool } from 'undici';
import Pool from 'undici/lib/dispatcher/pool.js';
import type { LookupFunction } from 'node:net';
import type { ShipLimits } from '../ship-limits.ts';

export type DispatcherOptions = {
  readonly connections: number;
  /** Every trusted certificate, PEM; undefined is Node's choice. */
  readonly ca: string[] | undefined;
  readonly lookup: LookupFunction;
  readonly limits: ShipLimits;
};

/** Opens no connection yet. */
export function openDirect(endpoint: URL, options: DispatcherOptions): Dispatcher {
  const { ca, lookup, limits } = options;
  const tls = ca === undefined ? {} : { ca };
  const connect = { ...tls, lookup, timeout: limits.shipConnectMs, allowH2: false };
  return new Pool(endpoint.origin, { ...commonOptions(options), connect });
}

/** The options that direct and proxied connections share, by undici's names. */
export function commonOptions({ connections, limits }: DispatcherOptions): UndiciPool.Options {
  return {
    connections,
    pipelining: 1,
    allowH2: false,
    connectTimeout: limits.shipConnectMs,
    headersTimeout: limits.shipHeadersMs,
    bodyTimeout: limits.shipBodyMs,
    keepAliveTimeout: limits.shipIdleMs,
    // A server's hint may shorten the idle time, never lengthen it.
    keepAliveMaxTimeout: limits.shipIdleMs,
  };
}
