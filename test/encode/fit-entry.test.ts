import { fromJson, toBinary } from '@bufbuild/protobuf';
import type { JsonObject } from '@bufbuild/protobuf';
import { StructSchema } from '@bufbuild/protobuf/wkt';
import { describe, expect, test } from 'vitest';

import { limits } from '../../src/config.ts';
import { objectBytes } from '../../src/encode/entries/entry-size.ts';
import { encodeText } from '../../src/encode/entries/log-entry.ts';
import { randomObject } from './random-json.ts';
import { scanObject } from '../../src/encode/json/object-scan.ts';
import { context, encode, encodeAll, expectStrict, insertId, recordOf } from './strict-entry.ts';
import type { ParsedEntry } from './strict-entry.ts';
import { cpuMsOf } from '../support/own-time.ts';
import { randomNumbers } from '../../src/emulator/random-numbers.ts';
import { seedOfRun } from '../support/seed.ts';

const api = (name: string) => `logging.googleapis.com/${name}`;
const textOf = (entries: readonly ParsedEntry[]) =>
  entries.map((entry) => entry['textPayload'] as string).join('');

/** Fails unless these are the parts of one text, in order. */
function expectSplit(entries: readonly ParsedEntry[], text: string, uid = insertId): void {
  expect(entries.length).toBeGreaterThan(1);
  expect(textOf(entries) === text).toBe(true);
  for (const [index, entry] of entries.entries()) {
    expect(entry['split']).toEqual({ uid, index, totalSplits: entries.length });
  }
  const ids = entries.map((entry) => entry['insertId'] as string);
  expect(ids.toSorted()).toEqual(ids);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(new RegExp(`^${uid}[0-9a-z]{2}$`));
}

describe('objectBytes()', () => {
  test('is what protobuf needs', () => {
    const seed = seedOfRun();
    const random = randomNumbers(seed);
    for (let round = 0; round < 500; round++) {
      // JSON.parse of V8 misreads keys with escapes; the next test has them.
      const text = scanObject(randomObject(random).replaceAll('\\', ''))?.text;
      if (text === undefined) continue;
      const object = JSON.parse(text) as JsonObject;
      const bytes = toBinary(StructSchema, fromJson(StructSchema, object)).length;
      expect({ seed, text, bytes: objectBytes(text) }).toEqual({ seed, text, bytes });
    }
  });

  test('counts what escapes mean', () => {
    expect(objectBytes('{"\\u0061":"\\ud83d\\ude00"}')).toBe(objectBytes('{"a":"😀"}'));
    expect(objectBytes('{ "a\\"" : [ -1e5 , true , null , {} ] }')).toBe(
      objectBytes('{"ab":[0,false,null,{}]}'),
    );
    expect(objectBytes('{}')).toBe(0);
  });
});

