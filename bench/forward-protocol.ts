// The receiving half of Fluentd's forward protocol, as far as an agent needs it: finds where a
// message ends, whatever its mode, and answers the chunk id of one that asks for an
// acknowledgement. The invariant: nothing of a message is acknowledged before its last byte has
// arrived.
// https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1
//
//   message  [tag, entries | bin, option]  [tag, time, record, option]
//   option   {"chunk": id, …}              answer {"ack": id}

/** Bytes that a value takes without its nested values, and how many of those there are. */
type Value = { readonly bytes: number; readonly nested: number };

const chunkKey = Buffer.from('\xa5chunk', 'latin1');
const ackHead = Buffer.from('\x81\xa3ack', 'latin1');

/** Bytes of the values of a fixed size, by their tag from 0xc0 on; 0 where the tag is none. */
const fixedBytes = [
  1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 5, 9, 2, 3, 5, 9, 2, 3, 5, 9, 3, 4, 6, 10, 18,
] as const;
/** Of those with a length: bytes of the length, bytes besides it, nested values for each. */
const sized = new Map<number, readonly [number, number, number]>([
  [0xc4, [1, 1, 0]],
  [0xc5, [2, 1, 0]],
  [0xc6, [4, 1, 0]],
  [0xc7, [1, 2, 0]],
  [0xc8, [2, 2, 0]],
  [0xc9, [4, 2, 0]],
  [0xd9, [1, 1, 0]],
  [0xda, [2, 1, 0]],
  [0xdb, [4, 1, 0]],
  [0xdc, [2, 1, 1]],
  [0xdd, [4, 1, 1]],
  [0xde, [2, 1, 2]],
  [0xdf, [4, 1, 2]],
]);

/** The MessagePack value at `at`; undefined when its head is not all there. */
function readValue(bytes: Buffer, at: number): Value | undefined {
  const tag = bytes[at];
  if (tag === undefined) return undefined;
  if (tag < 0x80 || tag >= 0xe0) return { bytes: 1, nested: 0 };
  if (tag < 0x90) return { bytes: 1, nested: 2 * (tag & 15) };
  if (tag < 0xa0) return { bytes: 1, nested: tag & 15 };
  if (tag < 0xc0) return { bytes: 1 + (tag & 31), nested: 0 };
  const fixed = fixedBytes[tag - 0xc0] ?? 0;
  if (fixed > 0) return { bytes: fixed, nested: 0 };
  const shape = sized.get(tag);
  if (shape === undefined) throw new Error(`0x${tag.toString(16)} is no tag of MessagePack`);
  const [lengthBytes, besides, nestedEach] = shape;
  if (at + 1 + lengthBytes > bytes.length) return undefined;
  const length = bytes.readUIntBE(at + 1, lengthBytes);
  const head = lengthBytes + besides;
  return { bytes: nestedEach > 0 ? head : head + length, nested: nestedEach * length };
}

/**
 * The id that a message asks to be acknowledged, as MessagePack; if it does. The option comes after
 * the entries, or after time and record: a record may have a key `chunk`, too.
 */
function findChunkId(message: Buffer, lastMemberAt: number): Buffer | undefined {
  const head = readValue(message, 0);
  const tag = head && readValue(message, head.bytes);
  const second = tag && message[head.bytes + tag.bytes];
  if (second === undefined) return undefined;
  const isTime = second < 0x80 || (second >= 0xcc && second <= 0xd8) || second === 0xc7;
  const option = message.subarray(lastMemberAt);
  const at = option.indexOf(chunkKey);
  if (head?.nested !== (isTime ? 4 : 3) || at === -1) return undefined;
  const start = at + chunkKey.length;
  const id = readValue(option, start);
  return id && option.subarray(start, start + id.bytes);
}

export type ForwardHandlers = {
  /** A whole message, in a buffer of its own. */
  readonly onMessage: (message: Buffer) => void;
  readonly answer: (bytes: Buffer) => void;
};

/** Returns a function that takes the bytes of one connection in order; it throws on nonsense. */
export function makeForwardReader(handlers: ForwardHandlers): (chunk: Buffer) => void {
  let bytes: Buffer = Buffer.alloc(0);
  let at = 0;
  /** Values that belong to the message and have not been passed yet. */
  let awaited = 1;
  let lastMemberAt = 0;
  const step = (): boolean => {
    const value = readValue(bytes, at);
    if (value === undefined || at + value.bytes > bytes.length) return false;
    if (at === 0 && value.nested < 2) throw new Error('a message of forward is an array');
    // The first place behind the head where one value is due is where the last member begins.
    if (awaited === 1 && at > 0 && lastMemberAt === 0) lastMemberAt = at;
    at += value.bytes;
    awaited += value.nested - 1;
    return true;
  };
  return (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    while (step()) {
      if (awaited > 0) continue;
      const message = bytes.subarray(0, at);
      const id = findChunkId(message, lastMemberAt);
      handlers.onMessage(message);
      if (id !== undefined) handlers.answer(Buffer.concat([ackHead, id]));
      bytes = Buffer.from(bytes.subarray(at));
      at = 0;
      awaited = 1;
      lastMemberAt = 0;
    }
  };
}
