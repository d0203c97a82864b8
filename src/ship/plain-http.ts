// A token may be sent in plain text only within this machine, unless the user allows more.

import { AgentError } from '../errors.ts';
import { isLoopback } from '../loopback.ts';

/** Throws PLAIN_HTTP_REFUSED when a token would leave this machine unencrypted. */
export function refusePlainHttp(url: URL, what: string, isAllowed: boolean | undefined): void {
  if (url.protocol !== 'http:' || isLoopback(url) || isAllowed === true) return;
  const text = `${what} ${url.protocol}//${url.host} is not encrypted, and a token would be sent there`;
  throw new AgentError('PLAIN_HTTP_REFUSED', text);
}
