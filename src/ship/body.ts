// Finds the entries in a request body and makes bodies of some of them. Needed when an answer names
// single entries or refuses the whole; the common path never looks into a body.
//
// Invariant: entries are copied byte for byte, so an entry that is sent again is the same entry.
//
//   {"partialSuccess":true,…,"entries":[ entry ,\n entry ,\n entry ]}
//   └──────────── head ────────────────┘ ^starts[0]  ^starts[1]      ^starts[n] = length

import assert from 'node:assert/strict';

const newline = 0x0a;
/** The length of `,\n` between entries and of `]}` at the end. */
const separatorBytes = 2;
const entriesKey = Buffer.from('"entries":[');
const openingBrace = 0x7b;
const closingBrace = 0x7d;
const openingBracket = 0x5b;
const closingBracket = 0x5d;
const quote = 0x22;
const backslash = 0x5c;

/**
 * Finds the entries of a complete body: entry `i` is `[starts[i], starts[i + 1] - 2)`. Raw newlines
 * occur only between entries, because JSON escapes those in strings. Asserts `entryCount`.
 */
export function entryStarts(body: Uint8Array, entryCount: number): Uint32Array {
  const bytes = asBuffer(body);
  // A quote within a string is escaped, so the first unescaped `"entries":[` is the key itself.
  const keyStart = bytes.indexOf(entriesKey);
  assert(keyStart >= 0, 'a body has entries');
  const starts = new Uint32Array(entryCount + 1);
  let start = keyStart + entriesKey.length;
  for (let index = 0; index < entryCount; index += 1) {
    starts[index] = start;
    const next = bytes.indexOf(newline, start);
    assert(next >= 0 === index < entryCount - 1, 'entryCount equals the entries in the body');
    start = next + 1;
  }
  starts[entryCount] = body.length;
  return starts;
}

/** The bytes of one entry: a view, not a copy. */
export function entryBytes(body: Uint8Array, starts: Uint32Array, index: number): Uint8Array {
  const next = starts[index + 1];
  assert(next !== undefined, 'the entry is in the body');
  return body.subarray(starts[index], next - separatorBytes);
}

/** A new complete body, in private memory, with the head of `body` and these entries in order. */
export function bodyOf(body: Uint8Array, starts: Uint32Array, indexes: Uint32Array): Uint8Array {
  const entries = Array.from(indexes, (index) => entryBytes(body, starts, index));
  return bodyFrom(body.subarray(0, starts[0]), entries);
}

/** A new complete body of a head, which ends after `"entries":[`, and entries. */
export function bodyFrom(head: Uint8Array, entries: readonly Uint8Array[]): Uint8Array {
  assert(entries.length > 0);
  let length = head.length;
  for (const entry of entries) length += entry.length + separatorBytes;
  const part = Buffer.allocUnsafeSlow(length);
  part.set(head);
  let end = head.length;
  for (const entry of entries) {
    part.set(entry, end);
    end += entry.length;
    part.write(',\n', end, 'latin1');
    end += separatorBytes;
  }
  part.write(']}', end - separatorBytes, 'latin1');
  return part;
}

/** A Buffer on the same memory, shared or not. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Where the value of the object's own member `key` is, itself an object or array; valid JSON. */
export function memberSpan(
  object: Buffer,
  key: string,
): { readonly start: number; readonly end: number } | undefined {
  const keyText = Buffer.from(`${JSON.stringify(key)}:`);
  let depth = 0;
  let start: number | undefined;
  for (let at = 0; at < object.length; at += 1) {
    const byte = object[at];
    if (byte === quote) {
      const text = object.subarray(at, at + keyText.length);
      const isKey = depth === 1 && start === undefined && text.equals(keyText);
      at = endOfString(object, at);
      if (isKey) start = at + 2;
    } else if (byte === openingBrace || byte === openingBracket) depth += 1;
    else if (byte === closingBrace || byte === closingBracket) {
      depth -= 1;
      if (start !== undefined && depth === 1) return { start, end: at + 1 };
    }
  }
  return undefined;
}

/** The index of the quote that ends the string which begins at `start`. */
function endOfString(bytes: Buffer, start: number): number {
  let end = start + 1;
  while (end < bytes.length && bytes[end] !== quote) end += bytes[end] === backslash ? 2 : 1;
  return end;
}
