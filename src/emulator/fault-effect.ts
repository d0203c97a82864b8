// What faults do to a request, once faults.ts has decided that they hit it. Called by server.ts.

import type { IncomingMessage } from 'node:http';
import type { Answer } from './answer.ts';
import { noAnswer } from './answer.ts';
import { bodyOfHttpStatus, invalidArgument, rpcCode } from './api-error.ts';
import type { FaultRule } from './faults.ts';
import { holdsPattern } from './faults.ts';
import type { WriteRequest } from './write-request.ts';

/** The answer that a fault gives instead of the API's, or none. */
export function disrupt(rule: FaultRule, request: IncomingMessage): Answer | typeof noAnswer {
  const headers: Record<string, string> =
    rule.retryAfterSeconds === undefined ? {} : { 'retry-after': String(rule.retryAfterSeconds) };
  switch (rule.mode) {
    case 'reset':
      request.socket.resetAndDestroy();
      return noAnswer;
    case 'hang':
      return noAnswer;
    case 'html': {
      const status = rule.status ?? 502;
      const body = `<!DOCTYPE html>\n<html><head><title>Error ${status}</title></head><body>Server Error</body></html>\n`;
      return { status, body, type: 'text/html; charset=UTF-8', headers };
    }
    default: {
      const status = rule.status ?? 503;
      return { status, body: bodyOfHttpStatus(status, `Emulated fault: HTTP ${status}.`), headers };
    }
  }
}

/**
 * Turns entries of a valid request into refusals as a `partial` fault asks; without a pattern, the
 * first entry.
 */
export function refuseByFault(request: WriteRequest, rule: FaultRule): WriteRequest {
  const { pattern, code = rpcCode.invalidArgument } = rule;
  const refused = request.entries.filter((entry, at) =>
    pattern === undefined ? at === 0 : holdsPattern(entry.json, pattern),
  );
  if (refused.length === 0) return request;
  if (rule.details === false) {
    throw invalidArgument('Request contains an invalid argument.');
  }
  const refusals = new Map(request.refusals);
  for (const { index } of refused)
    refusals.set(index, { code, message: 'Emulated fault: entry refused.' });
  const gone = new Set(refused);
  return { ...request, refusals, entries: request.entries.filter((entry) => !gone.has(entry)) };
}
