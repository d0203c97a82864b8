// Reads those actions of a rule that look into records: drop, keep, parse, severity, time, redact
// and sample.

import { limits } from '../config.ts';
import { severityNames, type Severity } from '../log-severity.ts';
import { compileRe2 } from '../re2-pattern.ts';
import { readFieldPath } from './parse-fields.ts';
import {
  parseFormats,
  severityMapNames,
  timeFormats,
  valueTypes,
  type Condition,
  type ParseAction,
  type ParseFormat,
  type RedactAction,
  type SeverityAction,
  type SeverityMapName,
  type TimeAction,
  type ValueType,
} from './rule.ts';
import type { WrittenValue } from './written-value.ts';

/** Instructions that all patterns have compiled to so far. */
export type PatternSum = { steps: number };

/** A pattern that compiles. */
export function readPatternText(written: WrittenValue, patterns: PatternSum): string {
  const text = written.text('a regular expression of RE2');
  if (text === '') return text;
  if (text.length > limits.rulePatternCharactersMax) {
    written.note(`is longer than ${limits.rulePatternCharactersMax} characters`);
    return '';
  }
  const compiled = written.attempt(() => compileRe2(text));
  patterns.steps += compiled?.programSize() ?? 0;
  return compiled === undefined ? '' : text;
}

/** One condition or a list: a text, `{pattern, field, severity}`, or `{all: [conditions]}`. */
export function readConditions(written: WrittenValue, patterns: PatternSum): Condition[] {
  const items = written.items('a pattern, {field, pattern} or {severity}');
  return items.map((item) => {
    const isAll = item.isObject && Object.hasOwn(item.value as object, 'all');
    return isAll ? readAll(item, patterns) : readCondition(item, patterns);
  });
}

function readAll(written: WrittenValue, patterns: PatternSum): Condition {
  const { all } = written.fields(['all'] as const);
  const inner = all?.items('a list of conditions') ?? [];
  const none = { pattern: undefined, field: undefined, severities: undefined };
  return { ...none, all: inner.map((item) => readCondition(item, patterns)) };
}

function readCondition(written: WrittenValue, patterns: PatternSum): Condition {
  if (!written.isObject) {
    const pattern = readPatternText(written, patterns);
    return { pattern, field: undefined, severities: undefined };
  }
  const { pattern, field, severity } = written.fields(['pattern', 'field', 'severity'] as const);
  if (pattern === undefined && severity === undefined) {
    written.refuse('an object of pattern, or field and pattern, or severity');
  }
  return {
    pattern: pattern && readPatternText(pattern, patterns),
    field: field && readFieldPath(field),
    severities: severity && readSeverities(severity),
  };
}

const comparison = /^(<=?|>=?)\s*([A-Za-z]+)$/;

/** Severity names, or a range of them: `<WARNING`, `>=ERROR`. */
function readSeverities(written: WrittenValue): Severity[] {
  return written.items().flatMap((item) => {
    const text = item.text();
    const [, sign = '', name = text] = comparison.exec(text) ?? [];
    const severity = severityNamed(item, name);
    if (severity === undefined) return [];
    const limit = severityNames.indexOf(severity);
    return severityNames.filter((_, index) => {
      if (index === limit) return sign !== '<' && sign !== '>';
      return sign.startsWith('<') ? index < limit : sign.startsWith('>') && index > limit;
    });
  });
}

function severityNamed(written: WrittenValue, name: string): Severity | undefined {
  const severity = severityNames.find((known) => known === name.toUpperCase());
  if (severity === undefined) written.refuse(severityNames.join(', '));
  return severity;
}

const parseKeys = ['format', 'field', 'pattern', 'prefix', 'types', 'keepField'] as const;

/** A format, `{format, …}`, or `{FORMAT: …}`; the first in a list that matches is used. */
export function readParse(written: WrittenValue, patterns: PatternSum): ParseAction[] {
  const items = written.items(parseFormats.join(', '));
  return items.map((item) => readParser(item, patterns));
}

