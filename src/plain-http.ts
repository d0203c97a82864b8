// Where plain http may carry a token: within this machine, or where the user allows it.

import { AgentError } from './errors.ts';

/** Whether requests to this URL stay on this machine. */
export function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** Throws PLAIN_HTTP_REFUSED when a token would leave this machine unencrypted. */
export function refusePlainHttp(url: URL, what: string, isAllowed: boolean | undefined): void {
  if (url.protocol !== 'http:' || isLoopback(url) || isAllowed === true) return;
  const text = `${what} ${url.protocol}//${url.host} is not encrypted, and a token would be sent there`;
  throw new AgentError('PLAIN_HTTP_REFUSED', text);
}
