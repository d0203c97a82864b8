import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { fromJson } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { logEntrySchema, registry } from '../../src/emulator/protocol/log-entry-schema.ts';
import {
  jsonNameOf,
  messageTypes,
  severityNumbers,
} from '../../src/emulator/protocol/log-entry-types.ts';
import { plainShapeOf } from '../../src/emulator/write/plain-shape.ts';
import { violationsOf } from '../../src/emulator/protocol/schema-violation.ts';
import { canonicalEntry } from '../../src/emulator/store/stored-entry.ts';
import { randomNumbers } from '../../src/emulator/random-numbers.ts';
import { seedOfRun } from '../support/seed.ts';

type PackedField = { type: string; id: number; rule?: string; keyType?: string };
type Packed = {
  nested?: Record<string, Packed>;
  fields?: Record<string, PackedField>;
  oneofs?: Record<string, { oneof: string[] }>;
  values?: Record<string, number>;
};

const packedRoot = JSON.parse(
  readFileSync(
    join(
      createRequire(import.meta.url).resolve('@google-cloud/logging-api'),
      '../../protos/protos.json',
    ),
    'utf8',
  ),
) as Packed;

function packed(fullName: string): Packed {
  return fullName
    .split('.')
    .reduce<Packed>((scope, name) => scope.nested?.[name] ?? {}, packedRoot);
}

/** A packed field in the words of our table; names within a package may be written without it. */
function rowOf(field: PackedField, packageName: string): [string, number] {
  const sibling = packed(`${packageName}.${field.type}`);
  const isSibling = sibling.fields !== undefined || sibling.values !== undefined;
  const type = isSibling ? `${packageName}.${field.type}` : field.type;
  if (field.keyType !== undefined) return [`map<${field.keyType}, ${type}>`, field.id];
  return [field.rule === 'repeated' ? `repeated ${type}` : type, field.id];
}

describe('the table of types', () => {
  it.each(Object.entries(messageTypes))('equals what Google packs, for %s', (fullName, rows) => {
    const { fields = {}, oneofs } = packed(fullName);
    const packageName = fullName.slice(0, fullName.lastIndexOf('.'));
    const expected = Object.fromEntries(
      Object.entries(fields).map(([name, field]) => [name, rowOf(field, packageName)]),
    );
    const ours = Object.entries(rows.fields).map(([name, row]) => [jsonNameOf(name), row]);
    expect(Object.fromEntries(ours)).toEqual(expected);
    expect(
      rows.oneof && { [rows.oneof.name]: { oneof: rows.oneof.fields.map(jsonNameOf) } },
    ).toEqual(oneofs);
  });

  it('equals what Google packs, for the severities', () => {
    expect(severityNumbers).toEqual(packed('google.logging.type.LogSeverity').values);
  });
});

const oddValues: readonly JsonValue[] = [
  null,
  true,
  false,
  0,
  -0,
  1,
  1.5,
  -1,
  100,
  400,
  2 ** 31,
  2 ** 53,
  '',
  'x',
  '5',
  '-7',
  '1e3',
  '0x1',
  ' 1',
  'INFO',
  'info',
  'true',
  '3.5s',
  '-0.000000001s',
  '9999999999s',
  's',
  '1.1234567890s',
  '2024-03-05T14:07:21.104582937Z',
  '2024-03-05T14:07:21+25:00',
  '2024-02-29T23:59:59.1-23:59',
  '2023-02-29T00:00:00Z',
  '9999-12-31T23:59:59-00:01',
  '0000-01-01T00:00:00Z',
  [],
  ['x'],
  {},
  { a: 'b' },
  { a: 1 },
  { a: { b: [null, 1, 'x', { c: false }] } },
  { type: 'global' },
  { type: 'global', labels: { a: 'b' } },
  { labels: {} },
  { '@type': 'type.googleapis.com/google.protobuf.Empty' },
  { line: '5' },
  { line: 5, file: 'f' },
  { id: 'x', first: true },
  { latency: '1s', status: 200 },
  { index: 1, totalSplits: 2 },
  { unknown: 1 },
  { file: null },
  { '': '' },
];
const names = [
  'logName',
  'resource',
  'textPayload',
  'jsonPayload',
  'protoPayload',
  'timestamp',
  'severity',
  'insertId',
  'httpRequest',
  'labels',
  'operation',
  'trace',
  'spanId',
  'traceSampled',
  'sourceLocation',
  'split',
  'receiveTimestamp',
  'otel',
  'errorGroups',
  'text_payload',
  'insert_id',
  'unknown',
];

function isAcceptedByProtobuf(entry: JsonObject): boolean {
  try {
    fromJson(logEntrySchema, entry, { registry });
    return true;
  } catch {
    return false;
  }
}

describe('random entries', () => {
  const seed = seedOfRun();
  const random = randomNumbers(seed);
  const pick = <Value>(values: readonly Value[]) =>
    values[Math.floor(random() * values.length)] as Value;
  const entries = Array.from({ length: 20_000 }, () => {
    const entry: JsonObject = {};
    for (let count = Math.floor(random() * 4); count >= 0; count -= 1) {
      entry[pick(names)] = pick(oddValues);
    }
    return entry;
  });

  it(`that pass the quick check pass fromJson too (seed ${seed})`, () => {
    const isPlain = plainShapeOf(logEntrySchema);
    let plainCount = 0;
    for (const entry of entries) {
      if (!isPlain(entry)) continue;
      plainCount += 1;
      expect(isAcceptedByProtobuf(entry), JSON.stringify(entry)).toBe(true);
      expect(violationsOf(logEntrySchema, entry, ''), JSON.stringify(entry)).toEqual([]);
    }
    expect(plainCount).toBeGreaterThan(500);
  });

  it(`that fromJson refuses have a violation (seed ${seed})`, () => {
    let refusedCount = 0;
    for (const entry of entries) {
      if (isAcceptedByProtobuf(entry)) continue;
      refusedCount += 1;
      expect(violationsOf(logEntrySchema, entry, ''), JSON.stringify(entry)).not.toEqual([]);
    }
    expect(refusedCount).toBeGreaterThan(500);
  });

  it(`look the same copied and through the schema (seed ${seed})`, () => {
    for (const entry of entries) {
      if (violationsOf(logEntrySchema, entry, '').length > 0) continue;
      const quick = canonicalEntry(entry);
      const bySchema = canonicalEntry(entry, 'schema');
      // renderEntry() writes the time again and drops empty maps.
      for (const shown of [quick, bySchema]) {
        delete shown['timestamp'];
        for (const part of [shown, (shown['resource'] ?? {}) as JsonObject]) {
          if (JSON.stringify(part['labels']) === '{}') delete part['labels'];
        }
      }
      expect(JSON.parse(JSON.stringify(quick)), JSON.stringify(entry)).toEqual(
        JSON.parse(JSON.stringify(bySchema)),
      );
    }
  });
});
