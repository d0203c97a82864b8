// Converts Fluent Bit's filters to rules.

import type { EventRoutes, Route, Taking } from './event-routes.ts';
import { addGrep, testOf } from './grep-filter.ts';
import { addLua } from './lua-script.ts';
import { takeMultiline, type Parsers } from './multiline-parsers.ts';
import {
  addChanges,
  addParser,
  isConstant,
  noChanges,
  pathOf,
  type FilterSite,
  type LineFormat,
} from './record-filters.ts';
import { directivesOf, isOn, valueOf, type Section } from './section.ts';
import { listOf, noteThrottle } from './tail-input.ts';

type AddFilter = (section: Section, site: FilterSite, parsers: Parsers) => void;

/** The containers of a filter or output, by Match or Match_Regex. */
export function routeOf(
  section: Section,
  routes: EventRoutes,
): { readonly route: Route; readonly pattern: string } {
  const regex = valueOf(section, 'match_regex');
  if (regex !== undefined) return { route: routes.ofRegex(regex), pattern: regex };
  const pattern = valueOf(section, 'match') ?? '*';
  return { route: routes.of(pattern), pattern };
}

export function addBitFilter(section: Section, parsers: Parsers, { draft, routes }: Taking): void {
  const name = (valueOf(section, 'name') ?? '').toLowerCase();
  const { route, pattern } = routeOf(section, routes);
  const subject = `filter ${name} ${pattern}`;
  if ('reason' in route) {
    draft.note('none', section, subject, route.reason);
    return;
  }
  const site = { ...route, draft, place: section, subject };
  const add = filters[name];
  if (add === undefined) draft.note('none', section, subject, 'has no equivalent');
  else add(section, site, parsers);
}

const filters: Readonly<Record<string, AddFilter>> = {
  kubernetes: takeKubernetes,
  grep: addGreps,
  parser: addParsers,
  modify: addModify,
  nest: addNest,
  throttle: (section, site) => noteThrottle(section, site),
  record_modifier: addRecordModifier,
  lua: (section, site) => addLua(valueOf(section, 'code'), site),
  multiline: (section, site, parsers) => {
    for (const { value } of directivesOf(section, 'multiline.parser')) {
      for (const name of listOf(value)) takeMultiline(name, parsers, site);
    }
  },
  stdout: (section, { draft, subject }) => {
    draft.note('changed', section, subject, 'tailship run --output endpoint,stdout prints entries');
  },
};

const usualKubernetes =
  /^(?:https:\/\/kubernetes\.default(?:\.svc)?(?:\.cluster\.local)?(?::443)?\/?|\/var\/run\/secrets\/kubernetes\.io\/serviceaccount\/(?:token|ca\.crt))$/;
const kubernetesOptions = {
  kube_url: 'kubernetesApi',
  kube_ca_file: 'kubernetesCaFile',
  kube_token_file: 'kubernetesTokenFile',
} as const;

function takeKubernetes(section: Section, { draft, subject }: FilterSite): void {
  draft.note('taken', section, subject, 'namespace, pod and container');
  for (const directive of section.directives) {
    const { value } = directive;
    const key = directive.key.toLowerCase();
    const option = kubernetesOptions[key as keyof typeof kubernetesOptions];
    if (option !== undefined) {
      if (!usualKubernetes.test(value)) draft.setOption(option, value, directive, key);
    } else if (/^k8s-logging\.(?:parser|exclude)$/.test(key)) {
      if (draft.flag(directive)) draft.setOption('podAnnotations', true, directive, key);
    } else if (key === 'labels') {
      if (draft.flag(directive) === false) draft.leaveOutLabels(directive);
    } else if (key === 'merge_log') {
      draft.note('taken', directive, key, 'a line of JSON is the payload');
    } else if (key === 'merge_log_key' && value !== '') {
      const text = `the fields are at the top of the payload, not in ${value}`;
      draft.note('changed', directive, key, text);
    } else if (key === 'keep_log' && isOn(value)) {
      draft.note('changed', directive, key, 'the text of a line of JSON is not kept beside it');
    } else if (key === 'annotations' && isOn(value)) {
      draft.note('changed', directive, key, 'an annotation becomes a label by rules: labels');
    }
  }
}

