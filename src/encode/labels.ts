// Builds the `labels` of an entry from the agent's and the record's own. Called for every entry.
// The invariant: no key stands twice, and every value is a string, or the API refuses the request.

import { scanObject } from './json-scan.ts';
import { canonicalString, rawValue } from './json-text.ts';

/** One label: its key, and its JSON text `"key":"value"`. */
export type Label = { readonly key: string; readonly text: string };

/** Labels of one drain's containers, parsed once: they repeat with every record. */
const agentLabels = new Map<string, readonly Label[]>();
const agentLabelsMax = 256;

export function labelOf(key: string, value: string): Label {
  return { key, text: `${JSON.stringify(key)}:${JSON.stringify(value)}` };
}

/** The label of a time that is not the entry's, because the API would refuse it. */
export function originalTime(refused: string | undefined): readonly Label[] {
  return refused === undefined ? [] : [labelOf('tailship.dev/original-time', refused)];
}

/**
 * The labels that a raw `logging.googleapis.com/labels` names. None when it is no object of
 * strings: one value of another type makes all of them void (fluent-plugin-google-cloud).
 */
export function parseLabels(raw: string): readonly Label[] {
  const object = raw[0] === '{' ? scanObject(raw) : undefined;
  const labels: Label[] = [];
  for (const member of object?.members ?? []) {
    const value = object === undefined ? undefined : canonicalString(rawValue(object, member));
    if (value === undefined) return [];
    labels.push({ key: member.key, text: `${JSON.stringify(member.key)}:${value}` });
  }
  return labels;
}

function parseAgentLabels(members: string): readonly Label[] {
  const known = agentLabels.get(members);
  if (known !== undefined) return known;
  const labels = parseLabels(`{${members}}`);
  if (agentLabels.size >= agentLabelsMax) agentLabels.clear();
  agentLabels.set(members, labels);
  return labels;
}

/**
 * Members of the entry's labels, without braces. `agent` is such a text already; of a key in both,
 * the record's value stands.
 */
export function joinLabels(agent: string, own: readonly Label[]): string {
  if (own.length === 0) return agent;
  const keys = new Set(own.map((label) => label.key));
  const kept = parseAgentLabels(agent).filter((label) => !keys.has(label.key));
  return [...kept, ...own].map((label) => label.text).join(',');
}
