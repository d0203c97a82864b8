import { describe, expect, test } from 'vitest';

import { context, encode, encodeWith, insertId, lineTime } from './strict-entry.ts';

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

describe('the payload', () => {
  test.each([
    ['{"message":"m"}', 'm'],
    ['{"message":""}', ''],
    [' {"message":"a\\u00e9\\/\\n\\u2028\\"\\u0001\\ud83d\\ude00"}\t', 'aé/\n\u2028"\u0001😀'],
    ['{"severity":"INFO","message":"m","time":"2024-03-01T09:30:15.25Z"}', 'm'],
    ['{"message":"first","message":"second"}', 'second'],
    ['{"m\\u0065ssage":"m"}', 'm'],
  ])('%s is text', (line, text) => {
    const entry = encode(line);
    expect(entry['textPayload']).toBe(text);
    expect(entry['jsonPayload']).toBeUndefined();
  });

  test.each([
    '{}',
    '{"message":1}',
    '{"message":null}',
    '{"message":{"a":1}}',
    '{"message":["m"]}',
    '{"Message":"m"}',
    '{"msg":"m"}',
    '{"log":"m"}',
    '{"message":"m","stream":"stderr"}',
    '{"message":"m","timestamp":"2024-03-01T09:30:15Z"}',
    '{"message":"m","level":"info"}',
    '{"a":{"message":"m","severity":"ERROR"}}',
  ])('%s is an object', (line) => {
    const entry = encode(line);
    expect(entry['jsonPayload']).toEqual(JSON.parse(line));
    expect(entry['textPayload']).toBeUndefined();
    expect(entry['logName']).toBe('projects/p/logs/stdout');
  });

  test.each([
    '',
    ' ',
    'plain',
    '12.5',
    '"quoted"',
    'true',
    'null',
    '[{"a":1}]',
    '{"message":"m",}',
    '{"message":"m"} trailing',
    '{"a":1}{"b":2}',
    "{'a':1}",
    '{"a":NaN}',
    '{"a":01}',
    '{"a":.5}',
    '{"a":1.}',
    '{"a":+1}',
    '{"a":"\t"}',
    '{"a":"\\x41"}',
    '{"a":"\\u12"}',
    '{"a":1/*c*/}',
    '\ufeff{"a":1}',
    '\u00a0{"a":1}',
    '{"a":tru}',
    '{a:1}',
    '{"a"}',
    '{',
    'notJSON{"a":1}',
    '\u0001\u0002\u0007\b\u001f\u007f\u2028z',
  ])('%j is text as written', (line) => {
    const entry = encode(line, { stream: 'stderr' });
    expect(entry['textPayload']).toBe(line);
    expect(entry['jsonPayload']).toBeUndefined();
    expect(entry['severity']).toBe('ERROR');
  });

  test('keeps keys that JavaScript knows', () => {
    const line = '{"__proto__":{"x":1},"constructor":"c","hasOwnProperty":0,"message":"m"}';
    expect(JSON.stringify(encode(line)['jsonPayload'])).toBe(line);
  });

  test('replaces bytes that are no UTF-8, one U+FFFD for each maximal part', () => {
    const bytes = (text: string) => Buffer.from(text, 'latin1');
    expect(encode(bytes('ab\xffcd'))['textPayload']).toBe('ab\ufffdcd');
    expect(encode(bytes('\xe2\x82|\xf0\x9f\x98|\xc0\x80|\xed\xa0\x80'))['textPayload']).toBe(
      '\ufffd|\ufffd|\ufffd\ufffd|\ufffd\ufffd\ufffd',
    );
    expect(encode(bytes('{"a\xff":"\xfe"}'))['jsonPayload']).toEqual({ 'a\ufffd': '\ufffd' });
    expect(encode(bytes('\xef\xbb\xbfx'))['textPayload']).toBe('\ufeffx');
  });
});