function addGreps(section: Section, site: FilterSite): void {
  const operator = valueOf(section, 'logical_op')?.toLowerCase();
  const join = {
    keep: operator === 'or' ? 'any' : 'all',
    drop: operator === 'and' ? 'all' : 'any',
  } as const;
  for (const [key, verb] of [
    ['regex', 'keep'],
    ['exclude', 'drop'],
  ] as const) {
    const tests = directivesOf(section, key).flatMap((place) => testOf(place, site));
    addGrep(site, { verb, join: join[verb], tests });
  }
}

function addParsers(section: Section, site: FilterSite, { lines }: Parsers): void {
  const names = directivesOf(section, 'parser').map(({ value }) => value);
  const formats = names.map((name): LineFormat => {
    const own = lines.get(name);
    if (own === undefined) return { format: name };
    return {
      format: valueOf(own, 'format') ?? name,
      pattern: valueOf(own, 'regex'),
      timeKey: valueOf(own, 'time_key'),
      timeFormat: valueOf(own, 'time_format'),
      types: valueOf(own, 'types'),
    };
  });
  const keepsOthers = isOn(valueOf(section, 'reserve_data'));
  addParser(site, { key: valueOf(section, 'key_name'), formats, keepsOthers });
}

function addModify(section: Section, site: FilterSite): void {
  const { draft, subject } = site;
  const [condition] = directivesOf(section, 'condition');
  if (condition !== undefined) {
    draft.note('none', condition, subject, `a condition: ${condition.value}`);
    return;
  }
  const { set, rename, remove } = noChanges();
  for (const place of section.directives) {
    const key = place.key.toLowerCase();
    const [, name = '', value = ''] = /^("[^"]*"|\S+)\s*(.*)$/s.exec(place.value) ?? [];
    const path = pathOf(name.replaceAll('"', ''));
    if (key === 'rename' || key === 'hard_rename') rename[path] = value.replaceAll('"', '');
    else if (key === 'remove') remove.push(path);
    else if (key === 'set' || key === 'add') {
      if (!isConstant({ ...site, place }, path, value)) continue;
      set[path] = value;
      const text = `${path} is set if it is there, too`;
      if (key === 'add') draft.note('changed', place, subject, text);
    } else if (!/^(?:name|match|alias|log_level)$/.test(key)) {
      draft.note('none', place, subject, `${place.key} ${place.value}`);
    }
  }
  addChanges(site, { set, rename, remove });
}

/** Named fields are renamed; the fields that a wildcard matches are not known in advance. */
function addNest(section: Section, site: FilterSite): void {
  const { draft, subject } = site;
  const operation = valueOf(section, 'operation')?.toLowerCase();
  const under = pathOf(
    valueOf(section, operation === 'lift' ? 'nested_under' : 'nest_under') ?? '',
  );
  const names = directivesOf(section, 'wildcard').map(({ value }) => value);
  const isKubernetes = [under, ...names].some((name) => name.startsWith('kubernetes'));
  if (isKubernetes) {
    const text = 'namespace, pod, container and labels are no fields: nothing is to be moved';
    draft.note('changed', section, subject, text);
    return;
  }
  const isNamed = names.length > 0 && !names.some((name) => name.includes('*'));
  if (operation !== 'nest' || under === '' || !isNamed) {
    draft.note('none', section, subject, 'only fields that are named one by one are nested');
    return;
  }
  const prefix = valueOf(section, 'add_prefix') ?? '';
  const removed = valueOf(section, 'remove_prefix') ?? '';
  const renamed = names.map((name) => {
    const rest = removed !== '' && name.startsWith(removed) ? name.slice(removed.length) : name;
    return [pathOf(name), `${under}.${prefix}${rest}`] as const;
  });
  addChanges(site, { ...noChanges(), rename: Object.fromEntries(renamed) });
}

function addRecordModifier(section: Section, site: FilterSite): void {
  const { set, rename, remove } = noChanges();
  for (const place of section.directives) {
    const key = place.key.toLowerCase();
    const [, name = '', value = ''] = /^(\S+)\s*(.*)$/s.exec(place.value) ?? [];
    if (key === 'record') {
      if (isConstant({ ...site, place }, name, value)) set[name] = value;
    } else if (key === 'remove_key') remove.push(pathOf(name));
    else if (!/^(?:name|match|alias|log_level)$/.test(key)) {
      site.draft.note('none', place, site.subject, `${place.key} ${place.value}`);
    }
  }
  addChanges(site, { set, rename, remove });
}
