// Makes the transport to the endpoint of a configuration: certificates, proxy, name lookup.

import { readFileSync } from 'node:fs';
import { getCACertificates } from 'node:tls';
import type { Dispatcher } from 'undici';
import { configError } from '../errors.ts';
import type { DispatcherOptions } from './direct-dispatcher.ts';
import { openDirect } from './direct-dispatcher.ts';
import type { CachedLookup } from './lookup.ts';
import { Transport, type TransportOptions } from './transport.ts';

export type TransportSetup = Omit<TransportOptions, 'open'> & {
  /** Requests at once, each on its connection. */
  readonly connections: number;
  /** PEM certificates that are trusted in addition to the usual ones. */
  readonly caFile?: string | undefined;
  /** URL of the HTTP proxy to the endpoint. */
  readonly proxy?: string | undefined;
  readonly lookup: CachedLookup;
};

/** Opens no connection yet. Rejects with CONFIG_INVALID when the CA file cannot be read. */
export async function openTransport(setup: TransportSetup): Promise<Transport> {
  const { endpoint, proxy, caFile, limits, nowMs, random } = setup;
  const options: DispatcherOptions = {
    connections: setup.connections,
    ca: caFile === undefined ? undefined : readCertificates(caFile),
    lookup: setup.lookup.lookup,
    limits,
  };
  let open = (): Dispatcher => openDirect(endpoint, options);
  if (proxy !== undefined) {
    const { openProxied } = await import('./proxied-dispatcher.ts');
    open = () => openProxied(proxy, options);
  }
  return new Transport({ endpoint, open, limits, nowMs, random });
}

/** Node's own certificates and those in the file, because a list given to TLS replaces Node's. */
function readCertificates(file: string): string[] {
  try {
    return [...getCACertificates('default'), readFileSync(file, 'utf8')];
  } catch (error) {
    const text = `the CA file ${file} cannot be read: ${(error as Error).message}`;
    throw configError(text, { cause: error });
  }
}
