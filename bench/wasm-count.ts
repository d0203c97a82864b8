// Rewrites a WebAssembly module so that it counts the instructions it executes. The count is a
// figure that no other program on the machine can change, unlike time.
//
// The code of a function is cut at every instruction that may go elsewhere (block, loop, if, else,
// end, branches, return, calls). Such a run is executed from its beginning to its end, so before
// each run goes an addition of its length to a 64-bit counter in the module's own memory. It leaves
// the stack as it was, which is why it may go anywhere.

import assert from 'node:assert';

const codeSection = 10;
const magicBytes = 8;
/** Instructions that end a run. */
const cuts = new Set([0x02, 0x03, 0x04, 0x05, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11]);

type Cursor = { readonly bytes: Uint8Array; at: number };

function readUnsigned(cursor: Cursor): number {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = cursor.bytes[cursor.at++];
    assert(byte !== undefined, 'the module ends in the middle');
    value += (byte & 127) * scale;
    if (byte < 128) return value;
  }
}

/** Signed numbers only have to be stepped over: their bytes end like those of unsigned ones. */
const skipNumber = readUnsigned;

function skipNumbers(cursor: Cursor, count: number): void {
  for (let left = count; left > 0; left--) skipNumber(cursor);
}

function skipMemoryPlace(cursor: Cursor): void {
  skipNumbers(cursor, 2);
}

function encodeUnsigned(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) + 128);
  }
}

/** Positive, so that its highest bit of seven must be clear. */
function encodeSigned(value: number): number[] {
  const bytes = encodeUnsigned(value);
  const last = bytes.at(-1) ?? 0;
  return last < 64 ? bytes : [...bytes.slice(0, -1), last + 128, 0];
}

/** Steps over what follows the opcodes of the vector proposal. */
function skipVector(cursor: Cursor): void {
  const code = readUnsigned(cursor);
  if (code <= 11 || code === 92 || code === 93) skipMemoryPlace(cursor);
  else if (code === 12 || code === 13) cursor.at += 16;
  else if (code >= 21 && code <= 34) cursor.at += 1;
  else if (code >= 84 && code <= 91) {
    skipMemoryPlace(cursor);
    cursor.at += 1;
  }
}

/** Steps over what follows the opcodes of saturating conversions and bulk memory. */
function skipMiscellaneous(cursor: Cursor): void {
  const code = readUnsigned(cursor);
  if (code < 8) return;
  skipNumber(cursor);
  if (code === 8 || code === 10 || code === 12 || code === 14) skipNumber(cursor);
}

/** Steps over one instruction; answers its opcode. */
function skipInstruction(cursor: Cursor): number {
  const code = cursor.bytes[cursor.at++];
  assert(code !== undefined, 'a function ends in the middle');
  if (code >= 0x02 && code <= 0x04) skipNumber(cursor);
  else if (code === 0x0c || code === 0x0d || code === 0x10) skipNumber(cursor);
  else if (code === 0x0e) skipNumbers(cursor, readUnsigned(cursor) + 1);
  else if (code === 0x11) skipMemoryPlace(cursor);
  else if (code === 0x1c) skipNumbers(cursor, readUnsigned(cursor));
  else if (code >= 0x20 && code <= 0x26) skipNumber(cursor);
  else if (code >= 0x28 && code <= 0x3e) skipMemoryPlace(cursor);
  else if (code >= 0x3f && code <= 0x42) skipNumber(cursor);
  else if (code === 0x43) cursor.at += 4;
  else if (code === 0x44) cursor.at += 8;
  else if (code === 0xd0 || code === 0xd2) skipNumber(cursor);
  else if (code === 0xfc) skipMiscellaneous(cursor);
  else if (code === 0xfd) skipVector(cursor);
  else assert(code < 0xfe, 'threads have no atomics to count in this kernel');
  return code;
}

/** `counter += count`, as instructions. */
function addition(counter: number, count: number): number[] {
  const address = [0x41, ...encodeSigned(counter)];
  const load = [0x29, 3, 0];
  const store = [0x37, 3, 0];
  return [...address, ...address, ...load, 0x42, ...encodeSigned(count), 0x7c, ...store];
}

function countBody(bytes: Uint8Array, counter: number): number[] {
  const cursor: Cursor = { bytes, at: 0 };
  for (let groups = readUnsigned(cursor); groups > 0; groups--) {
    skipNumber(cursor);
    cursor.at += 1;
  }
  const out = [...bytes.subarray(0, cursor.at)];
  let begin = cursor.at;
  let count = 0;
  while (cursor.at < bytes.length) {
    const code = skipInstruction(cursor);
    count++;
    if (!cuts.has(code)) continue;
    out.push(...addition(counter, count), ...bytes.subarray(begin, cursor.at));
    begin = cursor.at;
    count = 0;
  }
  assert(count === 0, 'a function has no end');
  return out;
}

function countSection(bytes: Uint8Array, counter: number): number[] {
  const cursor: Cursor = { bytes, at: 0 };
  const bodies = readUnsigned(cursor);
  const out = encodeUnsigned(bodies);
  for (let index = 0; index < bodies; index++) {
    const length = readUnsigned(cursor);
    const body = countBody(bytes.subarray(cursor.at, cursor.at + length), counter);
    for (const byte of [...encodeUnsigned(body.length), ...body]) out.push(byte);
    cursor.at += length;
  }
  return out;
}

/**
 * A module that does the same and counts; `counter` is the address of eight bytes of its memory
 * that nothing else uses, a multiple of 8.
 */
export function countInstructions(module: Uint8Array, counter: number): Uint8Array {
  const cursor: Cursor = { bytes: module, at: magicBytes };
  const parts: Uint8Array[] = [module.subarray(0, magicBytes)];
  while (cursor.at < module.length) {
    const begin = cursor.at;
    const id = module[cursor.at++];
    const length = readUnsigned(cursor);
    const content = module.subarray(cursor.at, cursor.at + length);
    cursor.at += length;
    if (id === codeSection) {
      const counted = countSection(content, counter);
      parts.push(
        Uint8Array.from([id, ...encodeUnsigned(counted.length)]),
        Uint8Array.from(counted),
      );
    } else parts.push(module.subarray(begin, cursor.at));
  }
  return Buffer.concat(parts);
}
