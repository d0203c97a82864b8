// How many bytes an entry has as protobuf, which is what the API's limit counts. Called only for
// records large enough to come near it. The invariant: never less than the true size, and more by
// no more than the reserve for what the request adds.

import { limits } from '../config.ts';
import type { EncodeContext, Entry } from './entry.ts';

/** A tag: all field numbers of the messages here are below 16. */
const tagBytes = 1;
const doubleBytes = 8;

/** Bytes of a base-128 varint. */
function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

/** Tag, length, and `bytes` of content. */
function fieldBytes(bytes: number): number {
  return tagBytes + varintBytes(bytes) + bytes;
}

/** Bytes of a google.protobuf.Value. */
function valueBytes(value: unknown): number {
  if (typeof value === 'string') return fieldBytes(Buffer.byteLength(value));
  if (typeof value === 'number') return tagBytes + doubleBytes;
  if (value === null || typeof value !== 'object') return tagBytes + 1;
  if (!Array.isArray(value)) return fieldBytes(structBytes(value));
  let bytes = 0;
  for (const element of value) bytes += fieldBytes(valueBytes(element));
  return fieldBytes(bytes);
}

/**
 * Bytes of a google.protobuf.Struct. A recursion: the nesting is bounded by `limits.jsonDepthMax`.
 */
function structBytes(object: object): number {
  let bytes = 0;
  for (const [key, value] of Object.entries(object)) {
    bytes += fieldBytes(fieldBytes(Buffer.byteLength(key)) + fieldBytes(valueBytes(value)));
  }
  return bytes;
}

/** Bytes of a JSON object as a Struct; an upper bound of the same members as a message or a map. */
export function objectBytes(json: string): number {
  return structBytes(JSON.parse(json) as object);
}

/** All that an entry has beside the payload and its insertId, as one JSON object. */
export function fieldsJson(entry: Entry): string {
  const members = [`"labels":{${entry.labels}}`];
  for (const name of ['httpRequest', 'operation', 'sourceLocation', 'trace', 'spanId'] as const) {
    if (entry[name] !== '') members.push(`"${name}":${entry[name]}`);
  }
  return `{${members.join(',')}}`;
}

/** Bytes of an entry without its payload. */
export function envelopeBytes(entry: Entry, context: EncodeContext): number {
  // The id stands in `split` a second time.
  const ids = 2 * Buffer.byteLength(entry.insertId);
  const resource = Buffer.byteLength(context.resource);
  return limits.entryReserveBytes + resource + ids + objectBytes(fieldsJson(entry));
}

/** Bytes of an entry's payload. */
export function payloadBytes(payload: Entry['payload']): number {
  return payload.kind === 'text'
    ? fieldBytes(Buffer.byteLength(JSON.parse(payload.json) as string))
    : fieldBytes(objectBytes(payload.json));
}