describe('time', () => {
  const used = (fields: Record<string, unknown>, timestamp: string) =>
    expectFields(fields, { timestamp });
  const ignored = (fields: Record<string, unknown>) =>
    expectFields(fields, { jsonPayload: { ...fields, ...left } });
  const dropped = (fields: Record<string, unknown>) => expectFields(fields, {});

  test.each([
    '2024-03-01T09:30:15.25Z',
    '2024-03-01T09:30:15Z',
    '2024-02-29T23:59:59-03:30',
    '1970-01-01T00:00:00Z',
    '0001-01-01T00:00:00Z',
    '2024-03-06T14:07:21.104582937Z',
  ])('a time of %s is used', (time) => {
    used({ time }, time);
  });

  test('lower case letters and long fractions of RFC 3339 become what protobuf reads', () => {
    used({ time: '2024-03-01t09:30:15z' }, '2024-03-01T09:30:15Z');
    used({ time: '2024-03-01T09:30:15.1234567899Z' }, '2024-03-01T09:30:15.123456789Z');
  });

  test.each([
    '2024-03-01T09:30:15',
    '2024-03-01 09:30:15Z',
    '2024-03-01',
    'now',
    '',
    '2024-02-30T00:00:00Z',
    '2024-03-01T25:61:00Z',
    '2024-03-01T09:30:60Z',
    '0000-12-31T00:00:00Z',
    1709285415,
    '1709285415',
    null,
    true,
    { seconds: 1, nanos: 1 },
  ])('a time of %j stays', (time) => {
    ignored({ time });
  });

  test.each([
    [{ seconds: 1709285415, nanos: 1 }, '2024-03-01T09:30:15.000000001Z'],
    [{ seconds: '1709285415', nanos: '250000000' }, '2024-03-01T09:30:15.25Z'],
    [{ seconds: 0, nanos: 0, zone: 'x' }, '1970-01-01T00:00:00Z'],
    [{ seconds: -1, nanos: 5e8 }, '1969-12-31T23:59:59.5Z'],
    [{ seconds: 1709285415.9, nanos: 0 }, '2024-03-01T09:30:15Z'],
  ])('the timestamp %j is used', (timestamp, wanted) => {
    used({ timestamp }, wanted);
    used({ timestampSeconds: timestamp.seconds, timestampNanos: timestamp.nanos }, wanted);
  });

  test.each([
    { seconds: 'soon', nanos: true },
    { seconds: 1709285415, nanos: 1e9 },
    { seconds: 1709285415, nanos: -1 },
    { seconds: 1e300, nanos: 0 },
    { seconds: 253402300800, nanos: 0 },
    { seconds: null, nanos: 0 },
    { seconds: '', nanos: 0 },
    { seconds: '12x', nanos: 0 },
    { seconds: {}, nanos: [] },
  ])('the unusable timestamp %j is dropped', (timestamp) => {
    dropped({ timestamp });
    dropped({ timestampSeconds: timestamp.seconds, timestampNanos: timestamp.nanos });
  });

  test('what is incomplete stays', () => {
    ignored({ timestamp: { nanos: 12345 } });
    ignored({ timestamp: { seconds: 12345 } });
    ignored({ timestamp: {} });
    ignored({ timestamp: '2024-03-01T09:30:15Z' });
    ignored({ timestamp: 1709285415 });
    ignored({ timestamp: null });
    ignored({ timestampSeconds: 5 });
    ignored({ timestampNanos: 5 });
  });

  test('the object wins over the pair, the pair over time, and the losers stay', () => {
    const timestamp = { seconds: 1709285415, nanos: 25e7 };
    const pair = { timestampSeconds: 5, timestampNanos: 6 };
    const time = '2024-03-01T00:00:00Z';
    expectFields(
      { timestamp, ...pair, time },
      { timestamp: '2024-03-01T09:30:15.25Z', jsonPayload: { ...pair, time, ...left } },
    );
    expectFields(
      { ...pair, time },
      { timestamp: '1970-01-01T00:00:05.000000006Z', jsonPayload: { time, ...left } },
    );
    expectFields(
      { timestamp: { seconds: 1 }, time },
      { timestamp: time, jsonPayload: { timestamp: { seconds: 1 }, ...left } },
    );
  });

  test('more than a day ahead of the line it becomes a label', () => {
    for (const time of ['2024-03-06T14:07:21.104582938Z', '9999-12-31T23:59:59Z']) {
      expectFields(
        { time },
        { labels: { 'k8s-pod/app': 'web', 'tailship.dev/original-time': time } },
      );
    }
    expectFields(
      { timestamp: { seconds: 253402300799, nanos: 0 } },
      { labels: { 'k8s-pod/app': 'web', 'tailship.dev/original-time': '9999-12-31T23:59:59Z' } },
    );
  });
});

