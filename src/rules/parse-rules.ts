// Reads and checks the whole section `rules`: it reports every problem, and a section with a
// problem yields no rules.

import { limits } from '../config.ts';
import { parseGlob } from '../container-glob.ts';
import {
  readConditions,
  readParse,
  readPatternText,
  readRedact,
  readSample,
  readSeverity,
  readTime,
  type PatternSum,
} from './parse-actions.ts';
import { readFieldPath, readRename, readSet, readTemplate } from './parse-fields.ts';
import type { RecordSteps, Rule, RuleMatch, TemplateSettings } from './rule.ts';
import { WrittenValue, type RuleProblem } from './written-value.ts';

export type ParsedRules = {
  /** Empty when there is any problem. */
  readonly rules: readonly Rule[];
  readonly problems: readonly RuleProblem[];
};

/** The keys of a rule, in the order in which they take effect. */
const ruleKeys = [
  'name',
  'match',
  'firstLine',
  'drop',
  'keep',
  'parse',
  'severity',
  'time',
  'message',
  'rename',
  'remove',
  'set',
  'redact',
  'sample',
  'labels',
  'project',
  'logName',
  'resource',
] as const;

type RuleKey = (typeof ruleKeys)[number];
type Given = Partial<Record<RuleKey, WrittenValue>>;

/** The rules in a parsed YAML value (the list under `rules`), or every problem in it. */
export function parseRules(value: unknown): ParsedRules {
  const problems: RuleProblem[] = [];
  const list = new WrittenValue(value ?? [], 'rules', problems);
  if (!Array.isArray(list.value) || list.value.length > limits.rulesMax) {
    list.refuse(`a list of at most ${limits.rulesMax} rules`);
    return { rules: [], problems };
  }
  const patterns: PatternSum = { steps: 0 };
  const items = list.value.length === 0 ? [] : list.items();
  const rules = items.map((item, index) => readRule(item, index, patterns));
  if (patterns.steps > limits.rulesStepsMax) {
    const allowed = `patterns of ${limits.rulesStepsMax} steps together`;
    list.note(`have patterns of ${patterns.steps} steps; allowed is ${allowed}`);
  }
  noteTwins(rules, list);
  return { rules: problems.length === 0 ? rules : [], problems };
}

/** The name becomes a metric label. */
function noteTwins(rules: readonly Rule[], list: WrittenValue): void {
  const names = new Set<string>();
  for (const { name } of rules) {
    if (names.has(name)) list.note(`have two rules named ${JSON.stringify(name)}`);
    names.add(name);
  }
}

