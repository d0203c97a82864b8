import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { formatInstant } from '../../src/emulator/protocol/timestamp.ts';
import type { Loose } from './emulator-fixture.ts';
import { defaults, logName, openEmulator, resource } from './emulator-fixture.ts';

const day = 24 * 3600;
const fromNow = (seconds: number) =>
  formatInstant({ seconds: Math.floor(Date.now() / 1000) + seconds, nanos: 0 });
const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
const entryText = (members: string) => `{"logName":"${logName}","entries":[{${members}}]}`;
const partialErrors = 'type.googleapis.com/google.logging.v2.WriteLogEntriesPartialErrors';

describe('a body that does not fit the schema', () => {
  const bodies: readonly (readonly [what: string, body: string | Buffer, message: RegExp])[] = [
    [
      'an unknown field of an entry',
      entryText('"f1":1'),
      /^Invalid JSON payload received\. Unknown name "f1" at 'entries\[0\]': Cannot find field\.$/,
    ],
    ['an unknown field of the request', '{"f1":1}', /Unknown name "f1": Cannot find field\.$/],
    [
      'an unknown field of httpRequest',
      entryText('"httpRequest":{"f1":1}'),
      /Unknown name "f1" at 'entries\[0\]\.http_request'/,
    ],
    [
      'a number as text',
      entryText('"textPayload":5'),
      /^Invalid value at 'entries\[0\]\.text_payload' \(TYPE_STRING\), 5$/,
    ],
    [
      'a list as text',
      entryText('"textPayload":["a"]'),
      /Unknown name "textPayload" at 'entries\[0\]': Proto field is not repeating, cannot start list\./,
    ],
    ['a text as payload object', entryText('"jsonPayload":"a"'), /'entries\[0\]\.json_payload'/],
    [
      'an unknown severity',
      entryText('"severity":"WARN"'),
      /^Invalid value at 'entries\[0\]\.severity' \(type\.googleapis\.com\/google\.logging\.type\.LogSeverity\), "WARN"$/,
    ],
    ['a broken severity number', entryText('"severity":100.5'), /severity/],
    [
      'an int64 with a fraction',
      entryText('"sourceLocation":{"line":"1.5"}'),
      /^Invalid value at 'entries\[0\]\.source_location\.line' \(TYPE_INT64\), "1\.5"$/,
    ],
    [
      'an int64 out of range',
      entryText('"sourceLocation":{"line":"9223372036854775808"}'),
      /TYPE_INT64/,
    ],
    ['a hexadecimal int32', entryText('"httpRequest":{"status":"0x10"}'), /TYPE_INT32/],
    ['an int32 out of range', entryText('"httpRequest":{"status":2147483648}'), /TYPE_INT32/],
    ['a text as boolean', entryText('"traceSampled":"true"'), /TYPE_BOOL/],
    [
      'a label that is a number',
      entryText('"labels":{"a":"b","c":1}'),
      /^Invalid value at 'entries\[0\]\.labels\[1\]\.value' \(TYPE_STRING\), 1$/,
    ],
    ['30 February', entryText('"timestamp":"2024-02-30T00:00:00Z"'), /google\.protobuf\.Timestamp/],
    ['a time without zone', entryText('"timestamp":"2024-02-03T00:00:00"'), /Timestamp/],
    [
      'ten digits of fraction',
      entryText('"timestamp":"2024-02-03T00:00:00.1234567890Z"'),
      /Timestamp/,
    ],
    ['a duration with a tail', entryText('"httpRequest":{"latency":"3.5sX"}'), /Duration/],
    ['a duration without unit', entryText('"httpRequest":{"latency":"3.5"}'), /Duration/],
    [
      'two payloads',
      entryText('"textPayload":"a","jsonPayload":{}'),
      /oneof field 'payload' is already set\. Cannot set 'jsonPayload'/,
    ],
    ['one field under both names', entryText('"insertId":"a","insert_id":"b"'), /already set/],
    [
      'a repeated field',
      entryText('"insertId":"a","insertId":"a"'),
      /Repeated map key: 'insertId' is already set/,
    ],
    [
      'a repeated Struct key',
      entryText('"jsonPayload":{"x":{"k":1,"k":2}}'),
      /Unknown name "k" at 'entries\[0\]\.json_payload\.x': Repeated map key/,
    ],
    [
      'a repeated key, once escaped',
      entryText('"jsonPayload":{"k":1,"\\u006b":2}'),
      /Repeated map key/,
    ],
    ['a repeated label', entryText('"labels":{"a":"1","a":"1"}'), /Repeated map key/],
    ['a lone surrogate escape', entryText('"textPayload":"\\ud83d"'), /surrogate/],
    ['a lone low surrogate in a key', entryText('"jsonPayload":{"\\uDE00":1}'), /surrogate/],
    ['a number beyond double', entryText('"jsonPayload":{"a":1e400}'), /double/],
    [
      'a payload type nobody knows',
      entryText('"protoPayload":{"@type":"type.googleapis.com/acme.X"}'),
      /Any/,
    ],
    ['an entry that is null', '{"entries":[null]}', /entries\[0\]/],
    ['entries that are no list', '{"entries":{}}', /entries/],
    ['a body that is a list', '[]', /Root element must be a message/],
    ['101 levels', `{"entries":[{"jsonPayload":${nested(98)}}]}`, /Message too deep/],
    ['broken JSON', '{"entries":[', /^Invalid JSON payload received\./],
    ['a byte-order mark', '\uFEFF{}', /^Invalid JSON payload received\./],
    [
      'bytes that are not UTF-8',
      Buffer.from('{"entries":[{"textPayload":"\xff"}]}', 'latin1'),
      /UTF-8/,
    ],
  ];

  it.each(bodies)(
    'is refused whole for %s, whatever partialSuccess says',
    async (_what, body, message) => {
      const { post, emulator } = await openEmulator();
      const good = `{"logName":"${logName}","resource":{"type":"global"},"textPayload":"good"}`;
      const withGood = Buffer.from(
        Buffer.from(body)
          .toString('latin1')
          .replace('"entries":[{', `"partialSuccess":true,"entries":[{`)
          .replace(/\]\}$/, `,${good}]}`),
        'latin1',
      );
      for (const sent of [Buffer.from(body), withGood]) {
        const { status, json } = await post('/v2/entries:write', sent);
        expect(status).toBe(400);
        expect(json['error'].status).toBe('INVALID_ARGUMENT');
        expect(json['error'].message).toMatch(message);
        expect(JSON.stringify(json)).not.toContain('PartialErrors');
      }
      expect(emulator.stats().entries).toBe(0);
    },
  );

  it('names every violation, with google.rpc.BadRequest', async () => {
    const { write } = await openEmulator();
    const { json } = await write({ entries: [{ f1: 1 }, { severity: 'X', trace: 1 }] });
    const [detail] = json['error'].details;
    expect(detail['@type']).toBe('type.googleapis.com/google.rpc.BadRequest');
    expect(detail.fieldViolations.map((violation: Loose) => violation.field)).toEqual([
      'entries[0]',
      'entries[1].severity',
      'entries[1].trace',
    ]);
  });
});

