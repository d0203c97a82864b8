// Describes a rule briefly: why it applies to a container, and what it does.

import type { Rule } from './rule.ts';

export type RuleText = {
  readonly name: string;
  /** The conditions of the rule. */
  readonly why: string;
  /** Its actions. */
  readonly does: string;
};

/** Whether a rule asks for labels or annotations of pods, which come from the API server. */
export function asksForPods({ match, template }: Rule): boolean {
  const sources = Object.values(template.labels ?? {});
  return Object.keys(match.podLabels).length > 0 || sources.some((source) => !('value' in source));
}

export function ruleText({ name, match, firstLine, steps, template }: Rule): RuleText {
  const labels = Object.entries(match.podLabels).map(([key, glob]) => `label ${key}=${glob}`);
  const why = [
    ...match.containers,
    ...labels,
    ...(match.stream === undefined ? [] : [match.stream]),
  ];
  const actions = Object.keys({ ...steps, ...template }).filter((key) => key !== 'stream');
  const does = [...(firstLine === undefined ? [] : ['firstLine']), ...actions];
  return {
    name,
    why: why.length === 0 ? 'all containers' : why.join(', '),
    does: does.length === 0 ? 'nothing' : does.join(', '),
  };
}
