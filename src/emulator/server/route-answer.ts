// What a route of the emulator answers, and how the answer is sent.

import type { ServerResponse } from 'node:http';
import { bodyOfHttpStatus } from '../protocol/api-error.ts';

export type Answer = {
  readonly status: number;
  readonly body: string;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

/** A fault cut the exchange, or the answer has been sent. */
export const noAnswer = Symbol('no answer');

const jsonType = 'application/json; charset=UTF-8';

export function json(value: object): Answer {
  return { status: 200, body: JSON.stringify(value) };
}

export function notFound(path: string): Answer {
  return {
    status: 404,
    body: bodyOfHttpStatus(404, `The requested URL ${path} was not found on this server.`),
  };
}

export function send(
  response: ServerResponse,
  { status, body, type = jsonType, headers = {} }: Answer,
): void {
  if (response.destroyed || response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(status, {
    ...headers,
    'content-type': type,
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}