const noParser: ParseAction = {
  format: 'json',
  field: undefined,
  pattern: undefined,
  types: {},
  keepField: false,
};

function readParser(written: WrittenValue, patterns: PatternSum): ParseAction {
  if (!written.isObject) {
    const format = written.oneOf(parseFormats) ?? 'json';
    if (format === 'regex') written.refuse('{regex: PATTERN}');
    return { ...noParser, format };
  }
  const short = shortForm(written);
  if (short !== undefined) return readShort(short, patterns);
  const given = written.fields(parseKeys);
  const { format } = given;
  if (format === undefined) {
    written.refuse('an object with format');
    return noParser;
  }
  return readOptions(format.oneOf(parseFormats) ?? 'json', { ...given, written }, patterns);
}

type ShortForm = { readonly format: ParseFormat; readonly inner: WrittenValue };

/** `{regex: '…'}` or `{json: {field: log}}`. */
function shortForm(written: WrittenValue): ShortForm | undefined {
  const [name = '', ...others] = Object.keys(written.value as object);
  const format = parseFormats.find((known) => known === name);
  if (format === undefined || others.length > 0) return undefined;
  return { format, inner: written.child(name, (written.value as Record<string, unknown>)[name]) };
}

function readShort({ format, inner }: ShortForm, patterns: PatternSum): ParseAction {
  if (inner.isObject) {
    const given = inner.fields(parseKeys.filter((key) => key !== 'format'));
    return readOptions(format, { ...given, written: inner }, patterns);
  }
  if (format === 'regex') {
    return readOptions(format, { pattern: inner, written: inner }, patterns);
  }
  return readOptions(format, { field: inner, written: inner }, patterns);
}

type ParseGiven = Partial<Record<(typeof parseKeys)[number], WrittenValue>> & {
  readonly written: WrittenValue;
};

function readOptions(format: ParseFormat, given: ParseGiven, patterns: PatternSum): ParseAction {
  const { written, field, pattern, prefix, types, keepField } = given;
  if (format === 'regex' && pattern === undefined) written.refuse('an object with pattern');
  if (format !== 'regex') pattern?.note('is for regex only');
  if (format !== 'json') prefix?.note('is for json only');
  const search = format === 'regex' ? pattern : prefix;
  const text = search && readPatternText(search, patterns);
  if (format === 'regex' && search !== undefined && text !== undefined) noteNameless(search, text);
  return {
    format,
    field: field && readFieldPath(field),
    pattern: text,
    types: readTypes(types),
    keepField: keepField?.boolean() ?? false,
  };
}

function noteNameless(written: WrittenValue, pattern: string): void {
  const names = written.attempt(() => compileRe2(pattern).namedGroups()) ?? {};
  if (pattern !== '' && Object.keys(names).length === 0) {
    written.refuse('a regular expression with groups that have names: (?<name>…)');
  }
}

function readTypes(written: WrittenValue | undefined): Record<string, ValueType> {
  const members = written?.members('an object of field: type') ?? [];
  return Object.fromEntries(
    members.map(([name, type]) => [name, type.oneOf(valueTypes) ?? 'string']),
  );
}

/** `{from, map}`, or a field. */
export function readSeverity(written: WrittenValue): SeverityAction {
  if (!written.isObject) return { from: readFieldPath(written), map: undefined };
  const { from, map } = written.fields(['from', 'map'] as const);
  if (from === undefined) written.refuse('an object of from and map');
  return { from: from ? readFieldPath(from) : '', map: map && readSeverityMap(map) };
}

function readSeverityMap(
  written: WrittenValue,
): SeverityMapName | Readonly<Record<string, Severity>> | undefined {
  if (!written.isObject) return written.oneOf(severityMapNames);
  const members = written.members('a map of severities');
  if (members.length > limits.ruleListMax) written.note(`is longer than ${limits.ruleListMax}`);
  return Object.fromEntries(
    members.map(([key, value]) => [key, severityNamed(value, value.text()) ?? 'DEFAULT']),
  );
}

