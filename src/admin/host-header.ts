// Decides whether a `Host` header names this agent. A page of another site can make a browser send
// requests here under a name of its own whose address it changes afterwards (DNS rebinding), and
// read the answers; it cannot make the browser call the agent by an address or by the agent's name.

import { isIP } from 'node:net';

/**
 * Whether every `Host` header of a request, of which there must be exactly one, is an IP address,
 * `localhost` or one of `names`, with or without a port.
 */
export function isOwnHost(hosts: readonly string[] | undefined, names: readonly string[]): boolean {
  const [host, ...others] = hosts ?? [];
  if (host === undefined || others.length > 0) return false;
  const match = /^(?:\[([^\]]*)\]|([^:[\]]+))(?::\d{0,5})?$/.exec(host.trim());
  const [, bracketed, plain = ''] = match ?? [];
  if (bracketed !== undefined) return isIP(bracketed) === 6;
  const name = normalized(plain);
  return isIP(name) === 4 || name === 'localhost' || names.map(normalized).includes(name);
}

/** Names compare without case, and without the dot of the root. */
function normalized(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}