describe('a text', () => {
  test('within the limit is one entry', () => {
    for (const text of ['q'.repeat(102_400), 'é'.repeat(120_000), '\u0001'.repeat(240_000)]) {
      const entry = encode(text);
      expect(entry['textPayload'] === text).toBe(true);
      expect(entry['split']).toBeUndefined();
    }
  });

  test('is one entry or several at every length around the limit', () => {
    for (let length = limits.entryBytesMax - 3_000; length < limits.entryBytesMax; length += 97) {
      const text = 'x'.repeat(length);
      expect(textOf(encodeAll(text)) === text).toBe(true);
    }
  });

  test('over the limit is split between characters', () => {
    for (const unit of ['a', 'é', '鍵', '😀', 'x😀', '\u0001']) {
      for (const size of [262_144, 262_145, 262_146, 262_147, limits.lineBytesMax]) {
        const count = Math.floor(size / Buffer.byteLength(unit));
        const text = 'y'.repeat(size % Buffer.byteLength(unit)) + unit.repeat(count);
        expectSplit(encodeAll(text), text);
      }
    }
    const invalid = Buffer.alloc(limits.lineBytesMax, 0xff);
    expectSplit(encodeAll(invalid), '\ufffd'.repeat(limits.lineBytesMax));
  });

  test('that is no line of its format is split too', () => {
    const text = '{"severity":"ERROR"}'.repeat(20_000);
    const { entries: texts } = encodeText(recordOf(text, { stream: 'stderr' }), context);
    const entries = texts.map(expectStrict);
    expectSplit(entries, text);
    expect(entries[0]?.['severity']).toBeUndefined();
    expect(entries[0]?.['logName']).toBe('projects/p/logs/stdout');
  });

  test('from a message keeps its fields in every part', () => {
    const message = 'm'.repeat(600_000);
    const line = {
      message,
      severity: 'WARNING',
      time: '2024-03-01T09:30:15Z',
      [api('insertId')]: 'mine',
      [api('labels')]: { a: 'b'.repeat(40_000) },
      [api('operation')]: { id: 'o' },
    };
    const entries = encodeAll(JSON.stringify(line));
    expectSplit(entries, message, 'mine');
    for (const entry of entries) {
      expect(entry).toMatchObject({
        severity: 'WARNING',
        timestamp: '2024-03-01T09:30:15Z',
        operation: { id: 'o' },
        labels: { 'k8s-pod/app': 'web', a: 'b'.repeat(40_000) },
      });
    }
  });
});

describe('an object', () => {
  test('within the limit stays as it is', () => {
    const object = { message: 'm', big: 'x'.repeat(240_000) };
    expect(encode(JSON.stringify(object))['jsonPayload']).toEqual(object);
    const label = { message: 'm', k: 1, [api('labels')]: { a: 'x'.repeat(70_000) } };
    expect(encode(JSON.stringify(label))).toMatchObject({
      jsonPayload: { message: 'm', k: 1 },
      labels: { a: 'x'.repeat(70_000) },
    });
  });

  test('over the limit loses the ends of its longest strings', () => {
    const object = {
      message: 'kept',
      id: 12345678901234567890n.toString(),
      deep: [{ first: '😀'.repeat(100_000) }, 'second'.repeat(20_000)],
      third: 'é'.repeat(30_000),
    };
    const line = JSON.stringify(object).replace('"12345678901234567890"', '12345678901234567890');
    const payload = encode(line)['jsonPayload'] as typeof object;
    expect(payload.message).toBe('kept');
    expect(payload.third).toBe(object.third);
    const [deep, second] = payload.deep as [{ first: string }, string];
    expect(deep.first).toMatch(/^(?:😀)+…\[truncated \d+ bytes\]$/u);
    expect(second).toMatch(/^(?:second)+\w*…\[truncated \d+ bytes\]$/);
    const missing = Number(/truncated (\d+)/.exec(deep.first)?.[1]);
    expect(Buffer.byteLength(deep.first.split('…')[0] ?? '') + missing).toBe(400_000);
    // No more goes than must.
    expect(objectBytes(JSON.stringify(payload))).toBeGreaterThan(limits.entryBytesMax - 4_000);
  });

  test('is shortened at every length around the limit', () => {
    for (let length = limits.entryBytesMax - 3_000; length < limits.entryBytesMax; length += 97) {
      expect(encode(JSON.stringify({ a: 'x'.repeat(length), b: 1 }))['jsonPayload']).toBeDefined();
    }
  });

  test.each([
    ['many small members', Array.from({ length: 20_000 }, (_, at) => `"k${at}":${at}`).join(',')],
    ['many numbers', `"a":[${'1,'.repeat(150_000)}1]`],
    ['long keys', `"${'k'.repeat(300_000)}":1,"message":"m"`],
    ['many short strings', `"a":[${'"abc",'.repeat(60_000)}""]`],
  ])('of %s becomes the text it was, in parts', (_, members) => {
    const line = `{"severity":"ALERT","time":"2024-03-01T09:30:15Z",${members}}`;
    const entries = encodeAll(line);
    expectSplit(entries, line);
    for (const entry of entries) {
      expect(entry).toMatchObject({ severity: 'ALERT', timestamp: '2024-03-01T09:30:15Z' });
    }
  });

  test('of ten thousand small members that fit stays an object', () => {
    const object = Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`k${at}`, at]));
    expect(encode(JSON.stringify(object))['jsonPayload']).toEqual(object);
  });

  test('from klog loses the end of its message', () => {
    const entry = encode(`I0305 t 1 a.go:1] ${'m'.repeat(400_000)}`);
    expect(entry['jsonPayload']).toMatchObject({ pid: '1' });
    expect(JSON.stringify(entry['jsonPayload'])).toContain('…[truncated ');
    expect(entry['sourceLocation']).toEqual({ file: 'a.go', line: '1' });
  });
});

