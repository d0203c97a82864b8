// Converts fluentd's filters to rules.

import type { Taking } from './event-routes.ts';
import { re2Of } from './foreign-pattern.ts';
import { addGrep, testOf, type GrepTest } from './grep-filter.ts';
import {
  addChanges,
  addParser,
  isConstant,
  isText,
  noChanges,
  pathOf,
  type FilterSite,
  type LineFormat,
} from './record-filters.ts';
import { directivesOf, sectionsOf, valueOf, isOn, type Section } from './section.ts';
import { noteThrottle } from './tail-input.ts';

type AddFilter = (section: Section, site: FilterSite) => void;

export function addFluentdFilter(section: Section, type: string, { draft, routes }: Taking): void {
  const subject = `filter ${section.argument} ${type}`;
  const route = routes.of(section.argument);
  if ('reason' in route) {
    draft.note('none', section, subject, route.reason);
    return;
  }
  const site = { ...route, draft, place: section, subject };
  const add = filters[type];
  if (add === undefined) draft.note('none', section, subject, 'has no equivalent');
  else add(section, site);
}

const filters: Readonly<Record<string, AddFilter>> = {
  kubernetes_metadata: takeMetadata,
  kubernetes: takeMetadata,
  concat: addConcat,
  grep: addGreps,
  parser: (section, site) => {
    addParser(site, {
      key: valueOf(section, 'key_name'),
      formats: formatsOf(section),
      keepsOthers: isOn(valueOf(section, 'reserve_data')),
    });
  },
  record_transformer: addTransformer,
  record_modifier: addTransformer,
  record_reformer: addTransformer,
  rename_key: addRenames,
  sampling: (section, site) => addSampling(valueOf(section, 'interval'), site),
  sampling_filter: (section, site) => addSampling(valueOf(section, 'interval'), site),
  detect_exceptions: (section, { draft, subject }) => {
    draft.setOption('joinStackTraces', true, section, subject);
  },
  stdout: (section, { draft, subject }) => {
    draft.note('changed', section, subject, 'tailship run --output endpoint,stdout prints entries');
  },
  add_insert_ids: (section, { draft, subject }) => {
    draft.note('taken', section, subject, 'every entry has an insertId');
  },
  throttle: (section, site) => noteThrottle(section, site),
  prometheus: (section, { draft, subject }) => {
    draft.note('changed', section, subject, 'metrics are at /metrics of --admin-address');
  },
};

function takeMetadata(section: Section, { draft, subject }: FilterSite): void {
  draft.note('taken', section, subject, 'namespace, pod and container');
  for (const directive of directivesOf(section, 'skip_labels')) {
    if (draft.flag(directive)) draft.leaveOutLabels(directive);
  }
}

/** Docker ends the last part of a line with it. */
const isLineEnd = (pattern: string) => /^\/?\\n\$?\/?$/.test(pattern);

/** Directives of `concat` beside the first line, and what happens instead. */
const concatChanges: Readonly<Record<string, string>> = {
  flush_interval: 'see --partial-flush-ms',
  continuous_line_regexp: 'every line up to the next first line is joined, whatever it holds',
  multiline_end_regexp: 'a record ends before the next first line',
  separator: 'lines are joined by a newline',
};

function addConcat(section: Section, site: FilterSite): void {
  const { draft, subject } = site;
  const start = valueOf(section, 'multiline_start_regexp');
  if (start === undefined) {
    const isPartial = section.directives.some(
      ({ key, value }) =>
        key.includes('partial') || (key === 'multiline_end_regexp' && isLineEnd(value)),
    );
    if (isPartial) draft.note('taken', section, subject, 'lines that the runtime cut are joined');
    else draft.note('none', section, subject, 'records are joined by their first line only');
    return;
  }
  draft.addRule(site, { firstLine: re2Of(start) });
  for (const place of section.directives) {
    const text = concatChanges[place.key];
    const isDefault = place.key === 'separator' && ['\n', '\\n'].includes(place.value);
    if (text !== undefined && !isDefault) draft.note('changed', place, place.key, text);
  }
}

function addGreps(section: Section, site: FilterSite): void {
  // As in the plugin, `keep` comes first.
  for (const [name, verb] of [
    ['regexp', 'keep'],
    ['exclude', 'drop'],
  ] as const) {
    const numbered = section.directives.filter(({ key }) => new RegExp(`^${name}\\d+$`).test(key));
    const own = [
      ...sectionsOf(section, name).flatMap(testOfSection),
      ...numbered.flatMap((place) => testOf(place, site)),
    ];
    addGrep(site, { verb, join: verb === 'keep' ? 'all' : 'any', tests: own });
    for (const [group, join] of [
      ['and', 'all'],
      ['or', 'any'],
    ] as const) {
      for (const each of sectionsOf(section, group)) {
        const tests = sectionsOf(each, name).flatMap(testOfSection);
        addGrep({ ...site, place: each }, { verb, join, tests });
      }
    }
  }
}

function testOfSection(place: Section): GrepTest[] {
  const key = valueOf(place, 'key') ?? 'log';
  const pattern = valueOf(place, 'pattern') ?? '';
  return pattern === '' ? [] : [{ place, key, pattern }];
}

