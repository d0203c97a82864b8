// Converts the filters that both agents have to rules: parsers, and filters that set, rename or
// remove fields; grep is in grep-filter.ts.

import type { Draft, RuleSite } from './draft.ts';
import { re2Of } from './foreign-pattern.ts';
import { parserNamed } from '../known-parsers.ts';
import { isComputed } from './section.ts';

/** Where a filter is, what it is called, and which containers it is for. */
export type FilterSite = RuleSite & { readonly draft: Draft };

/** Fields that hold the line itself. */
const textKeys = new Set(['log', 'message', 'msg', 'textpayload', '@message']);

/** `$.kubernetes.pod_name`, `$kubernetes['pod_name']`, `http.status` as a path. */
export function pathOf(key: string): string {
  return key
    .replace(/^\$\.?/, '')
    .replaceAll(/\[['"]?([^\]'"]+)['"]?\]/g, '.$1')
    .replace(/^\./, '');
}

export function isText(path: string): boolean {
  return textKeys.has(path.toLowerCase()) && path !== 'msg';
}

/** How lines are parsed. */
export type LineFormat = {
  readonly format: string;
  readonly pattern?: string | undefined;
  readonly timeKey?: string | undefined;
  readonly timeFormat?: string | undefined;
  readonly types?: string | undefined;
};

/** The `parse` of a rule for a format; `own` if tailship parses it without a rule. */
function parseOf({ format, pattern, types }: LineFormat): unknown {
  const name = format.toLowerCase();
  const known = name === 'json' ? 'json' : parserNamed(name);
  if (known !== undefined) return known;
  const text = name === 'regex' || name === 'regexp' ? pattern : format;
  if (text === undefined || (!text.startsWith('/') && pattern === undefined)) return undefined;
  const regex = re2Of(text);
  // The header of klog: severity, date, pid, source.
  if (/\?<(?:severity|level)>/.test(regex) && /\?<(?:pid|source)>/.test(regex)) return 'klog';
  const typed = typesOf(types);
  if (typed === undefined) return { regex };
  return { format: 'regex', pattern: regex, types: typed };
}

const typeNames: Readonly<Record<string, string>> = {
  integer: 'integer',
  int: 'integer',
  float: 'float',
  bool: 'boolean',
  boolean: 'boolean',
};

/** `code:integer,size:float` or `code:integer size:float`, or the same as JSON. */
function typesOf(text: string | undefined): Record<string, string> | undefined {
  const pairs = (text ?? '').replaceAll(/[{}"]/g, '').split(/[\s,]+/);
  const types: Record<string, string> = {};
  for (const pair of pairs) {
    const [key = '', type = ''] = pair.split(':');
    const known = typeNames[type.trim()];
    if (key !== '' && known !== undefined) types[key.trim()] = known;
  }
  return Object.keys(types).length === 0 ? undefined : types;
}

export type ParserFilter = {
  /** The field that is parsed. */
  readonly key: string | undefined;
  readonly formats: readonly LineFormat[];
  readonly keepsOthers: boolean;
};

export function addParser(site: FilterSite, { key, formats, keepsOthers }: ParserFilter): void {
  const { draft, place, subject } = site;
  const path = pathOf(key ?? 'log');
  const actions = formats.map((each) => ({ ...each, parse: parseOf(each) }));
  for (const { format, parse } of actions) {
    const text = `${format} has no equivalent, or is defined in a file that is not given`;
    if (parse === undefined) draft.note('none', place, subject, text);
  }
  // JSON objects and klog lines are parsed without a rule.
  const own = new Set<unknown>(isText(path) ? ['own', 'json', 'klog'] : ['own']);
  const wanted = actions.filter(({ parse }) => parse !== undefined && !own.has(parse));
  if (wanted.length === 0) {
    if (actions.some(({ parse }) => own.has(parse))) {
      draft.note('taken', place, subject, 'JSON, klog and the lines of the runtime are understood');
    }
    return;
  }
  const fielded = wanted.map(({ parse }) => (isText(path) ? parse : withField(parse, path)));
  const timed = wanted.find(hasTime);
  const time = timed === undefined ? {} : { time: timeOf(timed) };
  draft.addRule(site, { parse: fielded.length === 1 ? fielded[0] : fielded, ...time });
  if (!keepsOthers) draft.note('changed', place, subject, 'the other fields of the record stay');
}

/** Only for a parser with a time: the rule would count a miss for each record without one. */
function hasTime({ timeKey, pattern }: LineFormat): boolean {
  if (timeKey === undefined) return false;
  return pattern === undefined || pattern.includes(`<${timeKey}>`);
}

function withField(parse: unknown, field: string): unknown {
  if (typeof parse === 'string') return { [parse]: { field } };
  if (typeof parse === 'object' && parse !== null && 'regex' in parse) {
    return { format: 'regex', pattern: parse.regex, field };
  }
  return { ...(parse as object), field };
}

function timeOf({ timeKey, timeFormat }: LineFormat): unknown {
  return { from: timeKey, ...(timeFormat !== undefined && { format: timeFormat }) };
}

/** The fields to set, rename and remove, before they become one rule. */
export type FieldChanges = {
  readonly set: Record<string, unknown>;
  readonly rename: Record<string, string>;
  readonly remove: string[];
};

export function noChanges(): FieldChanges {
  return { set: {}, rename: {}, remove: [] };
}

/** Fields with a meaning in Cloud Logging. */
const severityKeys = new Set(['severity', 'logging.googleapis.com/severity']);

/** One rule with all changes; renaming to a special field sets that field of the entry. */
export function addChanges(site: FilterSite, { set, rename, remove }: FieldChanges): void {
  const actions: Record<string, unknown> = {};
  const others: Record<string, string> = {};
  for (const [from, to] of Object.entries(rename)) {
    if (isText(to) && !isText(from)) actions['message'] = { from };
    else if (severityKeys.has(to)) actions['severity'] = { from };
    else if (isText(to) && isText(from)) continue; // `log` is the text already.
    else others[from] = to;
  }
  if (Object.keys(others).length > 0) actions['rename'] = others;
  if (remove.length > 0) actions['remove'] = remove;
  if (Object.keys(set).length > 0) actions['set'] = set;
  if (Object.keys(actions).length > 0) {
    site.draft.addRule(site, actions);
  } else if (Object.keys(rename).length > 0) {
    site.draft.note('taken', site.place, site.subject, 'the text of a line is the message already');
  }
}

/** Whether a value is the same text for all records; leaves a note if it is not. */
export function isConstant(site: FilterSite, key: string, value: string): boolean {
  if (!isComputed(value) && !/\$\{/.test(value)) return true;
  site.draft.note('none', site.place, site.subject, `${key} is computed: ${value.slice(0, 80)}`);
  return false;
}
