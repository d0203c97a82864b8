// What faults do to a request, once faults.ts has decided that they hit it.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import type { Answer } from './route-answer.ts';
import { noAnswer } from './route-answer.ts';
import { bodyOfHttpStatus, rpcCode } from '../protocol/api-error.ts';
import type { FaultRule } from './faults.ts';
import { holdsPattern } from './faults.ts';
import type { WriteRequest } from '../write/write-request.ts';

const dripMs = 100;
const blockBytes = 16 * 1024;

/** The answer that a fault gives instead of the API's, or none. */
export function disrupt(
  rule: FaultRule,
  request: IncomingMessage,
  response: ServerResponse,
): Answer | typeof noAnswer {
  const headers: Record<string, string> =
    rule.retryAfterSeconds === undefined ? {} : { 'retry-after': String(rule.retryAfterSeconds) };
  if (rule.mode === 'reset') request.socket.resetAndDestroy();
  if (rule.mode === 'reset' || rule.mode === 'hang') return noAnswer;
  if (rule.mode === 'html') {
    const status = rule.status ?? 502;
    const body = `<!DOCTYPE html>\n<title>Error ${status}</title>\n<p>The server had an error.\n`;
    return { status, body, type: 'text/html; charset=UTF-8', headers };
  }
  if (rule.mode !== 'status') {
    answerOddly(rule, response);
    return noAnswer;
  }
  const { status = 503, reason } = rule;
  const type = 'type.googleapis.com/google.rpc.ErrorInfo';
  const info = { '@type': type, reason, domain: 'googleapis.com', metadata: {} };
  const details = reason === undefined ? [] : [info];
  const body = bodyOfHttpStatus(status, `Emulated fault: HTTP ${status}.`, details);
  return { status, body, headers };
}

/** Answers that no healthy API gives, and that no well-formed Answer can describe. */
function answerOddly(rule: FaultRule, response: ServerResponse): void {
  const { mode, status = 200, body = '', gzip = false } = rule;
  const bytes = gzip ? gzipSync(body) : Buffer.from(body);
  if (gzip) response.setHeader('content-encoding', 'gzip');
  if (mode === 'body') {
    response.writeHead(status).end(bytes);
  } else if (mode === 'cut') {
    response.writeHead(status, { 'content-length': bytes.length + 1 });
    response.write(bytes, () => response.socket?.destroy());
  } else {
    response.writeHead(status);
    repeat(bytes.length === 0 ? Buffer.from(' ') : bytes, mode === 'drip', response);
  }
}

/** Writes the bytes again and again until the client goes. */
function repeat(bytes: Buffer, isSlow: boolean, response: ServerResponse): void {
  if (isSlow) {
    const timer = setInterval(() => response.write(bytes), dripMs);
    response.once('close', () => clearInterval(timer));
    return;
  }
  const block = Buffer.alloc(Math.max(bytes.length, blockBytes), bytes);
  const pour = (): void => {
    while (!response.destroyed && response.write(block));
  };
  response.on('drain', pour);
  pour();
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
  if (rule.details === false) return refuseAll(request);
  const refusals = new Map(request.refusals);
  for (const { index } of refused) {
    refusals.set(index, { code, message: 'Emulated fault: entry refused.' });
  }
  const gone = new Set(refused);
  return { ...request, refusals, entries: request.entries.filter((entry) => !gone.has(entry)) };
}

/** A request of which no entry is written has no details. */
function refuseAll(request: WriteRequest): WriteRequest {
  const message = 'Request contains an invalid argument.';
  const indexes = Array.from({ length: request.entryCount }, (_, index) => index);
  return {
    ...request,
    partialSuccess: true,
    refusals: new Map(indexes.map((index) => [index, { code: rpcCode.invalidArgument, message }])),
    entries: [],
  };
}
