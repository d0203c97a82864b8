// From the text (or YAML value) that a user wrote to the value of an option. A value that is not
// allowed becomes CONFIG_INVALID naming where it was written, what it was and what is allowed.

import { resolve } from 'node:path';
import { byteUnits } from '../byte-units.ts';
import { globText, parseGlob, parseRate, rateText } from '../container-glob.ts';
import { type HostPort, type OptionRow, templateNames } from './option-row.ts';
import { type AgentError, configError } from '../errors.ts';
import { outputText, parseOutput } from '../output-target.ts';
import { isProjectId, projectIdText } from '../project-id.ts';
import { nodeFileText, parseNodeFile } from '../node-file.ts';
import { parseRedaction, parseSample, redactionText, sampleText } from '../record-rule.ts';

export type OptionValue = string | number | boolean | readonly string[] | HostPort | undefined;

/** Is added to the endpoint. */
const writePath = '/v2/entries:write';

type Units = Readonly<Record<string, number>>;

const timeUnits: Units = { '': 1, ms: 1, s: 1e3, m: 60e3, h: 3600e3 };
const units: Partial<Record<OptionRow['kind'], Units>> = {
  count: { '': 1 },
  amount: { '': 1 },
  bytes: byteUnits,
  milliseconds: timeUnits,
};

const nameText = 'a name such as kubelet.service, with * and ?';

/** Kinds of lists: the check of one text, whose RangeError has the words for what is allowed. */
const texts = {
  globs: { check: parseGlob, allowed: globText },
  names: { check: checkName, allowed: nameText },
  nodeFiles: { check: parseNodeFile, allowed: nodeFileText },
  outputs: { check: parseOutput, allowed: outputText },
  rates: { check: parseRate, allowed: rateText },
  redactions: { check: parseRedaction, allowed: redactionText },
  samples: { check: parseSample, allowed: sampleText },
} as const;

/**
 * Parses a value written at `origin` (`--workers`, `TAILSHIP_WORKERS`, `workers in a.yaml`). Throws
 * CONFIG_INVALID.
 */
export function parseOptionValue(row: OptionRow, written: unknown, origin: string): OptionValue {
  const wrong = (allowed: string): AgentError =>
    configError(`${origin} is ${shownWritten(written)}; allowed is ${allowed}`);

  if (row.kind === 'paths') return parsePaths(written, wrong);
  if (row.kind in texts) return parseTexts(row.kind as keyof typeof texts, written, wrong);
  if (row.kind === 'boolean') return parseBoolean(written, wrong);
  const unitsOfKind = units[row.kind];
  if (unitsOfKind !== undefined) return parseQuantity(row, written, unitsOfKind, wrong);

  const whole = asText(written, wrong);
  // A file of rules has been read already.
  if (row.kind === 'rules') return whole;
  if (row.kind === 'path') return resolve(whole);
  // A value of a Secret often ends in a newline.
  const text = whole.trim();
  if (row.kind === 'choice') {
    if (row.choices?.includes(text) !== true) throw wrong(row.choices?.join(' or ') ?? 'nothing');
    return text;
  }
  if (row.kind === 'project' && !isProjectId(text)) throw wrong(projectIdText);
  if (row.kind === 'url') return parseUrl(row, text, wrong);
  if (row.kind === 'template') return parseTemplate(text, wrong);
  if (row.kind === 'hostPort') return parseHostPort(row, text, wrong);
  return text;
}

/** The allowed values of an option in words, for help and errors. */
export function allowedText(row: OptionRow): string {
  if (row.kind === 'choice') return row.choices?.join(' or ') ?? '';
  if (row.kind === 'boolean') return 'true or false';
  const range = `from ${row.min ?? 0} to ${row.max ?? 'any'}`;
  if (row.kind === 'count') return `a whole number ${range}`;
  if (row.kind === 'amount') return `a number ${range}`;
  if (row.kind === 'bytes') return `a number of bytes ${range}, also as 64Ki or 2Mi`;
  if (row.kind === 'milliseconds') return `a number of milliseconds ${range}, also as 5s or 1m`;
  if (row.kind in texts) return texts[row.kind as keyof typeof texts].allowed;
  return row.kind === 'project' ? projectIdText : row.kind;
}

/** The value of an option as a user would write it; for rules, their number. */
export function shownValue(row: OptionRow, value: OptionValue): string {
  if (row.kind !== 'rules' || typeof value !== 'string') return valueText(value);
  const { length } = JSON.parse(value) as readonly unknown[];
  return `${length} ${length === 1 ? 'rule' : 'rules'}`;
}

