// A request's body: collected, unpacked and bounded, from clients that may be slow, vanish, or send
// without end.
//
// Invariant: a body over the limit is read to its end and thrown away, so that the client, who only
// listens after it has written, hears the 400; memory never holds more than the limit.

import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { invalidArgument } from '../protocol/api-error.ts';
import { requestBytesMax, tooLarge } from '../write/write-request.ts';

const unpack = promisify(gunzip);
/** A client that sends more is cut off. */
const drainedBytesMax = 64 * 1024 * 1024;

export type ReceivedBody = {
  readonly body: Buffer;
  /** As sent, before unpacking. */
  readonly wireBytes: number;
};

/** The connection ended before the body did, so there is no one to answer. */
export class ClientGone extends Error {}

async function collect(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > drainedBytesMax) throw new ClientGone('body without end');
      if (bytes <= requestBytesMax) chunks.push(chunk);
      else chunks.length = 0;
    }
  } catch (error) {
    throw new ClientGone('the client went away', { cause: error });
  }
  if (!request.complete) throw new ClientGone('the client went away');
  if (bytes > requestBytesMax) return undefined;
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, bytes);
}

/** Throws ApiError for a body that is too large or does not unpack, ClientGone for a broken one. */
export async function readBody(request: IncomingMessage): Promise<ReceivedBody> {
  const wire = await collect(request);
  if (wire === undefined) throw tooLarge();
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return { body: wire, wireBytes: wire.length };
  if (encoding !== 'gzip') throw invalidArgument(`Unsupported content encoding: ${encoding}`);
  try {
    const body = await unpack(wire, { maxOutputLength: requestBytesMax });
    return { body, wireBytes: wire.length };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge();
    throw invalidArgument('Request payload could not be decompressed with gzip.');
  }
}
