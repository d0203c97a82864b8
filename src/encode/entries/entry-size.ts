// How many bytes an entry has as protobuf, which is what the API's limit counts. The invariant:
// never less than the true size, and more by no more than the reserve for what the request adds.

import { limits } from '../../config.ts';
import type { EncodeContext, Entry } from './entry.ts';
import { stringValue } from '../json/json-text.ts';

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

/** An object or array that is being measured. */
type Container = {
  readonly isObject: boolean;
  bytes: number;
  /** The next string is a key. */
  expectsKey: boolean;
  /** Of the key whose value comes next. */
  keyBytes: number;
};

/** Adds a google.protobuf.Value to what holds it. */
function addValue(container: Container, valueBytes: number): void {
  container.bytes += container.isObject
    ? fieldBytes(fieldBytes(container.keyBytes) + fieldBytes(valueBytes))
    : fieldBytes(valueBytes);
}

/** One past the closing quote of the string that opens at `start`. */
function stringEnd(json: string, start: number): number {
  let at = start + 1;
  while (json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** Bytes of UTF-8 that a raw string stands for. */
function stringBytes(raw: string): number {
  return Buffer.byteLength(stringValue(raw) ?? '');
}

/** Adds the scalar that starts at `start`, and says where it ends. */
function addScalar(container: Container, json: string, start: number): number {
  if (json[start] === '"') {
    const end = stringEnd(json, start);
    const bytes = stringBytes(json.slice(start, end));
    if (container.expectsKey) container.keyBytes = bytes;
    else addValue(container, fieldBytes(bytes));
    container.expectsKey = false;
    return end;
  }
  let end = start;
  while (!',]} \t\r\n'.includes(json.charAt(end))) end++;
  const isWord = 'tfn'.includes(json.charAt(start));
  addValue(container, tagBytes + (isWord ? 1 : doubleBytes));
  return end;
}

/**
 * Bytes of a valid JSON object as a google.protobuf.Struct; an upper bound of the same members as a
 * message or a map. It reads the text itself, because JSON.parse may take one key for another (see
 * object-scan.ts).
 */
export function objectBytes(json: string): number {
  const outside: Container = { isObject: false, bytes: 0, expectsKey: false, keyBytes: 0 };
  const open: Container[] = [outside];
  let objectEnd = 0;
  for (let at = 0; at < json.length;) {
    const top = open.at(-1) ?? outside;
    const character = json.charAt(at);
    if (character === '{' || character === '[') {
      const isObject = character === '{';
      open.push({ isObject, bytes: 0, expectsKey: isObject, keyBytes: 0 });
    } else if (character === '}' || character === ']') {
      open.pop();
      objectEnd = top.bytes;
      addValue(open.at(-1) ?? outside, fieldBytes(top.bytes));
    } else if (character === ',') {
      top.expectsKey = top.isObject;
    } else if (!' \t\r\n:'.includes(character)) {
      at = addScalar(top, json, at);
      continue;
    }
    at++;
  }
  return objectEnd;
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