describe('a good body', () => {
  const entries: readonly (readonly [what: string, entry: object, shown: object])[] = [
    ['text', { textPayload: 'a\u0000\u001b[0m"\\' }, { textPayload: 'a\u0000\u001b[0m"\\' }],
    ['empty text', { textPayload: '' }, { textPayload: '' }],
    [
      'an object',
      { jsonPayload: { a: [1, { b: null }], __proto__: 1, c: -1.5e300 } },
      { jsonPayload: { a: [1, { b: null }], c: -1.5e300 } },
    ],
    ['an empty object', { jsonPayload: {} }, { jsonPayload: {} }],
    ['a severity by name', { severity: 'WARNING' }, { severity: 'WARNING' }],
    ['a severity by number', { severity: 400 }, { severity: 'WARNING' }],
    ['a severity between names', { severity: 450 }, { severity: 450 }],
    ['a severity DEFAULT', { severity: 'DEFAULT' }, { severity: undefined }],
    [
      'snake_case names',
      { text_payload: 'a', insert_id: 'b', span_id: 'c' },
      { textPayload: 'a', insertId: 'b', spanId: 'c' },
    ],
    [
      'nulls',
      { textPayload: 'a', labels: null, trace: null, severity: null },
      { textPayload: 'a', trace: undefined, labels: undefined },
    ],
    [
      'int64 as number and as text',
      { httpRequest: { requestSize: 12, responseSize: '13' } },
      { httpRequest: { requestSize: '12', responseSize: '13' } },
    ],
    ['int32 as text', { httpRequest: { status: '200' } }, { httpRequest: { status: 200 } }],
    ['a latency', { httpRequest: { latency: '3.5s' } }, { httpRequest: { latency: '3.500s' } }],
    [
      'a false',
      { traceSampled: false, operation: { id: 'x', first: false } },
      { traceSampled: undefined, operation: { id: 'x' } },
    ],
    [
      'an offset',
      { timestamp: '2024-03-05T14:07:21.10458293+02:00' },
      { timestamp: '2024-03-05T12:07:21.104582930Z' },
    ],
    ['an old time', { timestamp: '1970-01-01T00:00:00Z' }, { timestamp: '1970-01-01T00:00:00Z' }],
    [
      'a time before 1970',
      { timestamp: '0001-01-01T00:00:00.001Z' },
      { timestamp: '0001-01-01T00:00:00.001Z' },
    ],
    ['a time of tomorrow', { timestamp: fromNow(day - 100) }, {}],
    [
      'a known payload type',
      { protoPayload: { '@type': 'type.googleapis.com/google.protobuf.Duration', value: '1s' } },
      { protoPayload: { '@type': 'type.googleapis.com/google.protobuf.Duration', value: '1s' } },
    ],
    [
      'members that the server clears',
      {
        textPayload: 'a',
        metadata: {},
        apphub: { x: 1 },
        receiveTimestamp: '2000-01-01T00:00:00Z',
      },
      { textPayload: 'a', metadata: undefined, apphub: undefined },
    ],
    [
      'a split',
      { split: { uid: 'u', index: 0, totalSplits: 2 } },
      { split: { uid: 'u', totalSplits: 2 } },
    ],
    [
      '255 KiB of text',
      { textPayload: 'x'.repeat(255 * 1024) },
      { textPayload: 'x'.repeat(255 * 1024) },
    ],
  ];

  it.each(entries)('with %s is stored and shown in canonical form', async (_what, entry, shown) => {
    const { write, stored } = await openEmulator();
    expect(await write({ entries: [entry] })).toEqual({ status: 200, json: {} });
    const [only, ...others] = await stored();
    expect(others).toEqual([]);
    expect(only).toMatchObject(JSON.parse(JSON.stringify(shown)));
    for (const [key, value] of Object.entries(shown)) {
      if (value === undefined) expect(only).not.toHaveProperty(key);
    }
    expect(Math.abs(Date.parse(only?.['receiveTimestamp']) - Date.now())).toBeLessThan(60_000);
  });

  it('keeps a payload key named __proto__', async () => {
    const { post, emulator } = await openEmulator();
    await post(
      '/v2/entries:write',
      `{"logName":"${logName}","resource":{"type":"global"},"entries":[{"jsonPayload":{"__proto__":{"a":1}}}]}`,
    );
    const text = await (await fetch(`${emulator.url}/emulator/entries`)).text();
    expect(text).toContain('"jsonPayload":{"__proto__":{"a":1}}');
  });

  it('may write a character as a pair of surrogate escapes', async () => {
    const { post, stored } = await openEmulator();
    const body = JSON.stringify({ ...defaults, entries: [{ textPayload: 'x' }] });
    await post('/v2/entries:write', body.replace('"x"', '"\\ud83d\\uDE00\\ud7ff"'));
    expect(await stored()).toMatchObject([{ textPayload: '😀\ud7ff' }]);
  });

  it('may be gzip, of many members too', async () => {
    const { post, emulator } = await openEmulator();
    const bytes = Buffer.from(JSON.stringify({ ...defaults, entries: [{ textPayload: 'a' }] }));
    const wire = Buffer.concat([gzipSync(bytes.subarray(0, 10)), gzipSync(bytes.subarray(10))]);
    const { status } = await post('/v2/entries:write', wire, { 'content-encoding': 'gzip' });
    expect(status).toBe(200);
    expect(emulator.stats()).toMatchObject({ requests: 1, entries: 1, bytes: wire.length });
  });

  it('that is empty is fine', async () => {
    const { post } = await openEmulator();
    expect(await post('/v2/entries:write', '')).toEqual({ status: 200, json: {} });
    expect(await post('/v2/entries:write', { entries: [] })).toEqual({ status: 200, json: {} });
  });
});