function readRule(written: WrittenValue, index: number, patterns: PatternSum): Rule {
  const given = written.isObject ? written.fields(ruleKeys) : {};
  if (!written.isObject) written.refuse(`an object of ${ruleKeys.join(', ')}`);
  const name = given.name === undefined ? String(index + 1) : readName(given.name);
  const match = readMatch(given.match);
  const { firstLine } = given;
  const template = readTemplate(given);
  const { stream } = match;
  const steps = { ...(stream && { stream }), ...readSteps(given, patterns) };
  if (stream !== undefined) noteStreamless(given, template);
  return {
    name,
    match,
    steps: stream === undefined ? steps : { ...steps, ...labelsOfStream(template) },
    template: stream === undefined ? template : withoutLabels(template),
    ...(firstLine && { firstLine: readPatternText(firstLine, patterns) }),
  };
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

function readName(written: WrittenValue): string {
  const text = written.text();
  if (!namePattern.test(text)) written.refuse('up to 63 letters, digits, dots, - and _');
  return text;
}

/** Settings that all entries of a container share cannot depend on the stream. */
function noteStreamless({ resource, labels }: Given, template: TemplateSettings): void {
  resource?.note('cannot depend on match.stream: a container has one resource');
  const isOfPod = Object.values(template.labels ?? {}).some((source) => !('value' in source));
  if (isOfPod) labels?.note('of the pod cannot depend on match.stream');
}

function labelsOfStream({ labels }: TemplateSettings): Pick<RecordSteps, 'labels'> {
  if (labels === undefined) return {};
  const entries = Object.entries(labels).map(([key, source]) => [
    key,
    'value' in source ? source.value : '',
  ]);
  return { labels: Object.fromEntries(entries) as Record<string, string> };
}

function withoutLabels({ labels, ...rest }: TemplateSettings): TemplateSettings {
  return labels === undefined ? rest : { ...rest };
}

const noMatch: RuleMatch = { containers: [], podLabels: {}, stream: undefined };

/** A glob, a list of globs, or an object of conditions. */
function readMatch(written: WrittenValue | undefined): RuleMatch {
  if (written === undefined) return noMatch;
  if (!written.isObject) return { ...noMatch, containers: readGlobs(written) };
  const keys = ['containers', 'namespace', 'pod', 'container', 'labels', 'stream'] as const;
  const given = written.fields(keys);
  const { containers, namespace, pod, container, labels, stream } = given;
  const parts = [namespace, pod, container];
  const isByPart = parts.some((part) => part !== undefined);
  if (isByPart && containers !== undefined) {
    written.note('has containers beside namespace, pod or container; allowed is one of the two');
  }
  const podLabels = (labels?.members('labels of pods') ?? []).map(
    ([key, value]) => [key, value.anyText('a text, in which * and ? match')] as const,
  );
  return {
    containers: isByPart
      ? readParts(written, parts)
      : containers === undefined
        ? []
        : readGlobs(containers),
    podLabels: Object.fromEntries(podLabels),
    stream: stream?.oneOf(['stdout', 'stderr'] as const),
  };
}

function readGlobs(written: WrittenValue): readonly string[] {
  return written.items().map((item) => {
    const text = item.text('a glob of namespace/pod/container');
    if (text !== '') item.attempt(() => parseGlob(text));
    return text;
  });
}

/** Every combination of the parts, each of which may be a list. */
function readParts(
  written: WrittenValue,
  parts: readonly (WrittenValue | undefined)[],
): readonly string[] {
  let globs = [''];
  const counts = parts.map((part) => (Array.isArray(part?.value) ? part.value.length : 1));
  const product = counts.reduce((total, count) => total * count, 1);
  if (product > limits.ruleListMax) {
    const text = `has ${product} combinations of at most ${limits.ruleListMax}; write several rules`;
    written.note(text);
    return [];
  }
  for (const part of parts) {
    const texts = part?.items().map((item) => {
      const text = item.text('a name, in which * and ? match');
      if (text.includes('/')) item.refuse('a name without /, in which * and ? match');
      else if (text !== '') item.attempt(() => parseGlob(text));
      return text;
    }) ?? ['*'];
    globs = globs.flatMap((glob) => texts.map((text) => (glob === '' ? text : `${glob}/${text}`)));
  }
  return globs;
}

function readSteps(given: Given, patterns: PatternSum): RecordSteps {
  const { drop, keep, parse, severity, time, message, rename, remove, set, redact, sample } = given;
  return {
    ...(drop && { drop: readConditions(drop, patterns) }),
    ...(keep && { keep: readConditions(keep, patterns) }),
    ...(parse && { parse: readParse(parse, patterns) }),
    ...(severity && { severity: readSeverity(severity) }),
    ...(time && { time: readTime(time) }),
    ...(message && { message: readMessage(message) }),
    ...(rename && { rename: readRename(rename) }),
    ...(remove && { remove: remove.items().map(readFieldPath) }),
    ...(set && { set: readSet(set) }),
    ...(redact && { redact: readRedact(redact, patterns) }),
    ...(sample && { sample: readSample(sample) }),
  };
}

function readMessage(written: WrittenValue): { from: string } {
  if (!written.isObject) return { from: readFieldPath(written) };
  const { from } = written.fields(['from'] as const);
  if (from === undefined) written.refuse('an object of from');
  return { from: from === undefined ? '' : readFieldPath(from) };
}
