// Builds the `labels` of an entry from the agent's and the record's own. The invariant: no key
// occurs twice, and every value is a string; otherwise the API refuses the request.

import { limits } from '../../config.ts';
import type { EncodeContext } from './entry.ts';
import { scanObject } from '../json/object-scan.ts';
import { canonicalString, rawMember, rawValue } from '../json/json-text.ts';

/** One label: its key, and its JSON text `"key":"value"`. */
export type Label = { readonly key: string; readonly text: string };

/** Parsed labels of containers, which repeat with every record. */
const agentLabels = new Map<string, readonly Label[]>();
const agentLabelsMax = 256;

export function labelOf(key: string, value: string): Label {
  return { key, text: `${JSON.stringify(key)}:${JSON.stringify(value)}` };
}

/** The label of a record's own time that the API would refuse. */
export function originalTime(refused: string | undefined): readonly Label[] {
  return refused === undefined ? [] : [labelOf('tailship.dev/original-time', refused)];
}

export type RecordLabels = {
  readonly labels: readonly Label[];
  /** JSON object of the labels without room, which stay in the payload; '' for none. */
  readonly rest: string;
};

/** Whether `text` is longer than `bytesMax` in UTF-8. */
function isLonger(text: string, bytesMax: number): boolean {
  return text.length * 3 > bytesMax && Buffer.byteLength(text) > bytesMax;
}

/**
 * The JSON string of a raw label value: a string unchanged, anything else as its JSON text.
 * Undefined when that is too long: cut off by the API, it would not be JSON.
 */
function labelValue(raw: string): string | undefined {
  const text = canonicalString(raw);
  if (text !== undefined) return text;
  return isLonger(raw, limits.labelValueBytesMax) ? undefined : JSON.stringify(raw);
}

/**
 * The labels in a raw `logging.googleapis.com/labels`, the first `countMax` of them; none when it
 * is no object.
 */
export function readLabels(raw: string, countMax: number): RecordLabels {
  const object = raw[0] === '{' ? scanObject(raw) : undefined;
  if (object === undefined) return { labels: [], rest: '' };
  const labels: Label[] = [];
  const left: string[] = [];
  for (const member of object.members) {
    const { key } = member;
    const hasRoom = labels.length < countMax && !isLonger(key, limits.labelKeyBytesMax);
    const value = hasRoom ? labelValue(rawValue(object, member)) : undefined;
    if (value === undefined) {
      left.push(rawMember(object, member));
    } else {
      labels.push({ key, text: `${JSON.stringify(key)}:${value}` });
    }
  }
  return { labels, rest: left.length === 0 ? '' : `{${left.join(',')}}` };
}

function parseAgentLabels(members: string): readonly Label[] {
  const known = agentLabels.get(members);
  if (known !== undefined) return known;
  const { labels } = readLabels(`{${members}}`, limits.labelsMax);
  if (agentLabels.size >= agentLabelsMax) agentLabels.clear();
  agentLabels.set(members, labels);
  return labels;
}

/** The number of labels that a record may add. */
export function labelRoom({ labels, requestLabels }: EncodeContext): number {
  return limits.labelsMax - requestLabels - parseAgentLabels(labels).length;
}

/**
 * Members of the entry's labels, without braces. `agent` is such a text already; of a key in both,
 * the record's value wins.
 */
export function joinLabels(agent: string, own: readonly Label[]): string {
  if (own.length === 0) return agent;
  const keys = new Set(own.map((label) => label.key));
  const kept = parseAgentLabels(agent).filter((label) => !keys.has(label.key));
  return [...kept, ...own].map((label) => label.text).join(',');
}
