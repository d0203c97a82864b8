// Connections to the endpoint through an HTTP proxy. Loaded only for a proxy, because it needs all
// of undici.

import type { Dispatcher } from 'undici';
import { Pool, ProxyAgent } from 'undici';
import type { DispatcherOptions } from './direct-dispatcher.ts';
import { commonOptions } from './direct-dispatcher.ts';

/** Opens no connection yet. `proxy` is a URL; user and password within it go to the proxy. */
export function openProxied(proxy: string, options: DispatcherOptions): Dispatcher {
  const { ca, lookup, limits } = options;
  const tls = ca === undefined ? {} : { ca };
  return new ProxyAgent({
    ...commonOptions(options),
    uri: proxy,
    requestTls: tls,
    // The proxy resolves the endpoint's name; the proxy's own name is resolved here.
    proxyTls: { ...tls, lookup },
    // With undici's default, a proxy that never answers CONNECT would hold the tunnel for minutes.
    clientFactory: (origin, given) =>
      new Pool(origin, { ...given, headersTimeout: limits.shipHeadersMs }),
  });
}
