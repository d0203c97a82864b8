// Each action of the rules on each kind of record: a text, an object, lines that are joined to a
// stack trace, lines that the runtime cut, and a text that becomes several entries.

import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

import { parseRules } from '../../src/rules/parse-rules.ts';
import { compileRules } from '../../src/rules/resolve-rules.ts';
import { drainHere, openFiles, plainSource } from '../encode/drain-bench.ts';
import { expectStrict } from '../encode/strict-entry.ts';

const names = { namespace: 'shop', pod: 'web-0', container: 'app', labels: {}, annotations: {} };
const text = 'java.lang.Error: key=abc';
const frame = '\tat a.B.c(B.java:1)';
const tail = ` ${'x'.repeat(300_000)}`;
const eventTime = '2024-03-05T14:07:20Z';

function line(content: string, tag = 'F'): string {
  return `2024-03-05T14:07:21Z stdout ${tag} ${content}\n`;
}

type Kind = {
  readonly content: string;
  /** What the field says. */
  readonly whole: string;
  readonly field: string;
  readonly isSplit?: true;
};

const kinds: Readonly<Record<string, Kind>> = {
  text: { content: line(text), whole: text, field: 'message' },
  JSON: {
    content: line(JSON.stringify({ msg: text, n: 1, t: eventTime })),
    whole: text,
    field: 'msg',
  },
  joined: { content: line(text) + line(frame), whole: `${text}\n${frame}`, field: 'message' },
  cut: { content: line('java.lang', 'P') + line('.Error: key=abc'), whole: text, field: 'message' },
  split: { content: line(text + tail), whole: text + tail, field: 'message', isSplit: true },
};

type ReadEntry = {
  readonly textPayload?: string;
  readonly jsonPayload?: Readonly<Record<string, unknown>>;
  readonly severity?: string;
  readonly timestamp: string;
  readonly labels?: Readonly<Record<string, string>>;
};

function drain(rule: string, { content }: Kind) {
  const { rules, problems } = parseRules([parse(rule)]);
  expect(problems).toEqual([]);
  const { steps, firstLine } = compileRules(rules)(names);
  const files = openFiles([content + line('end')]);
  const recordRule = { redact: [], shares: undefined, steps, ...(firstLine && { firstLine }) };
  const source = { ...plainSource, joinStackTraces: true, recordRule, segments: files.segments() };
  const { result, entries } = drainHere([source]);
  files.close();
  for (const entry of entries) expectStrict(entry);
  const list = entries.map((entry) => JSON.parse(entry) as ReadEntry);
  const [counts] = result.sources[0]?.rules ?? [];
  const own = list.filter(({ textPayload, jsonPayload }) => {
    return textPayload !== 'end' && jsonPayload?.['message'] !== 'end';
  });
  return { own, misses: counts?.misses ?? 0, dropped: counts?.dropped ?? 0 };
}

/** What was read of the record: its text in one piece, or its object. */
function payloadOf(own: readonly ReadEntry[]): unknown {
  if (own[0]?.jsonPayload !== undefined) return own[0].jsonPayload;
  return own.map(({ textPayload }) => textPayload).join('');
}

/** The payload without rules. */
function plainOf({ field, whole }: Kind): unknown {
  return field === 'msg' ? { msg: text, n: 1, t: eventTime } : whole;
}

