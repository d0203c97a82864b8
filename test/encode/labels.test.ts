import { describe, expect, test } from 'vitest';

import { encode, encodeWith, insertId, lineTime } from './strict-entry.ts';

const left = { message: 'm', k: 1 };
const api = (name: string) => `logging.googleapis.com/${name}`;

/** Fails unless the entry has exactly this beside what every entry has. */
function expectFields(fields: Record<string, unknown>, wanted: Record<string, unknown>): void {
  const { logName, ...entry } = encodeWith(fields);
  expect(logName).toBe('projects/p/logs/stdout');
  expect(entry).toEqual({
    jsonPayload: left,
    timestamp: lineTime,
    severity: 'INFO',
    insertId,
    labels: { 'k8s-pod/app': 'web' },
    ...wanted,
  });
}

describe('labels', () => {
  test.each([
    [
      { tier: 'gold', 'team/owner': 'c"x' },
      { tier: 'gold', 'team/owner': 'c"x' },
    ],
    [{ 'k8s-pod/app': 'mine' }, { 'k8s-pod/app': 'mine' }],
    [
      { __proto: 'a', constructor: 'b' },
      { __proto: 'a', constructor: 'b' },
    ],
    [{}, {}],
    [
      { notify: true, team: 'core', n: 7, off: false },
      { notify: 'true', team: 'core', n: '7', off: 'false' },
    ],
    [
      { no: null, list: [1, 'é"'], object: { a: [] } },
      { no: 'null', list: '[1,"é\\""]', object: '{"a":[]}' },
    ],
    ['gold', {}],
    [['gold'], {}],
    [5, {}],
    [null, {}],
  ])('of %j are %j', (value, own) => {
    expectFields({ [api('labels')]: value }, { labels: { 'k8s-pod/app': 'web', ...own } });
  });

  test('of other types are their JSON as it is written', () => {
    const values = '"a":1.50,"b":-0,"c":1e400,"d":[ 1 ],"e":{"\\u0061":"\\ud800"}';
    expect(encode(`{"${api('labels')}":{${values}}}`)['labels']).toEqual({
      'k8s-pod/app': 'web',
      a: '1.50',
      b: '-0',
      c: '1e400',
      d: '[ 1 ]',
      e: '{"\\u0061":"\\ufffd"}',
    });
  });

  test('that have no room stay in the payload, the first ones are taken', () => {
    const numbered = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`l${index}`, String(index)]));
    // One is the source's, one the request's.
    for (const count of [62, 63, 200, 2_000]) {
      const entry = encodeWith({ [api('labels')]: numbered(count) });
      expect(entry['labels']).toEqual({ 'k8s-pod/app': 'web', ...numbered(Math.min(count, 62)) });
      const payload = entry['jsonPayload'] as Record<string, Record<string, string> | undefined>;
      const rest = payload[api('labels')] ?? {};
      expect({ ...numbered(62), ...rest }).toEqual(numbered(Math.max(count, 62)));
      expect(Object.keys(rest).length).toBe(count - 62);
    }
  });

  test('that are marks come before those of the record', () => {
    const many = Object.fromEntries(Array.from({ length: 64 }, (_, index) => [`l${index}`, '']));
    const { labels } = encodeWith({ [api('labels')]: many, time: '9999-01-01T00:00:00Z' });
    expect(Object.keys(labels as object)).toHaveLength(63);
    expect(labels).toHaveProperty(['tailship.dev/original-time'], '9999-01-01T00:00:00Z');
  });

  test('that the API would cut off stay in the payload, where that would break them', () => {
    const long = ['x'.repeat(70_000)];
    const labels = { a: long, ['k'.repeat(513)]: 'v', ['é'.repeat(256)]: 'w', b: 'c' };
    const entry = encodeWith({ [api('labels')]: labels });
    expect(entry['labels']).toEqual({ 'k8s-pod/app': 'web', ['é'.repeat(256)]: 'w', b: 'c' });
    expect(entry['jsonPayload']).toEqual({
      ...left,
      [api('labels')]: { a: long, ['k'.repeat(513)]: 'v' },
    });
  });

  test('never hold a key twice', () => {
    const line = `{"${api('labels')}":{"a":"1","\\u0061":"2","k8s-pod\\/app":"mine"},"x":1}`;
    expect(encode(line)['labels']).toEqual({ a: '2', 'k8s-pod/app': 'mine' });
    const time = {
      time: '9999-01-01T00:00:00Z',
      [api('labels')]: { 'tailship.dev/original-time': 'u' },
    };
    expectFields(time, { labels: { 'k8s-pod/app': 'web', 'tailship.dev/original-time': 'u' } });
  });

  test('mark a record that is not whole', () => {
    for (const incomplete of ['cut', 'flushed'] as const) {
      const labels = { 'k8s-pod/app': 'web', 'tailship.dev/incomplete': incomplete };
      expect(encode('text', { incomplete })['labels']).toEqual(labels);
      expect(encode('{"a":1}', { incomplete })['labels']).toEqual(labels);
      expect(encode('I0305 t 1 a.go:1] m', { incomplete })['labels']).toEqual(labels);
    }
  });
});