/** The formats of a filter or source: `<parse>`, several `<pattern>`, or the old `format`. */
function formatsOf(section: Section): LineFormat[] {
  const [parse = section] = sectionsOf(section, 'parse');
  const format =
    (parse === section ? undefined : valueOf(parse, '@type')) ?? valueOf(parse, 'format');
  const patterns = [...sectionsOf(parse, 'pattern'), ...sectionsOf(section, 'pattern')];
  if (/^multi_?format$/.test(format ?? '') && patterns.length > 0) {
    return patterns.map((pattern) => formatOf(pattern, valueOf(pattern, 'format', '@type')));
  }
  return [formatOf(parse, format)];
}

function formatOf(section: Section, format = 'none'): LineFormat {
  return {
    format,
    pattern: valueOf(section, 'expression', 'regexp'),
    timeKey: valueOf(section, 'time_key'),
    timeFormat: valueOf(section, 'time_format'),
    types: valueOf(section, 'types'),
  };
}

/** `${record["a"]}`; `dig` and fallbacks are accepted and ignored. */
const fieldPattern = /^\$\{\s*record((?:\[\s*['"][^'"]+['"]\s*\])+)\s*\}$/;
const gsubPattern = /\.gsub\(\s*\/((?:[^/\\]|\\.)*)\/([imx]*)\s*,\s*(?:"([^"]*)"|'([^']*)')\s*\)/g;

function addTransformer(section: Section, site: FilterSite): void {
  const { set, rename, remove } = noChanges();
  const redact: { pattern: string; with: string }[] = [];
  const removed = (valueOf(section, 'remove_keys') ?? '').split(',').map((key) => key.trim());
  for (const record of sectionsOf(section, 'record')) {
    for (const place of record.directives) {
      const { key, value } = place;
      const [, digs] = fieldPattern.exec(value) ?? [];
      const gsubs = [...value.matchAll(gsubPattern)];
      if (digs !== undefined) rename[pathOf(digs)] = key;
      else if (gsubs.length > 0 && isMasked({ ...site, place }, key, value)) {
        for (const [, pattern = '', flags = '', double, single] of gsubs) {
          redact.push({ pattern: re2Of(`/${pattern}/${flags}`), with: textOf(double ?? single) });
        }
      } else if (key.endsWith('local_resource_id')) {
        site.draft.note('taken', place, key, 'the names of the container are in the resource');
      } else if (isConstant({ ...site, place }, key, value)) set[key] = value;
    }
  }
  for (const [from, to] of Object.entries(rename)) {
    // fluentd keeps both fields; the rule removes the old one.
    if (removed.includes(from)) continue;
    site.draft.note('changed', section, site.subject, `${from} is moved to ${to}, not copied`);
  }
  for (const key of removed) if (key !== '' && !(pathOf(key) in rename)) remove.push(pathOf(key));
  addChanges(site, { set, rename, remove });
  if (redact.length > 0) site.draft.addRule(site, { redact });
  for (const each of sectionsOf(section, 'replace')) {
    const pattern = re2Of(valueOf(each, 'expression') ?? '');
    const text = textOf(valueOf(each, 'replace'));
    noteWhole({ ...site, place: each }, valueOf(each, 'key') ?? 'log');
    site.draft.addRule({ ...site, place: each }, { redact: { pattern, with: text } });
  }
  for (const place of directivesOf(section, 'keep_keys', 'renew_record', 'whitelist_keys')) {
    site.draft.note('none', place, place.key, 'fields are removed by name');
  }
  for (const place of directivesOf(section, 'tag')) {
    site.draft.note('taken', place, 'tag', 'entries have the names of their container, not tags');
  }
}

/** `redact` replaces in every field. */
function noteWhole({ draft, place, subject }: FilterSite, key: string): void {
  if (isText(pathOf(key))) return;
  draft.note('changed', place, subject, `it is replaced in every field, not only in ${key}`);
}

/** Whether a field is the same field with something replaced, and no other one made of it. */
function isMasked(site: FilterSite, key: string, value: string): boolean {
  const [, digs = ''] = /^\$\{\s*record((?:\[\s*['"][^'"]+['"]\s*\])+)/.exec(value) ?? [];
  const from = pathOf(digs);
  if (from !== pathOf(key) && !(isText(from) && isText(key))) return false;
  noteWhole(site, key);
  return true;
}

/** Ruby's `\1` as `$1`. */
function textOf(text = ''): string {
  return text.replaceAll('$', '$$$$').replaceAll(/\\+(\d)/g, '$$$1');
}

function addRenames(section: Section, site: FilterSite): void {
  const changes = noChanges();
  for (const place of section.directives.filter(({ key }) => /^rename_rule\d+$/.test(key))) {
    const [, from, to] = /^\^?([\w.-]+)\$?\s+([\w.-]+)$/.exec(place.value) ?? [];
    if (from === undefined || to === undefined) {
      site.draft.note('none', place, place.key, `${place.value}: fields are renamed by name`);
    } else changes.rename[from] = to;
  }
  addChanges(site, changes);
}

function addSampling(interval: string | undefined, site: FilterSite): void {
  const share = 1 / Number(interval ?? Number.NaN);
  site.draft.addRule(site, { sample: Number(share.toFixed(9)) });
}