describe.each(Object.entries(kinds))('of a record that is %s', (_name, kind) => {
  const { field, whole } = kind;
  const isObject = field === 'msg';
  const isSplit = kind.isSplit === true;

  test.each([
    ['a text', "drop: 'key=abc'"],
    ['a field', `drop: { field: ${field}, pattern: 'key=abc' }`],
    ['a severity', 'drop: [{ severity: INFO }, { severity: ERROR }]'],
    ['all of these', `drop: { all: [java, { field: ${field}, pattern: 'abc' }] }`],
    ['what is not kept', "keep: '^end$'"],
    ['what is not in a share', 'sample: 0'],
  ])('drop takes out %s', (_, rule) => {
    const { own, dropped } = drain(`{ ${rule} }`, kind);
    expect(own).toEqual([]);
    expect(dropped).toBeGreaterThan(0);
  });

  test.each(["keep: ['key=abc', '^end$']", "drop: 'key=x'", 'sample: 1'])(
    '%s leaves it',
    (rule) => {
      const { own, dropped } = drain(`{ ${rule} }`, kind);
      expect(payloadOf(own)).toEqual(plainOf(kind));
      expect(dropped).toBe(0);
      expect(own.length > 1).toBe(isSplit);
    },
  );

  test('parse takes its parts out of a field; a text over 64 KiB is a miss', () => {
    const rule = `{ parse: { regex: { pattern: '(?s)^(?<a>[\\w.]+): (?<b>.*)$', field: ${field} } } }`;
    const { own, misses } = drain(rule, kind);
    const parsed = { a: 'java.lang.Error', b: whole.slice('java.lang.Error: '.length) };
    const rest = isObject ? { n: 1, t: eventTime } : {};
    expect(payloadOf(own)).toEqual(isSplit ? plainOf(kind) : { ...rest, ...parsed });
    // The line at the end is one, too.
    expect(misses).toBe(isSplit ? 2 : 1);
  });

  test('severity is that of a field; a text over 64 characters is a miss', () => {
    const { own, misses } = drain(`{ severity: { from: ${field}, map: { '*': ALERT } } }`, kind);
    for (const { severity } of own) expect(severity).toBe(isSplit ? 'INFO' : 'ALERT');
    expect(payloadOf(own)).toEqual(isObject ? { n: 1, t: eventTime } : plainOf(kind));
    // An object's field is missed in the line at the end.
    expect(misses).toBe(Number(isSplit || isObject));
  });

  test('time is that of a field, where there is one', () => {
    const { own, misses } = drain('{ time: { from: t } }', kind);
    for (const { timestamp } of own) {
      expect(timestamp).toBe(isObject ? eventTime : '2024-03-05T14:07:21Z');
    }
    expect(payloadOf(own)).toEqual(isObject ? { msg: text, n: 1 } : plainOf(kind));
    expect(misses).toBe(isObject ? 1 : 2);
  });

  test('message is that of a field, where there is one', () => {
    const { own, misses } = drain('{ message: msg }', kind);
    const shaped = { message: text, n: 1, t: eventTime };
    expect(payloadOf(own)).toEqual(isObject ? shaped : plainOf(kind));
    expect(misses).toBe(isObject ? 1 : 2);
  });

  test('rename, remove and set change fields, and make an object of a text', () => {
    const { own, misses } = drain(
      '{ rename: { msg: m }, remove: [t, none], set: { a.b: 1 } }',
      kind,
    );
    const rest = isObject ? { m: text, n: 1 } : { message: whole };
    const payload = payloadOf(own) as Record<string, unknown>;
    expect(own).toHaveLength(1);
    expect(misses).toBe(0);
    if (!isSplit) expect(payload).toEqual({ ...rest, a: { b: 1 } });
    else {
      // The longest string of an object over 256 KB is shortened.
      expect(payload['a']).toEqual({ b: 1 });
      expect(String(payload['message']).slice(0, 100_000)).toBe(whole.slice(0, 100_000));
    }
  });

  test('redact hides what it matches, and nothing else', () => {
    const { own } = drain("{ redact: { pattern: 'key=(\\w)\\w+', with: 'key=$1*' } }", kind);
    const hidden = (written: string) => written.replace('key=abc', 'key=a*');
    const plain = plainOf(kind);
    const expected = typeof plain === 'string' ? hidden(plain) : { ...plain!, msg: hidden(text) };
    expect(payloadOf(own)).toEqual(expected);
  });

  test('labels of one stream are those of each of its entries', () => {
    const { own } = drain('{ match: { stream: stdout }, labels: { team: core } }', kind);
    expect(payloadOf(own)).toEqual(plainOf(kind));
    const added = { team: 'core', 'k8s-pod/app': 'web' };
    for (const { labels } of own) expect(labels).toMatchObject(added);
    expect(drain('{ match: { stream: stderr }, labels: { team: core } }', kind).own).not.toEqual(
      own,
    );
  });

  test('firstLine joins the lines that follow it', () => {
    const pattern = isObject ? '^[{]' : '^java';
    const { own } = drain(`{ firstLine: '${pattern}' }`, kind);
    const first = isObject ? JSON.stringify(plainOf(kind)) : whole;
    // A record over 256 KB is not joined.
    expect(payloadOf(own)).toEqual(isSplit ? whole : `${first}\nend`);
  });
});