describe('the ids', () => {
  test.each([
    ['order-991-a', 'order-991-a'],
    ['"é', '"é'],
    ['', insertId],
    [7, insertId],
    [null, insertId],
    [{ a: 1 }, insertId],
  ])('an insertId of %j makes %j', (value, wanted) => {
    expectFields({ [api('insertId')]: value }, { insertId: wanted });
  });

  const hex = '9c1f0a5e77b24d3390d1e6aa5c0f4B12';
  test.each([
    [hex, `projects/acme/traces/${hex}`],
    [`projects/other/traces/${hex}`, `projects/other/traces/${hex}`],
    ['t-777', 't-777'],
    [hex.slice(1), hex.slice(1)],
    [`${hex}0`, `${hex}0`],
    ['', undefined],
    [7, undefined],
    [null, undefined],
    [[hex], undefined],
  ])('a trace of %j makes %j', (value, trace) => {
    expectFields({ [api('trace')]: value }, trace === undefined ? {} : { trace });
  });

  test('a trace stays bare without a project to put before it', () => {
    const bare = { resource: '', logName: { stdout: '', stderr: '' }, labels: '' };
    const line = JSON.stringify({ [api('trace')]: hex });
    expect(encode(line, {}, { ...context, ...bare, traceParent: undefined })).toEqual({
      jsonPayload: {},
      timestamp: lineTime,
      severity: 'INFO',
      insertId,
      trace: hex,
    });
  });

  test.each([
    ['00000000000000c7', '00000000000000c7'],
    ['any shape', 'any shape'],
    ['', undefined],
    [5, undefined],
    [null, undefined],
  ])('a spanId of %j makes %j', (value, spanId) => {
    expectFields({ [api('spanId')]: value }, spanId === undefined ? {} : { spanId });
  });

  test.each([
    [true, true],
    ['true', true],
    [1, true],
    [false, false],
    ['false', false],
    ['yes', false],
    [0, false],
    [null, false],
    [{}, false],
  ])('trace_sampled %j is %j', (value, traceSampled) => {
    expectFields({ [api('trace_sampled')]: value }, traceSampled ? { traceSampled } : {});
  });
});