const directives = 'YmbBdeHIMSyjzZTFDRpsLNfaAhCn%t';

/** `{from, format, zone}`, or a field. */
export function readTime(written: WrittenValue): TimeAction {
  if (!written.isObject) {
    return { from: readFieldPath(written), format: 'rfc3339', offsetMinutes: 0 };
  }
  const { from, format, zone } = written.fields(['from', 'format', 'zone'] as const);
  if (from === undefined) written.refuse('an object of from and format');
  return {
    from: from ? readFieldPath(from) : '',
    format: format === undefined ? 'rfc3339' : readTimeFormat(format),
    offsetMinutes: zone === undefined ? 0 : readZone(zone),
  };
}

function readTimeFormat(written: WrittenValue): string {
  const text = written.text();
  if (text.includes('%') && text.length <= limits.ruleTimeFormatCharactersMax) {
    for (const [directive, letter = ''] of text.matchAll(/%[-0_^]?\d?(.?)/g)) {
      if (letter === '' || !directives.includes(letter)) {
        written.note(`has ${directive}, which is not understood`);
      }
    }
    return text;
  }
  return written.oneOf(timeFormats) ?? 'rfc3339';
}

/** `Z`, `UTC` or `+02:00`, in minutes. */
function readZone(written: WrittenValue): number {
  const text = written.text();
  if (text === 'Z' || text === 'UTC') return 0;
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(text) ?? [];
  const offset = Number(hours) * 60 + Number(minutes);
  if (!(offset <= 14 * 60)) {
    written.refuse('UTC, or an offset such as +02:00');
    return 0;
  }
  return sign === '-' ? -offset : offset;
}

/** A pattern, or `{pattern, with}`. */
export function readRedact(written: WrittenValue, patterns: PatternSum): RedactAction[] {
  const items = written.items('an object of pattern and with');
  return items.map((item) => {
    if (!item.isObject) return checkRedact(item, readPatternText(item, patterns));
    const given = item.fields(['pattern', 'with'] as const);
    if (given.pattern === undefined) {
      item.refuse('an object of pattern and with');
      return { pattern: '', with: '' };
    }
    const pattern = readPatternText(given.pattern, patterns);
    return checkRedact(given.pattern, pattern, given.with);
  });
}

function checkRedact(written: WrittenValue, pattern: string, text?: WrittenValue): RedactAction {
  if (pattern !== '') {
    written.attempt(() => {
      const matchesNothing = compileRe2(pattern).test('');
      if (matchesNothing) throw new RangeError('a pattern that matches no empty text');
    });
  }
  const replacement = text?.anyText() ?? '[REDACTED]';
  if (replacement.length > limits.ruleReplacementCharactersMax) {
    text?.note(`is longer than ${limits.ruleReplacementCharactersMax} characters`);
  }
  return { pattern, with: replacement.toWellFormed() };
}

/** A share of all records, or `{SEVERITY: share}`. */
export function readSample(written: WrittenValue): number[] {
  if (!written.isObject) {
    const share = readShare(written);
    return severityNames.map(() => share);
  }
  const shares = severityNames.map(() => 1);
  for (const [name, value] of written.members('an object of SEVERITY: share')) {
    const index = severityNames.findIndex((known) => known === name.toUpperCase());
    if (index >= 0) shares[index] = readShare(value);
    else value.note(`is no severity; allowed is ${severityNames.join(', ')}`);
  }
  return shares;
}

const sharePattern = /^(?:[01]|[01]?\.\d{1,9})$/;

/** Only numbers count: `false` or an empty text would become a share of 0. */
function readShare(written: WrittenValue): number {
  const { value } = written;
  const isText = typeof value === 'string' && sharePattern.test(value);
  const share = isText || typeof value === 'number' ? Number(value) : Number.NaN;
  if (share >= 0 && share <= 1) return share;
  written.refuse('a share from 0 to 1');
  return 1;
}
