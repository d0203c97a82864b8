// How many bytes an entry has as protobuf, which is what the API's limit counts. The invariant:
// never less than the true size, and more by no more than the reserve for what the request adds.

import assert from 'node:assert';

import { limits } from '../../config.ts';
import type { EncodeContext, Entry } from './entry.ts';
import { stringValue } from '../json/json-text.ts';
import { scanTokens } from '../json/object-scan.ts';

/** All field numbers of these messages are below 16. */
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

/** An object or array that is being measured. */
type Container = {
  readonly isObject: boolean;
  bytes: number;
  /** Bytes of the key whose value comes next. */
  keyBytes: number;
};

/** Adds a google.protobuf.Value to its container. */
function addValue(container: Container, valueBytes: number): void {
  container.bytes += container.isObject
    ? fieldBytes(fieldBytes(container.keyBytes) + fieldBytes(valueBytes))
    : fieldBytes(valueBytes);
}

/** Bytes of a raw string, decoded, in UTF-8. */
function stringBytes(raw: string): number {
  return Buffer.byteLength(stringValue(raw) ?? '');
}

/**
 * Bytes of a valid JSON object as a google.protobuf.Struct, an upper bound for a message or map.
 */
export function objectBytes(json: string): number {
  const whole: Container = { isObject: false, bytes: 0, keyBytes: 0 };
  const outer: Container[] = [];
  let container = whole;
  let bytes = 0;
  const isObject = scanTokens(json, (kind, start, end) => {
    if (kind === 'object' || kind === 'array') {
      outer.push(container);
      container = { isObject: kind === 'object', bytes: 0, keyBytes: 0 };
    } else if (kind === 'end') {
      ({ bytes } = container);
      container = outer.pop() ?? whole;
      addValue(container, fieldBytes(bytes));
    } else if (kind === 'key') {
      container.keyBytes = stringBytes(json.slice(start, end));
    } else if (kind === 'string') {
      addValue(container, fieldBytes(stringBytes(json.slice(start, end))));
    } else {
      addValue(container, tagBytes + (kind === 'word' ? 1 : doubleBytes));
    }
  });
  assert(isObject);
  return bytes;
}

/** All parts of an entry except payload and insertId, as one JSON object. */
export function fieldsJson(entry: Entry): string {
  const members = [`"labels":{${entry.labels}}`];
  for (const name of ['httpRequest', 'operation', 'sourceLocation', 'trace', 'spanId'] as const) {
    if (entry[name] !== '') members.push(`"${name}":${entry[name]}`);
  }
  return `{${members.join(',')}}`;
}

/** Bytes that all entries of the context share, with an insertId of this length in quotes. */
export function fixedBytes({ resource }: EncodeContext, insertIdBytes: number): number {
  // `split` repeats the id.
  return limits.entryReserveBytes + Buffer.byteLength(resource) + 2 * insertIdBytes;
}

/** Bytes of an entry without its payload. */
export function envelopeBytes(entry: Entry, context: EncodeContext): number {
  const fixed = fixedBytes(context, Buffer.byteLength(entry.insertId));
  return fixed + objectBytes(fieldsJson(entry));
}

/** Bytes of an entry's payload. */
export function payloadBytes(payload: Entry['payload']): number {
  return payload.kind === 'text'
    ? fieldBytes(Buffer.byteLength(JSON.parse(payload.json) as string))
    : fieldBytes(objectBytes(payload.json));
}