describe('fields that are messages', () => {
  const names: ReadonlyArray<readonly [key: string, field: string]> = [
    ['httpRequest', 'httpRequest'],
    [api('operation'), 'operation'],
    [api('sourceLocation'), 'sourceLocation'],
  ];

  test.each(names)('%s that is no object stays, null and {} go', (key) => {
    for (const value of ['x', 5, true, [{ status: 200 }], [{ id: 'i' }]]) {
      expectFields({ [key]: value }, { jsonPayload: { [key]: value, ...left } });
    }
    expectFields({ [key]: null }, {});
    expectFields({ [key]: {} }, {});
  });

  test.each(names)('parts that %s does not know stay under it', (key, field) => {
    const known =
      field === 'operation'
        ? { id: 'i' }
        : field === 'httpRequest'
          ? { status: 200 }
          : { file: 'f' };
    const rest = { color: 'red', deep: { a: [1] }, constructor: 1 };
    expectFields(
      { [key]: { ...known, ...rest } },
      { [field]: known, jsonPayload: { [key]: rest, ...left } },
    );
    expectFields({ [key]: rest }, { jsonPayload: { [key]: rest, ...left } });
  });

  test.each([
    [
      { id: 'i', producer: 'p', first: true, last: false },
      { id: 'i', producer: 'p', first: true, last: false },
    ],
    [
      { id: 'i', first: 'true', last: 'false' },
      { id: 'i', first: true, last: false },
    ],
    [{ id: 123, producer: true, first: 'maybe', last: 9 }, undefined],
    [{ id: null, first: null }, undefined],
  ])('the operation %j becomes %j', (value, operation) => {
    expectFields({ [api('operation')]: value }, operation === undefined ? {} : { operation });
  });

  test.each([
    [
      { file: 'pay.go', line: 142, function: 'main.Pay' },
      { file: 'pay.go', line: '142', function: 'main.Pay' },
    ],
    [
      { file: 'a', line: '0142' },
      { file: 'a', line: '142' },
    ],
    [{ line: '9223372036854775807' }, { line: '9223372036854775807' }],
    [{ file: 'a', line: '9223372036854775808' }, { file: 'a' }],
    [
      { file: 'a.py', line: 'top', function: 'f' },
      { file: 'a.py', function: 'f' },
    ],
    [{ file: 'a', line: 1.5 }, { file: 'a' }],
    [{ file: 1, line: -0, function: null }, { line: '0' }],
  ])('the sourceLocation %j becomes %j', (value, sourceLocation) => {
    expectFields({ [api('sourceLocation')]: value }, { sourceLocation });
  });

  test('integers keep the digits that a double would lose', () => {
    const line =
      '{"httpRequest":{"requestSize":9223372036854775807,"responseSize":1e3,"status":2.0e2}}';
    const httpRequest = { requestSize: '9223372036854775807', responseSize: '1000', status: 200 };
    expect(encode(line)['httpRequest']).toEqual(httpRequest);
  });

  test('every part of httpRequest is read', () => {
    const httpRequest = {
      requestMethod: 'POST',
      requestUrl: 'https://shop.example/cart?id=7',
      requestSize: '512',
      status: 201,
      responseSize: '87',
      userAgent: 'curl/8.5',
      remoteIp: '203.0.113.7:41000',
      serverIp: '10.4.0.9',
      referer: 'https://shop.example/',
      latency: '0.250s',
      cacheLookup: true,
      cacheHit: false,
      cacheValidatedWithOriginServer: true,
      cacheFillBytes: '4096',
      protocol: 'HTTP/2',
    };
    expectFields({ httpRequest }, { httpRequest });
    const written = { ...httpRequest, requestSize: 512, status: '201', cacheHit: 'false' };
    expectFields({ httpRequest: written }, { httpRequest });
  });

  test.each([
    [{ status: 2147483648 }],
    [{ status: '200 OK' }],
    [{ status: 200.5 }],
    [{ status: true }],
    [{ status: '' }],
    [{ requestSize: '99999999999999999999' }],
    [{ requestSize: 1e300 }],
    [{ requestSize: '1e3' }],
    [{ requestUrl: 5 }],
    [{ referer: null }],
    [{ cacheHit: 1 }],
    [{ cacheHit: 'yes' }],
    [{ userAgent: { a: 1 } }],
  ])('%j is left out', (wrong) => {
    const httpRequest = { requestMethod: 'GET' };
    expectFields({ httpRequest: { ...httpRequest, ...wrong } }, { httpRequest });
  });

  test.each<readonly [latency: unknown, wanted: string | undefined]>([
    ['1.250 s', '1.250s'],
    [' \t3 s ', '3s'],
    ['007s', '7s'],
    ['0.1234567891s', '0.123456789s'],
    ['315576000000s', '315576000000s'],
    ...[
      '',
      ' ',
      'none',
      '77',
      '2.5 seconds',
      ' 6 s ec ',
      '3min',
      '-2s',
      '.5s',
      '1.s',
      '1,5s',
      '1 .5s',
    ].map((latency) => [latency, undefined] as const),
    ['315576000001s', undefined],
    ['315576000000.1s', undefined],
    [`${'9'.repeat(1000)}s`, undefined],
    [3, undefined],
    [null, undefined],
  ])('a latency of %j is %j', (latency, wanted) => {
    const httpRequest = { status: 200, ...(wanted === undefined ? {} : { latency: wanted }) };
    expectFields({ httpRequest: { status: 200, latency } }, { httpRequest });
  });

  test('names of other agents are plain members', () => {
    const fields = { [api('severity')]: 'ERROR', [api('httpRequest')]: { status: 500 } };
    expectFields(fields, { jsonPayload: { ...fields, ...left } });
  });
});
