// An acknowledgement that comes too early hides a loss, and one that does not come stalls a peer,
// so messages of every mode are swept over every cut.

import { expect, test } from 'vitest';
import { makeForwardReader } from '../../bench/forward-protocol.ts';

/** MessagePack of a value, as an agent writes it. */
function pack(value: unknown): Buffer {
  if (value === null) return Buffer.from([0xc0]);
  if (typeof value === 'number') {
    const bytes = Buffer.from([0xce, 0, 0, 0, 0]);
    bytes.writeUInt32BE(value, 1);
    return bytes;
  }
  if (typeof value === 'string') return packSized(Buffer.from(value), 0xda);
  if (value instanceof Uint8Array) return packSized(Buffer.from(value), 0xc5);
  if (Array.isArray(value)) {
    return Buffer.concat([Buffer.from([0x90 + value.length]), ...value.map(pack)]);
  }
  const members = Object.entries(value as object).flatMap(([key, each]) => [
    Buffer.concat([Buffer.from([0xa0 + key.length]), Buffer.from(key)]),
    pack(each),
  ]);
  return Buffer.concat([Buffer.from([0x80 + members.length / 2]), ...members]);
}

function packSized(bytes: Buffer, tag: number): Buffer {
  const head = Buffer.from([tag, 0, 0]);
  head.writeUInt16BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** EventTime, the ext type 0 of the protocol. */
const eventTime = Buffer.from('d70065000000000000ff', 'hex');
const record = {
  log: 'seq=0000000001 a line',
  chunk: 'of the record',
  nested: { list: [1, null] },
};
const entry = Buffer.concat([Buffer.from([0x92]), eventTime, pack(record)]);

function message(...members: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([0x90 + members.length]), ...members]);
}

const tag = pack('kubernetes.var.log');
const entries = Buffer.concat([Buffer.from([0x92]), entry, entry]);
const asks = pack({ size: 2, chunk: 'p8n9gmxTQVC8/nh2wlKKeQ==' });
const ack = Buffer.concat([Buffer.from('\x81\xa3ack', 'latin1'), pack('p8n9gmxTQVC8/nh2wlKKeQ==')]);

const messages = [
  ['forward mode', message(tag, entries, asks), true],
  ['forward mode without an option', message(tag, entries), false],
  ['forward mode that asks for nothing', message(tag, entries, pack({ size: 2 })), false],
  ['forward mode with a null option', message(tag, entries, pack(null)), false],
  ['packed forward mode', message(tag, pack(Buffer.concat([entry, entry])), asks), true],
  ['message mode', message(tag, eventTime, pack(record), asks), true],
  ['message mode without an option', message(tag, eventTime, pack(record)), false],
  ['message mode with a whole second', message(tag, pack(1_700_000_000), pack(record)), false],
] as const;

function read(chunks: readonly Buffer[]): { messages: string[]; answers: string[] } {
  const found: { messages: string[]; answers: string[] } = { messages: [], answers: [] };
  const reader = makeForwardReader({
    onMessage: (bytes) => found.messages.push(bytes.toString('hex')),
    answer: (bytes) => found.answers.push(bytes.toString('hex')),
  });
  for (const chunk of chunks) reader(chunk);
  return found;
}

test.each(messages)(
  'a message in %s is whole, and acknowledged if it asks: %#',
  (_, bytes, isAsked) => {
    const expected = {
      messages: [bytes.toString('hex')],
      answers: isAsked ? [ack.toString('hex')] : [],
    };
    for (let cut = 0; cut <= bytes.length; cut++) {
      const halves = [bytes.subarray(0, cut), bytes.subarray(cut)];
      expect(read(halves), `cut at ${cut}`).toEqual(expected);
      if (cut < bytes.length) expect(read(halves.slice(0, 1)).answers).toEqual([]);
    }
  },
);

test('messages of all modes one after the other are told apart, in chunks of every size', () => {
  const all = Buffer.concat(messages.map(([, bytes]) => bytes));
  for (const size of [1, 2, 3, 7, 64, all.length]) {
    const chunks = Array.from({ length: Math.ceil(all.length / size) }, (_, index) =>
      all.subarray(index * size, (index + 1) * size),
    );
    const found = read(chunks);
    expect(found.messages).toEqual(messages.map(([, bytes]) => bytes.toString('hex')));
    expect(found.answers).toHaveLength(messages.filter(([, , isAsked]) => isAsked).length);
  }
});

test('what is no message throws instead of waiting for its end', () => {
  expect(() => read([Buffer.from('GET / HTTP/1.1\r\n')])).toThrow('array');
  expect(() => read([Buffer.from([0x92, 0xc1])])).toThrow('0xc1');
});