describe('request size', () => {
  const limit = 10_485_760;
  const bodyOf = (bytes: number) => Buffer.alloc(bytes, ' ').fill('{"entries":[]}', 0, 14);
  const tooLarge = 'Request payload size exceeds the limit: 10485760 bytes.';

  it('may reach the limit, plain and unpacked', async () => {
    const { post } = await openEmulator();
    expect((await post('/v2/entries:write', bodyOf(limit))).status).toBe(200);
    const packed = gzipSync(bodyOf(limit));
    expect((await post('/v2/entries:write', packed, { 'content-encoding': 'gzip' })).status).toBe(
      200,
    );
  });

  it('over the limit is a 400 with Google’s text, plain and unpacked', async () => {
    const { post } = await openEmulator();
    const packed = gzipSync(bodyOf(limit + 1));
    for (const answer of [
      await post('/v2/entries:write', bodyOf(limit + 1)),
      await post('/v2/entries:write', packed, { 'content-encoding': 'gzip' }),
    ]) {
      expect(answer.status).toBe(400);
      expect(answer.json['error'].message).toBe(tooLarge);
    }
  });

  it('refuses what is no gzip although it says so', async () => {
    const { post } = await openEmulator();
    const { status } = await post('/v2/entries:write', '{}', { 'content-encoding': 'gzip' });
    expect(status).toBe(400);
  });
});

