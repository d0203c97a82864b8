// Where the entries are in a request body, and bodies of some of them. Needed when an answer names
// single entries or refuses the whole; the common path never looks into a body.
//
// Invariant: entries are copied byte for byte, so what is sent again has the same insertIds and is
// the same entry.
//
//   {"partialSuccess":true,…,"entries":[ entry ,\n entry ,\n entry ]}
//   └──────────── head ────────────────┘ ^starts[0]  ^starts[1]      ^starts[n] = length

import assert from 'node:assert/strict';

const newline = 0x0a;
/**
 * Both `,\n` between entries and `]}` at the end are this long, so every entry ends this far before
 * the next start.
 */
const separatorBytes = 2;
const entriesKey = Buffer.from('"entries":[');

/**
 * Finds the entries of a complete body: entry `i` is `[starts[i], starts[i + 1] - 2)`. Raw newlines
 * occur between entries only, because JSON escapes those in strings. Asserts that there are
 * `entryCount`.
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
  return body.subarray(starts[index], entryEnd(starts, index));
}

/**
 * A new complete body (private memory) with the head of `body` and the named entries, in that
 * order.
 */
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

function entryEnd(starts: Uint32Array, index: number): number {
  const next = starts[index + 1];
  assert(next !== undefined, 'the entry is in the body');
  return next - separatorBytes;
}
