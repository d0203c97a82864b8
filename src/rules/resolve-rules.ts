// Resolves the rules of a container into plain settings: when the container appears, when its pod
// changes and when the configuration changes; never per line.

import { matchesGlob, parseGlob } from '../container-glob.ts';
import { limits } from '../config.ts';
import type { RecordSteps, Rule, RuleMatch, TemplateSettings } from './rule.ts';

export type Texts = Readonly<Record<string, string>>;

/** What rules match on. */
export type RuledContainer = {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** An alias of the container. */
  readonly group?: string;
  /** Labels of its pod; empty until they are known. */
  readonly labels: Texts;
  readonly annotations: Texts;
};

type PerStream = { readonly stdout?: string; readonly stderr?: string };

/** Rule changes to the settings that all entries of a container share. */
export type TemplateChange = {
  readonly labels: Texts;
  readonly resource: Texts;
  readonly project: PerStream;
  readonly logName: PerStream;
};

/** A rule that inspects records; a container carries the JSON of a list of them. */
export type NamedSteps = RecordSteps & { readonly name: string };

export type ResolvedRules = {
  readonly matching: readonly Rule[];
  readonly template: TemplateChange | undefined;
  /** JSON of NamedSteps[]; undefined: no rule inspects records. */
  readonly steps: string | undefined;
  /** RE2 by stream; undefined where each line is a record. */
  readonly firstLine: PerStream | undefined;
};

/** A rule, and a test for whether it applies to a container. */
type Compiled = {
  readonly rule: Rule;
  readonly matches: (container: RuledContainer) => boolean;
};

/** Returns a function that resolves the rules of a container. */
export function compileRules(rules: readonly Rule[]): (container: RuledContainer) => ResolvedRules {
  const compiled = rules.map((rule): Compiled => ({ rule, matches: compileMatch(rule.match) }));
  return (container) => {
    const matching = compiled.filter(({ matches }) => matches(container)).map(({ rule }) => rule);
    return resolve(matching, container);
  };
}

function compileMatch({ containers, podLabels }: RuleMatch): Compiled['matches'] {
  const globs = containers.map(parseGlob);
  const labels = Object.entries(podLabels);
  return (container) =>
    (globs.length === 0 || globs.some((glob) => glob(container))) &&
    labels.every(([name, glob]) => {
      const value = Object.hasOwn(container.labels, name) ? container.labels[name] : undefined;
      return value !== undefined && matchesGlob(glob, value);
    });
}

function resolve(matching: readonly Rule[], container: RuledContainer): ResolvedRules {
  const named = matching
    .map(({ name, steps }): NamedSteps => ({ name, ...steps }))
    .filter((steps) => Object.keys(steps).some((key) => key !== 'name' && key !== 'stream'));
  return {
    matching,
    template: templateOf(matching, container),
    steps: named.length === 0 ? undefined : JSON.stringify(named),
    firstLine: firstLinesOf(matching),
  };
}

function firstLinesOf(matching: readonly Rule[]): PerStream | undefined {
  const found: { stdout?: string; stderr?: string } = {};
  for (const { match, firstLine } of matching) {
    if (firstLine === undefined) continue;
    if (match.stream !== 'stderr') found.stdout ??= firstLine;
    if (match.stream !== 'stdout') found.stderr ??= firstLine;
  }
  return Object.keys(found).length === 0 ? undefined : found;
}

/** Later rules win, name by name. */
function templateOf(
  matching: readonly Rule[],
  container: RuledContainer,
): TemplateChange | undefined {
  const given = matching.filter(({ template }) => Object.keys(template).length > 0);
  if (given.length === 0) return undefined;
  const change = { labels: {}, resource: {}, project: {}, logName: {} };
  for (const { match, template } of given) {
    const { project, logName } = template;
    Object.assign(change.labels, labelsOf(template, container));
    Object.assign(change.resource, template.resource);
    Object.assign(change.project, perStream(match, project));
    Object.assign(change.logName, perStream(match, logName));
  }
  change.labels = Object.fromEntries(Object.entries(change.labels).slice(0, limits.ruleLabelsMax));
  return change;
}

function perStream({ stream }: RuleMatch, text: string | undefined): PerStream {
  if (text === undefined) return {};
  if (stream !== undefined) return { [stream]: text };
  return { stdout: text, stderr: text };
}

/** A pod label that is missing and has no default is left out. */
function labelsOf({ labels = {} }: TemplateSettings, container: RuledContainer): Texts {
  const found: [string, string][] = [];
  for (const [key, source] of Object.entries(labels)) {
    const value = valueOf(source, container);
    if (value !== undefined) found.push([key, value]);
  }
  return Object.fromEntries(found);
}

type LabelSources = NonNullable<TemplateSettings['labels']>;

function valueOf(source: LabelSources[string], container: RuledContainer): string | undefined {
  if ('value' in source) return source.value;
  const [texts, name] =
    'podLabel' in source
      ? [container.labels, source.podLabel]
      : [container.annotations, source.annotation];
  return Object.hasOwn(texts, name) ? texts[name] : source.default;
}