/** A value as a user would write it. */
export function valueText(value: OptionValue): string {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return 'not set';
  if (typeof value !== 'object') return String(value);
  if (!('host' in value)) return value.join(',');
  return `${value.host.includes(':') ? `[${value.host}]` : value.host}:${value.port}`;
}

/** Characters of a unit's name. */
function checkName(text: string): void {
  if (!/^[A-Za-z0-9:_.\\@*?-]{1,255}$/.test(text)) throw new RangeError(nameText);
}

type Wrong = (allowed: string) => AgentError;

function asText(written: unknown, wrong: Wrong): string {
  // YAML reads `project: 123456` as a number; the user meant the text.
  const text = typeof written === 'number' ? String(written) : written;
  if (typeof text !== 'string') throw wrong('a text');
  if (text.trim() === '') throw wrong('a text that is not empty');
  return text;
}

function parseBoolean(written: unknown, wrong: Wrong): boolean {
  if (typeof written === 'boolean') return written;
  if (written === 'true' || written === '1') return true;
  if (written === 'false' || written === '0') return false;
  throw wrong('true or false');
}

function parseQuantity(row: OptionRow, written: unknown, unitsOfKind: Units, wrong: Wrong): number {
  const text = typeof written === 'number' || typeof written === 'string' ? String(written) : '';
  const match = /^(\d{1,15}(?:\.\d{1,6})?)([A-Za-z]*)$/.exec(text.trim());
  const unit = match === null ? undefined : unitsOfKind[match[2] ?? ''];
  const value = match === null || unit === undefined ? Number.NaN : Number(match[1]) * unit;
  const inRange = value >= (row.min ?? 0) && value <= (row.max ?? Number.MAX_SAFE_INTEGER);
  const isFine = row.kind === 'amount' || Number.isInteger(value);
  if (!isFine || !inRange) throw wrong(allowedText(row));
  return value;
}

function parsePaths(written: unknown, wrong: Wrong): readonly string[] {
  const parts = Array.isArray(written) ? written : asText(written, wrong).split(',');
  const paths = parts.map((part: unknown) => resolve(asText(part, wrong).trim()));
  if (paths.length === 0) throw wrong('one path or more');
  return Object.freeze(paths);
}

function parseTexts(kind: keyof typeof texts, written: unknown, wrong: Wrong): readonly string[] {
  const given: readonly unknown[] = Array.isArray(written) ? written : [written];
  const wholes = given.map((each) => asText(each, wrong));
  const isSplit = kind !== 'redactions'; // A pattern may contain commas.
  const parts = isSplit
    ? wholes.flatMap((whole) => whole.split(',').map((part) => part.trim()))
    : wholes;
  try {
    for (const part of parts) texts[kind].check(part);
  } catch (error) {
    if (error instanceof RangeError) throw wrong(error.message);
    throw error;
  }
  return Object.freeze(kind === 'outputs' ? parts.map(parseOutput) : parts);
}

/** As it was written, without a password: the message ends up in a log. */
function shownWritten(written: unknown): string {
  const text = JSON.stringify(written) ?? String(written);
  return text.replaceAll(/\/\/[^/@\s"]*@/g, '//…@');
}

function parseUrl(row: OptionRow, text: string, wrong: Wrong): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) throw wrong('an http:// or https:// URL');
  if (url.search !== '' || url.hash !== '') throw wrong('a URL without ? and #');
  const hasUser = url.username !== '' || url.password !== '';
  if (hasUser && row.mayHaveUser !== true) throw wrong('a URL without user and password');
  if (url.pathname.endsWith(writePath)) throw wrong(`a URL without ${writePath}`);
  return url.href.replace(/\/+$/, '');
}

function parseTemplate(text: string, wrong: Wrong): string {
  for (const [, name = ''] of text.matchAll(/\{([^}]*)\}/g)) {
    if (templateNames.includes(name as 'pod')) continue;
    throw wrong(`a URL with ${templateNames.map((known) => `{${known}}`).join(', ')} in it`);
  }
  const protocol = URL.parse(text.replaceAll(/\{\w+\}/g, 'x'))?.protocol ?? '';
  if (!/^https?:$/.test(protocol)) throw wrong('an http:// or https:// URL');
  return text;
}

function parseHostPort(row: OptionRow, text: string, wrong: Wrong): HostPort | undefined {
  if (text === 'off' && row.mayBeOff === true) return undefined;
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s[\]/]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw wrong(`HOST:PORT such as 127.0.0.1:8090${row.mayBeOff === true ? ', or off' : ''}`);
  }
  const host = match[1] ?? match[2] ?? '';
  return Object.freeze({ host: host === '' ? '0.0.0.0' : host, port });
}