describe('fields', () => {
  test('that alone are over the limit are shortened, the payload is not', () => {
    const huge = 'h'.repeat(300_000);
    const rest = { message: 'm', k: 1 };
    for (const field of [
      { [api('labels')]: { a: huge, b: 'c' } },
      { httpRequest: { requestUrl: huge, latency: '1.5s', requestSize: '5' } },
      { [api('operation')]: { id: huge, first: true } },
      { [api('sourceLocation')]: { file: huge, line: '5' } },
      { [api('trace')]: huge },
      { [api('spanId')]: huge },
    ]) {
      const entry = encode(JSON.stringify({ ...rest, ...field }));
      expect(entry['jsonPayload']).toEqual(rest);
      expect(JSON.stringify(entry)).toContain('…[truncated ');
    }
    const id = encode(JSON.stringify({ ...rest, [api('insertId')]: huge }));
    expect(id).toMatchObject({ jsonPayload: rest, insertId });
  });

  test('that are too many leave the record as text', () => {
    const labels = Array.from({ length: 20_000 }, (_, at) => `"label${at}":"value"`).join(',');
    const line = `{"message":"m","${api('labels')}":{${labels}}}`;
    const entries = encodeAll(line);
    expectSplit(entries, line);
    expect(entries[0]?.['labels']).toEqual({ 'k8s-pod/app': 'web' });
  });
});

describe('any record', () => {
  test('gives entries that the API accepts', () => {
    const seed = seedOfRun();
    const random = randomNumbers(seed);
    const counts = { text: 0, json: 0 };
    for (let round = 0; round < 1_000; round++) {
      const object = randomObject(random).replaceAll('\\\\', '/');
      const stream = random() < 0.5 ? 'stdout' : 'stderr';
      const entry = encode(object, { stream });
      if (entry['textPayload'] === undefined) counts.json++;
      else counts.text++;
    }
    expect(counts.json).toBeGreaterThan(500);
  });

  test('of a mebibyte is encoded in reasonable time and room', () => {
    const repeat = (piece: string) =>
      piece.repeat(Math.floor(limits.lineBytesMax / piece.length) - 9);
    const labels = (inner: string) =>
      `{"message":"${'\\u0001'.repeat(80_000)}","${api('labels')}":{${inner}}}`;
    for (const text of [
      repeat('\u0000'),
      repeat('"'),
      `{"a":["${repeat('x","')}"]}`,
      `{"a":[${repeat('{},')}{}]}`,
      `{"message":"${repeat('\\u0001')}"}`,
      labels(`"a":"${'\\u0001'.repeat(80_000)}"`),
      labels(`"${'\\u0001'.repeat(80_000)}":""`),
      repeat('{"a":'),
    ]) {
      const cpuMs = cpuMsOf(() => {
        const entries = encodeAll(text);
        const bytes = entries.reduce((sum, entry) => sum + JSON.stringify(entry).length, 0);
        expect(bytes).toBeLessThan(limits.batchBytesReserve);
      });
      expect(cpuMs).toBeLessThan(5_000);
    }
  });
});

test('content may be in shared memory', () => {
  for (const line of ['text é', '{"a":"é"}', 'I0305 t 1 a.go:1] é']) {
    const bytes = Buffer.from(line);
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length + 16), 8, bytes.length);
    shared.set(bytes);
    expect(encode(shared)).toEqual(encode(line));
  }
});
