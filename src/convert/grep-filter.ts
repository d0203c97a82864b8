// Converts the grep filters of both agents to rules and options: they keep or drop records by text,
// by a field, or by container.
//
// Invariant: a filter that cannot be converted as a whole drops nothing and leaves a note.

import { namesOf, re2Of } from './foreign-pattern.ts';
import { isText, pathOf, type FilterSite } from './record-filters.ts';
import type { Directive, Place } from './section.ts';

/** One pattern of a grep. */
export type GrepTest = { readonly place: Place; readonly key: string; readonly pattern: string };

/** Tests, all or any of which must hold. */
export type GrepGroup = {
  readonly verb: 'keep' | 'drop';
  readonly join: 'all' | 'any';
  readonly tests: readonly GrepTest[];
};

/** `KEY PATTERN`; a missing pattern yields none and a note. */
export function testOf(place: Directive, { draft }: FilterSite): GrepTest[] {
  const [, key = '', pattern = ''] = /^(\S+)\s+(.*)$/s.exec(place.value) ?? [];
  if (pattern !== '') return [{ place, key, pattern }];
  draft.note('none', place, place.key, place.value);
  return [];
}

type ContainerPart = 'namespace_name' | 'pod_name' | 'container_name';
const containerParts: readonly ContainerPart[] = ['namespace_name', 'pod_name', 'container_name'];

/** Tests grouped by what they inspect. */
type Sorted = {
  readonly containers: readonly (GrepTest & { readonly part: ContainerPart })[];
  readonly labels: readonly (GrepTest & { readonly label: string })[];
  readonly records: readonly GrepTest[];
};

function sorted(tests: readonly GrepTest[]): Sorted {
  const found = { containers: [], labels: [], records: [] } as {
    containers: (GrepTest & { part: ContainerPart })[];
    labels: (GrepTest & { label: string })[];
    records: GrepTest[];
  };
  for (const test of tests) {
    const path = pathOf(test.key);
    const part = containerParts.find((each) => path === `kubernetes.${each}`);
    const [, label] = /^kubernetes\.labels\.(.+)$/.exec(path) ?? [];
    if (part !== undefined) found.containers.push({ ...test, part });
    else if (label !== undefined) found.labels.push({ ...test, label });
    else found.records.push(test);
  }
  return found;
}

export function addGrep(site: FilterSite, group: GrepGroup): void {
  const { verb, join, tests } = group;
  if (tests.length === 0) return;
  const isOne = tests.length === 1 || (verb === 'keep' ? join === 'any' : join === 'all');
  // Other tests can be converted one by one; container tests that must all hold cannot.
  if (isOne) {
    addOne(site, group);
    return;
  }
  const { containers, labels, records } = sorted(tests);
  const ofPods = verb === 'keep' ? [...containers, ...labels] : [];
  if (ofPods.length > 0) addOne(at(site, ofPods[0]), { verb, join: 'all', tests: ofPods });
  for (const test of verb === 'keep' ? records : tests) {
    addOne(at(site, test), { verb, join, tests: [test] });
  }
}

function at(site: FilterSite, test: GrepTest | undefined): FilterSite {
  return test === undefined ? site : { ...site, place: test.place };
}

function addOne(site: FilterSite, { verb, join, tests }: GrepGroup): void {
  const [first] = tests;
  const { place } = tests.length === 1 && first !== undefined ? first : site;
  const own = { ...site, place };
  const parts = sorted(tests);
  const isOfRecords = parts.containers.length + parts.labels.length === 0;
  if (parts.records.some(({ key }) => pathOf(key).startsWith('kubernetes.'))) refuse(own, tests);
  else if (isOfRecords) addConditions(own, verb, join, parts.records);
  else if (verb === 'keep') addInclude(own, join, tests, parts);
  else addPodDrop(own, tests, parts);
}

function refuse({ draft, place, subject }: FilterSite, tests: readonly GrepTest[]): void {
  const texts = tests.map(({ key, pattern }) => `${key} ${pattern}`).join(', ');
  const advice = 'write include, exclude or match of a rule yourself';
  draft.note('none', place, subject, `${texts}: ${advice}`);
}

function conditionOf({ key, pattern }: GrepTest): unknown {
  const path = pathOf(key);
  return isText(path) ? re2Of(pattern) : { field: path, pattern: re2Of(pattern) };
}

function addConditions(
  site: FilterSite,
  verb: 'keep' | 'drop',
  join: 'all' | 'any',
  tests: readonly GrepTest[],
): void {
  const conditions = tests.map(conditionOf);
  const value =
    conditions.length === 1 ? conditions[0] : join === 'any' ? conditions : { all: conditions };
  site.draft.addRule(site, { [verb]: value });
}

/** The containers for which all tests hold; undefined if that cannot be expressed. */
function globsOf(tests: Sorted['containers']): string[] | undefined {
  let globs = [''];
  for (const part of containerParts) {
    const own = tests.filter((test) => test.part === part);
    const names = own.length === 0 ? ['*'] : namesOf(re2Of(own[0]?.pattern ?? ''));
    if (names === undefined || own.length > 1) return undefined;
    globs = globs.flatMap((glob) => names.map((name) => (glob === '' ? name : `${glob}/${name}`)));
  }
  return globs.map((glob) => glob.replace(/(?:\/\*)+$/, ''));
}

/** Keeping by container alone becomes `include`, unless there is an `include` already. */
function addInclude(
  site: FilterSite,
  join: 'all' | 'any',
  tests: readonly GrepTest[],
  { containers, labels, records }: Sorted,
): void {
  const { draft, place, subject, globs } = site;
  const each = join === 'all' ? [containers] : containers.map((test) => [test]);
  const found = each.map(globsOf);
  const isFree = globs === undefined && !site.isShared && !draft.options.has('include');
  const isWhole = !found.includes(undefined) && labels.length + records.length === 0;
  const included = found.flatMap((one) => one ?? []);
  if (isFree && isWhole) draft.setOption('include', included, place, subject);
  else refuse(site, tests);
}

/** Dropping by container alone becomes `exclude`; with a label or a text, a rule. */
function addPodDrop(
  site: FilterSite,
  tests: readonly GrepTest[],
  { containers, labels, records }: Sorted,
): void {
  const { draft, place, subject } = site;
  const named = containers.length === 0 ? site.globs : globsOf(containers);
  const values = labels.map(({ pattern }) => namesOf(re2Of(pattern)));
  const isFree = containers.length === 0 || (site.globs === undefined && named !== undefined);
  if (site.isShared || !isFree || values.includes(undefined)) {
    refuse(site, tests);
    return;
  }
  if (labels.length + records.length === 0) {
    draft.setOption('exclude', named, place, subject);
    return;
  }
  const conditions = records.map(conditionOf);
  // Every text has a beginning.
  const drop =
    conditions.length === 0 ? '^' : conditions.length === 1 ? conditions[0] : { all: conditions };
  const names = labels.map(({ label }) => label);
  for (const choice of choicesOf(names, values)) {
    draft.addRule({ place, subject, globs: named, labels: choice }, { drop });
  }
}

/** Every combination of the allowed label values. */
function choicesOf(
  names: readonly string[],
  values: readonly (readonly string[] | undefined)[],
): Record<string, string>[] {
  let choices: Record<string, string>[] = [{}];
  for (const [index, name] of names.entries()) {
    choices = choices.flatMap((choice) =>
      (values[index] ?? []).map((value) => ({ ...choice, [name]: value })),
    );
  }
  return choices;
}
