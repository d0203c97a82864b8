// The witness: an accepted entry that says of itself all that its request said for it.

import { expect, test } from 'vitest';
import { bodyOf, entryStarts } from '../../src/ship/body.ts';
import { Witness, withLabels } from '../../src/ship/witness.ts';

type Request = { readonly entries: readonly Record<string, unknown>[]; labels?: unknown };

const parse = (body: Uint8Array): Request => JSON.parse(Buffer.from(body).toString()) as Request;

function makeBody(head: object, entries: readonly string[]): Uint8Array {
  const text = JSON.stringify({ partialSuccess: true, ...head });
  return Buffer.from(`${text.slice(0, -1)},"entries":[${entries.join(',\n')}]}`);
}

const goodHead = { logName: 'projects/p/logs/stdout', resource: { type: 'a' }, labels: { n: '1' } };
const badHead = { logName: 'projects/p/logs/stderr', resource: { type: 'b' }, labels: { b: '2' } };

function openWitness(entry: string): Witness {
  const witness = new Witness({ shipWitnessBytesMax: 1_000, shipWitnessMs: 10 }, () => 0);
  witness.consider({ body: makeBody(goodHead, [entry]), entryCount: 1 });
  return witness;
}

test('goes with suspects as what it was, and the suspects stay what they are', () => {
  const witness = openWitness('{"insertId":"good","timestamp":"t","textPayload":"x"}');
  const entries = [
    '{"insertId":"0","jsonPayload":{"big":12345678901234567890,"labels":{"in":"payload"}}}',
    '{"insertId":"1","jsonPayload":{"labels":{}},"labels":{"own":"3","b":"mine"},"trace":"t"}',
    '{"insertId":"2","textPayload":"\\",\\"labels\\":{"}',
    '{"insertId":"3","textPayload":"left out"}',
  ];
  const body = makeBody(badHead, entries);
  const starts = entryStarts(body, 4);
  const sent = witness.bodyWith(body, starts, Uint32Array.of(0, 1, 2));
  const request = parse(sent);
  expect(request).toMatchObject({ partialSuccess: true, resource: badHead.resource });
  expect(request.labels).toBeUndefined();
  expect(request.entries).toEqual([
    { ...parse(body).entries[0], labels: { b: '2' } },
    { ...parse(body).entries[1], labels: { own: '3', b: 'mine' } },
    { ...parse(body).entries[2], labels: { b: '2' } },
    { insertId: 'good', timestamp: 't', textPayload: 'x', ...goodHead },
  ]);
  expect(Buffer.from(sent).toString()).toContain('"big":12345678901234567890');
  expect(parse(witness.bodyAlone()).entries).toEqual([request.entries[3]]);
});

test('keeps a resource, a log and labels of its own', () => {
  const own = { resource: { type: 'own' }, logName: 'own', labels: { n: 'own', m: '2' } };
  const witness = openWitness(JSON.stringify({ insertId: 'g', ...own }));
  expect(parse(witness.bodyAlone()).entries).toEqual([{ insertId: 'g', ...own }]);
});

test('is replaced when it is old, and not taken when it is large', () => {
  let nowMs = 0;
  const witness = new Witness({ shipWitnessBytesMax: 100, shipWitnessMs: 10 }, () => nowMs);
  const consider = (entry: string): void => {
    witness.consider({ body: makeBody({}, [entry]), entryCount: 1 });
  };
  consider(`{"insertId":"large","textPayload":"${'x'.repeat(200)}"}`);
  expect(witness.isKnown).toBe(false);
  consider('{"insertId":"first"}');
  consider('{"insertId":"second"}');
  expect(parse(witness.bodyAlone()).entries).toEqual([{ insertId: 'first' }]);
  nowMs = 10;
  consider('{"insertId":"third"}');
  expect(parse(witness.bodyAlone()).entries).toEqual([{ insertId: 'third' }]);
  witness.drop();
  expect(witness.isKnown).toBe(false);
});

test.each([
  ['{"a":1}', '{"labels":{"x":"1"},"a":1}'],
  ['{"labels":{},"a":1}', '{"labels":{"x":"1"},"a":1}'],
  [
    '{"a":{"labels":{"x":"2"}},"labels":{"y":"3"}}',
    '{"a":{"labels":{"x":"2"}},"labels":{"x":"1","y":"3"}}',
  ],
  ['{"labels":{"x":"2"}}', '{"labels":{"x":"2"}}'],
  ['{"a":[{"labels":{"x":"2"}}]}', '{"labels":{"x":"1"},"a":[{"labels":{"x":"2"}}]}'],
])('a label is added to %s where it has none of that name', (entry, expected) => {
  expect(withLabels(Buffer.from(entry), { x: '1' }).toString()).toBe(expected);
});

test('a body of some entries is what it was before', () => {
  const body = makeBody(goodHead, ['{"a":1}', '{"b":2}', '{"c":3}']);
  const part = bodyOf(body, entryStarts(body, 3), Uint32Array.of(0, 2));
  expect(parse(part)).toEqual({ ...parse(body), entries: [{ a: 1 }, { c: 3 }] });
});