describe('defaults of the request', () => {
  it('fill logName and resource whole, and merge labels by key with the entry’s winning', async () => {
    const { write, stored } = await openEmulator();
    const other = { type: 'k8s_node', labels: { node_name: 'n' } };
    await write({
      labels: { a: 'request', b: 'request' },
      entries: [
        { textPayload: '1', timestamp: '2024-01-01T00:00:01Z' },
        {
          textPayload: '2',
          timestamp: '2024-01-01T00:00:02Z',
          resource: other,
          labels: { b: 'entry', c: 'entry' },
          logName: 'projects/p2/logs/x%2Fy',
        },
      ],
    });
    expect(await stored()).toMatchObject([
      { textPayload: '1', logName, resource, labels: { a: 'request', b: 'request' } },
      {
        textPayload: '2',
        logName: 'projects/p2/logs/x%2Fy',
        resource: other,
        labels: { a: 'request', b: 'entry', c: 'entry' },
      },
    ]);
    expect((await stored())[1]?.['resource']).toEqual(other);
  });

  it('may be absent, but then each entry needs its own', async () => {
    const { post } = await openEmulator();
    const full = { logName, resource, textPayload: 'a' };
    expect((await post('/v2/entries:write', { entries: [full] })).status).toBe(200);
    for (const missing of ['logName', 'resource']) {
      const { status } = await post('/v2/entries:write', {
        entries: [{ ...full, [missing]: undefined }],
      });
      expect(status, missing).toBe(400);
    }
  });

  it('give entries without time and id the receive time and rising ids, in the order of the request', async () => {
    const { write, stored } = await openEmulator();
    const texts = Array.from({ length: 300 }, (_, index) => `line ${index}`);
    await write({ entries: texts.map((textPayload) => ({ textPayload })) });
    const entries = await stored();
    expect(entries.map((entry) => entry['textPayload'])).toEqual(texts);
    expect(new Set(entries.map((entry) => entry['insertId'])).size).toBe(texts.length);
    expect(entries[0]?.['insertId']).toMatch(/^[0-9a-z]{16}$/);
  });

  it('give entries of one time rising ids', async () => {
    const { write, stored } = await openEmulator();
    const timestamp = '2024-01-01T00:00:00Z';
    await write({ entries: ['a', 'b', 'c'].map((textPayload) => ({ textPayload, timestamp })) });
    expect((await stored()).map((entry) => entry['textPayload'])).toEqual(['a', 'b', 'c']);
  });
});

