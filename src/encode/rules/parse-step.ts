// The `parse` action of a rule: turns a text into fields.
//
// Invariant: a text that does not match changes nothing.

import { limits } from '../../config.ts';
import type { ParseAction, ParseFormat, ValueType } from '../../rules/rule.ts';
import type { Allowance } from '../redaction/allowance.ts';
import { parseAccess, parseKlogLine, parseSyslog } from './line-parsers.ts';
import { parseLogfmt } from './logfmt.ts';
import { meaningOf, membersOf, type Members, type RulePayload } from './rule-payload.ts';
import { groupText, RuleSearch } from './rule-search.ts';

/** Returns the fields of a text, or undefined if it has another form. */
type Parser = (text: string) => Members | undefined;

/** Whether it matched. */
export type ParseStep = (payload: RulePayload) => boolean;

const fixedParsers: Readonly<Partial<Record<ParseFormat, Parser>>> = {
  logfmt: parseLogfmt,
  nginx: (text) => parseAccess(text, 'remote'),
  apache: (text) => parseAccess(text, 'host'),
  klog: parseKlogLine,
  syslog: parseSyslog,
};

/** The groups that matched. */
function groupsOf(search: RuleSearch, text: string): { members: Members; end: number } | undefined {
  if (text.length > limits.ruleParseCharactersMax) return undefined;
  const matcher = search.find(text);
  if (matcher === undefined) return undefined;
  const members: Members = new Map();
  for (const [name, group] of search.groups) {
    const value = groupText(text, matcher, group);
    if (value !== undefined) members.set(name, JSON.stringify(value.toWellFormed()));
  }
  return { members, end: matcher.end() };
}

/** The object at the end of a text, starting at one of its first braces, and the text before it. */
function parseSuffix(text: string): Members | undefined {
  let at = text.indexOf('{');
  for (let tries = 0; at !== -1 && tries < limits.ruleBracesTriedMax; tries++) {
    const members = membersOf(text.slice(at));
    const prefix = text.slice(0, at).trim();
    if (members !== undefined) {
      if (prefix !== '') {
        members.set(members.has('prefix') ? '_prefix' : 'prefix', JSON.stringify(prefix));
      }
      return members;
    }
    at = text.indexOf('{', at + 1);
  }
  return undefined;
}

function createJsonParser(prefix: string | undefined, allowance: Allowance): Parser {
  if (prefix === undefined) return parseSuffix;
  const search = new RuleSearch(prefix, allowance);
  return (text) => {
    const found = groupsOf(search, text);
    const members = found && membersOf(text.slice(found.end));
    return found && members && new Map([...found.members, ...members]);
  };
}

function createParser({ format, pattern }: ParseAction, allowance: Allowance): Parser {
  const fixed = fixedParsers[format];
  if (fixed !== undefined) return fixed;
  if (format === 'json') return createJsonParser(pattern, allowance);
  const search = new RuleSearch(pattern ?? '', allowance);
  return (text) => groupsOf(search, text)?.members;
}

const booleans: ReadonlyMap<string, string> = new Map([
  ['true', 'true'],
  ['yes', 'true'],
  ['false', 'false'],
  ['no', 'false'],
]);

/** The value converted to another type; unchanged if it cannot be converted. */
function converted(raw: string, type: ValueType): string {
  const text = meaningOf(raw).trim();
  if (type === 'string') return raw.startsWith('"') ? raw : JSON.stringify(raw);
  if (type === 'boolean') return booleans.get(text.toLowerCase()) ?? raw;
  if (type === 'integer') return /^[+-]?\d{1,18}$/.test(text) ? String(BigInt(text)) : raw;
  const value = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$/.test(text) ? Number(text) : NaN;
  return Number.isFinite(value) ? String(value) : raw;
}

function convertAll(members: Members, types: readonly (readonly [string, ValueType])[]): void {
  for (const [name, type] of types) {
    const raw = members.get(name);
    if (raw !== undefined) members.set(name, converted(raw, type));
  }
}

function createStep(action: ParseAction, allowance: Allowance): ParseStep {
  const { field, keepField } = action;
  const parse = createParser(action, allowance);
  const types = Object.entries(action.types);
  return (payload) => {
    const text = field === undefined ? payload.parsable : payload.meaning(field);
    if (text === undefined) return false;
    const members = parse(text);
    if (members === undefined) return false;
    if (types.length > 0) convertAll(members, types);
    if (field === undefined || (payload.text !== undefined && !keepField)) {
      payload.replaceText(members);
      return true;
    }
    if (!keepField) payload.remove(field);
    payload.merge(members);
    return true;
  };
}

/** Tries the parsers in order. */
export function createParseStep(actions: readonly ParseAction[], allowance: Allowance): ParseStep {
  const steps = actions.map((action) => createStep(action, allowance));
  // An object is already parsed: `json` does not count a miss.
  const isJson = actions.some(({ format, field }) => format === 'json' && field === undefined);
  return (payload) =>
    (isJson && payload.parsable === undefined) || steps.some((step) => step(payload));
}
