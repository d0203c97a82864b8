// Encodes lines in tests, and holds every entry to what the API accepts: one JSON text, no key
// twice, no lone surrogate, and everything of the type that the strict proto3 JSON parser of the
// emulator asks for.

import { fromJson, toBinary } from '@bufbuild/protobuf';
import type { JsonValue } from '@bufbuild/protobuf';
import { expect } from 'vitest';

import { limits } from '../../src/config.ts';
import { logEntrySchema, registry } from '../../src/emulator/protocol/log-entry-schema.ts';
import { violationsOf } from '../../src/emulator/protocol/schema-violation.ts';
import { parseCriLine } from '../../src/encode/records/cri-line.ts';
import { instantOfClock } from '../../src/encode/rfc3339.ts';
import { encodeRecord } from '../../src/encode/entries/log-entry.ts';
import type { EncodeContext } from '../../src/encode/entries/entry.ts';
import type { RecordInput } from '../../src/encode/entries/log-entry.ts';

export const lineTime = '2024-03-05T14:07:21.104582937Z';
export const insertId = 'abcdefghijklmnopqrstuv00000000';

export const context: EncodeContext = {
  resource: '',
  logName: {
    stdout: '"logName":"projects/p/logs/stdout",',
    stderr: '"logName":"projects/p/logs/stderr",',
  },
  labels: '"k8s-pod/app":"web"',
  requestLabels: 1,
  traceParent: 'projects/acme',
  readAt: instantOfClock(Date.parse('2024-03-05T15:00:00Z')),
};

/** An entry as JSON.parse reads it. */
export type ParsedEntry = { readonly [key: string]: JsonValue | undefined };

/** Fails when an object of the text has a key twice: JSON.parse hides it, the API may not. */
function expectDistinctKeys(text: string): void {
  let members = 0;
  JSON.parse(text, (_key, value: unknown) => {
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
      members += Object.keys(value).length;
    }
    return value;
  });
  // Outside strings a colon follows every key and nothing else.
  const colons = text.replace(/"(?:[^"\\]|\\.)*"/gs, '').split(':').length - 1;
  expect(colons, 'colons and members').toBe(members);
}

/** The entry, after the API's judgement. */
export function expectStrict(text: string): ParsedEntry {
  const entry = JSON.parse(text) as JsonValue;
  expect(violationsOf(logEntrySchema, entry, 'entry')).toEqual([]);
  expectDistinctKeys(text);
  expect(JSON.stringify(entry).isWellFormed()).toBe(true);
  // A backslash that is content is written as two.
  const loneSurrogate = /(?<!\\)(?:\\\\)*\\u[dD][89a-fA-F]/;
  expect(loneSurrogate.test(JSON.stringify(entry))).toBe(false);
  const size = toBinary(logEntrySchema, fromJson(logEntrySchema, entry, { registry })).length;
  expect(size).toBeLessThanOrEqual(limits.entryBytesMax);
  return entry as ParsedEntry;
}

export function recordOf(
  content: string | Uint8Array,
  more: Partial<RecordInput> = {},
): RecordInput {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  return { content: bytes, time: lineTime, stream: 'stdout', insertId, ...more };
}

/** All entries of a record with this content. */
export function encodeAll(
  content: string | Uint8Array,
  more: Partial<RecordInput> = {},
  where: EncodeContext = context,
): ParsedEntry[] {
  return encodeRecord(recordOf(content, more), where).entries.map(expectStrict);
}

/** The one entry of a record with this content. */
export function encode(
  content: string | Uint8Array,
  more: Partial<RecordInput> = {},
  where: EncodeContext = context,
): ParsedEntry {
  const entries = encodeAll(content, more, where);
  expect(entries).toHaveLength(1);
  return entries[0] ?? {};
}

/** The entry of an object with `fields`, a second member and a message. */
export function encodeWith(
  fields: Readonly<Record<string, unknown>>,
  more: Partial<RecordInput> = {},
): ParsedEntry {
  return encode(JSON.stringify({ ...fields, message: 'm', k: 1 }), more);
}

/** Parses a whole line given as text. */
export function parse(line: string | Uint8Array) {
  const bytes = Buffer.from(line);
  const parsed = parseCriLine(bytes, 0, bytes.length);
  if (parsed === undefined) return undefined;
  const { contentStart, contentEnd, ...rest } = parsed;
  return { ...rest, content: bytes.toString('utf8', contentStart, contentEnd) };
}