describe('an entry that may not be written', () => {
  const cases: readonly (readonly [what: string, entry: object, message: RegExp])[] = [
    [
      '293.1 KiB of text',
      { textPayload: 'x'.repeat(300_000) },
      /^Log entry with size 293\.\dK exceeds maximum size of 256\.0K$/,
    ],
    [
      'many small fields',
      {
        jsonPayload: Object.fromEntries(
          Array.from({ length: 16_000 }, (_, index) => [`k${index}`, index]),
        ),
      },
      /^Log entry with size \d+\.\dK exceeds/,
    ],
    [
      'a long list of digits',
      { jsonPayload: { a: Array.from({ length: 24_000 }, () => 1) } },
      /exceeds maximum size/,
    ],
    ['a time 24 h ahead', { timestamp: fromNow(day + 100) }, /24 hours/],
    [
      'a colon in the log’s name',
      { logName: 'projects/p/logs/a:b' },
      /^Log name contains illegal character :$/,
    ],
    [
      'a space in the log’s name',
      { logName: 'projects/p/logs/a%20b' },
      /^Log name contains illegal character {2}$/,
    ],
    ['a bare slash in the log’s name', { logName: 'projects/p/logs/a/b' }, /illegal character \//],
    [
      'a log’s name of 512 characters',
      { logName: `projects/p/logs/${'a'.repeat(512)}` },
      /longer than 511/,
    ],
    ['a log’s name without project', { logName: 'stdout' }, /form projects/],
    ['a resource without type', { resource: { labels: {} } }, /resource type/],
  ];

  it.each(cases)('for %s alone is a 400 without details', async (_what, entry, message) => {
    const { write, emulator } = await openEmulator();
    const { status, json } = await write({ partialSuccess: true, entries: [entry] });
    expect(status).toBe(400);
    expect(json['error']).toMatchObject({ code: 400, status: 'INVALID_ARGUMENT' });
    expect(json['error'].message).toMatch(message);
    expect(json['error']).not.toHaveProperty('details');
    expect(emulator.stats()).toMatchObject({ entries: 0, rejectedEntries: 1 });
  });

  it('leaves the others written with partialSuccess, and is named by its index', async () => {
    const { write, emulator, stored } = await openEmulator();
    const bad = cases.map(([, entry]) => entry);
    const entries = bad.flatMap((entry, index) => [{ textPayload: `good ${index}` }, entry]);
    const { status, json } = await write({ partialSuccess: true, entries });
    expect(status).toBe(400);
    const [partial, debug] = json['error'].details;
    expect(partial['@type']).toBe(partialErrors);
    expect(debug['@type']).toBe('type.googleapis.com/google.rpc.DebugInfo');
    const named = Object.entries<{ code: number; message: string }>(partial.logEntryErrors);
    expect(named.map(([index]) => Number(index))).toEqual(bad.map((_, index) => index * 2 + 1));
    for (const [at, [, { code, message }]] of named.entries()) {
      expect(code).toBe(3);
      expect(message).toMatch(cases[at]?.[2] ?? /never/);
    }
    expect(json['error'].message).toBe(named[0]?.[1].message);
    expect((await stored()).map((entry) => entry['textPayload'])).toEqual(
      bad.map((_, index) => `good ${index}`),
    );
    expect(emulator.stats()).toMatchObject({ entries: bad.length, rejectedEntries: bad.length });
  });

  it('keeps all from being written without partialSuccess', async () => {
    const { write, emulator } = await openEmulator();
    const { status, json } = await write({ entries: [{ textPayload: 'good' }, { logName: 'x' }] });
    expect(status).toBe(400);
    expect(JSON.stringify(json)).not.toContain(partialErrors);
    expect(json['error'].details[0].detail).toContain('key: 1');
    expect(emulator.stats()).toMatchObject({ entries: 0, distinctEntries: 0, rejectedEntries: 2 });
  });

  it('is found by a dry run too, which writes nothing', async () => {
    const { write, emulator } = await openEmulator();
    expect((await write({ dryRun: true, entries: [{ textPayload: 'a' }] })).status).toBe(200);
    expect((await write({ dryRun: true, entries: [{ logName: 'x' }] })).status).toBe(400);
    expect(emulator.stats()).toMatchObject({ entries: 0, rejectedEntries: 0 });
  });
});

describe('labels', () => {
  it('that are too long are cut with an ellipsis, not refused', async () => {
    const { write, stored } = await openEmulator();
    const long = 'ä'.repeat(40_000);
    expect(
      (await write({ entries: [{ labels: { [long.slice(0, 300)]: long, short: 'x' } }] })).status,
    ).toBe(200);
    const labels = Object.entries<string>((await stored())[0]?.['labels']);
    expect(labels[0]?.[0]).toMatch(/^ä+…$/);
    expect(Buffer.byteLength(labels[0]?.[0] ?? '')).toBeLessThanOrEqual(512);
    expect(labels[0]?.[1]).toMatch(/^ä+…$/);
    expect(Buffer.byteLength(labels[0]?.[1] ?? '')).toBeLessThanOrEqual(65_536);
    expect(labels[1]).toEqual(['short', 'x']);
  });
});

it('A request that names more than 1000 projects is refused', async () => {
  const { write } = await openEmulator();
  const entries = Array.from({ length: 1001 }, (_, index) => ({
    logName: `projects/p${index}/logs/a`,
  }));
  expect((await write({ entries })).status).toBe(400);
  expect((await write({ entries: entries.slice(1) })).status).toBe(200);
});
