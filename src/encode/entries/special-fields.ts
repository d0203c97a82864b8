// Takes the special fields of structured logging out of a JSON record. The rules are those of
// Google's "Structured logging" page, and where it is silent those of the two open agents
// (docs/entries.md). The invariant: whatever the tenant wrote, a strict proto3 JSON parser accepts
// the entry, and nothing is lost without a rule.

import type { Severity } from '../../log-severity.ts';
import type { Stream } from './entry-template.ts';
import type { EncodeContext, Entry } from './entry.ts';
import { ofTime, readEventTime } from './event-time.ts';
import type { TimeFields } from './event-time.ts';
import type { JsonObject, Member } from '../json/object-scan.ts';
import { canonicalString, rawMember, rawValue, stringValue } from '../json/json-text.ts';
import { joinLabels, labelRoom, originalTime, readLabels } from './labels.ts';
import type { Label } from './labels.ts';
import type { Instant } from '../rfc3339.ts';
import { parseLevel, parseSeverity, severityOfStream } from './severity.ts';
import {
  httpRequestFields,
  operationFields,
  readSubMessage,
  sourceLocationFields,
} from './sub-message.ts';
import type { MessageFields } from './sub-message.ts';

type SpecialName =
  | keyof TimeFields
  | 'severity'
  | 'level'
  | 'httpRequest'
  | 'insertId'
  | 'labels'
  | 'operation'
  | 'sourceLocation'
  | 'spanId'
  | 'trace'
  | 'traceSampled';

/** The special keys. A Map, because tenants write keys like `constructor`. */
const specialKeys: ReadonlyMap<string, SpecialName> = new Map<string, SpecialName>([
  ['severity', 'severity'],
  ['level', 'level'],
  ['timestamp', 'timestamp'],
  ['timestampSeconds', 'timestampSeconds'],
  ['timestampNanos', 'timestampNanos'],
  ['time', 'time'],
  ['httpRequest', 'httpRequest'],
  ['logging.googleapis.com/insertId', 'insertId'],
  ['logging.googleapis.com/labels', 'labels'],
  ['logging.googleapis.com/operation', 'operation'],
  ['logging.googleapis.com/sourceLocation', 'sourceLocation'],
  ['logging.googleapis.com/spanId', 'spanId'],
  ['logging.googleapis.com/trace', 'trace'],
  ['logging.googleapis.com/trace_sampled', 'traceSampled'],
]);

/** The fields of a record, and those that stay in the payload. */
type Fields = {
  readonly object: JsonObject;
  /** The special members of the record. */
  readonly found: Map<SpecialName, Member>;
  /** Members that leave the payload (''), or the value that stays in it under the key. */
  readonly changed: Map<Member, string>;
};

export type LineFacts = {
  readonly stream: Stream;
  readonly time: string;
  readonly insertId: string;
  /** Labels that the agent adds to this entry. */
  readonly marks: readonly Label[];
  /** RFC 3339 time from a rule, which wins over those of the record. */
  readonly eventTime?: string | undefined;
};

/** The raw value of a special member, or undefined. */
function peek(source: Fields, name: SpecialName): string | undefined {
  const member = source.found.get(name);
  return member === undefined ? undefined : rawValue(source.object, member);
}

/** Like `peek`, and removes the member from the payload. */
function take(source: Fields, name: SpecialName): string | undefined {
  const member = source.found.get(name);
  if (member === undefined) return undefined;
  source.changed.set(member, '');
  return rawValue(source.object, member);
}

function takeSeverity(source: Fields, stream: Stream): Severity {
  const raw = take(source, 'severity');
  if (raw !== undefined) return parseSeverity(stringValue(raw) ?? raw) ?? 'DEFAULT';
  // GKE's own configuration copies `level` if `severity` is missing, and leaves it in the payload.
  const level = peek(source, 'level');
  const word = level === undefined ? undefined : stringValue(level);
  return (word === undefined ? undefined : parseLevel(word)) ?? severityOfStream(stream);
}

/** Removes a member that must be a string; '' if it is none or empty. */
function takeString(source: Fields, name: SpecialName): string {
  const raw = take(source, name);
  const text = raw === undefined ? undefined : canonicalString(raw);
  return text === undefined || text === '""' ? '' : text;
}

function takeTrace(source: Fields, traceParent: string | undefined): string {
  const trace = takeString(source, 'trace');
  const isHex = /^"[0-9A-Fa-f]{32}"$/.test(trace);
  return isHex && traceParent !== undefined
    ? JSON.stringify(`${traceParent}/traces/${trace.slice(1, -1)}`)
    : trace;
}

/**
 * The field's JSON, or ''. Members that the message does not know, and any value but an object,
 * stay in the payload.
 */
function takeSubMessage(source: Fields, name: SpecialName, fields: MessageFields): string {
  const member = source.found.get(name);
  if (member === undefined) return '';
  const raw = rawValue(source.object, member);
  if (raw === 'null') {
    source.changed.set(member, '');
    return '';
  }
  const message = readSubMessage(raw, fields);
  if (message === undefined) return '';
  source.changed.set(member, message.rest);
  return message.field;
}

function takeTraceSampled(source: Fields): boolean {
  const raw = take(source, 'traceSampled');
  return raw === 'true' || raw === '"true"' || raw === '1';
}

/** The record's labels, up to `countMax`; others stay in the payload. */
function takeLabels(source: Fields, countMax: number): readonly Label[] {
  const member = source.found.get('labels');
  if (member === undefined) return [];
  const { labels, rest } = readLabels(rawValue(source.object, member), countMax);
  source.changed.set(member, rest);
  return labels;
}

/** The time of the entry; a time that the API would refuse becomes a label. */
function takeTime(
  source: Fields,
  { time: lineTime, eventTime }: LineFacts,
  readAt: Instant,
): { text: string; marks: readonly Label[] } {
  if (eventTime !== undefined) {
    const { text, refused } = readEventTime(ofTime(JSON.stringify(eventTime)), lineTime, readAt);
    return { text, marks: originalTime(refused) };
  }
  const time = readEventTime(
    {
      timestamp: peek(source, 'timestamp'),
      timestampSeconds: peek(source, 'timestampSeconds'),
      timestampNanos: peek(source, 'timestampNanos'),
      time: peek(source, 'time'),
    },
    lineTime,
    readAt,
  );
  for (const name of time.consumed) take(source, name);
  return { text: time.text, marks: originalTime(time.refused) };
}

/** The rest: a text if it is only a string `message`, else an object of the source's text. */
function restOf(source: Fields): Entry['payload'] {
  const { object, changed } = source;
  const isWhole = object.isCompact === true && changed.size === 0;
  if (isWhole && object.members.length > 1) return { kind: 'json', json: object.text };
  const kept: string[] = [];
  let only: Member | undefined;
  for (const member of object.members) {
    const rest = changed.get(member);
    if (rest === '') continue;
    only = rest === undefined ? member : undefined;
    const key = object.text.slice(member.keyStart, member.keyEnd);
    kept.push(rest === undefined ? rawMember(object, member) : `${key}:${rest}`);
  }
  if (kept.length === 1 && only?.key === 'message') {
    const text = canonicalString(rawValue(object, only));
    if (text !== undefined) return { kind: 'text', json: text };
  }
  return { kind: 'json', json: `{${kept.join(',')}}` };
}

/** The entry of a record that is a JSON object. */
export function readSpecialFields(
  object: JsonObject,
  line: LineFacts,
  context: EncodeContext,
): Entry {
  const source: Fields = { object, found: new Map(), changed: new Map() };
  for (const member of object.members) {
    const name = specialKeys.get(member.key);
    if (name !== undefined) source.found.set(name, member);
  }
  const time = takeTime(source, line, context.readAt);
  const allMarks = [...line.marks, ...time.marks];
  const own = takeLabels(source, labelRoom(context) - allMarks.length);
  const names = new Set(own.map((label) => label.key));
  const marks = allMarks.filter((mark) => !names.has(mark.key));
  const entry = {
    stream: line.stream,
    timestamp: time.text,
    severity: takeSeverity(source, line.stream),
    insertId: takeString(source, 'insertId') || JSON.stringify(line.insertId),
    labels: joinLabels(context.labels, [...marks, ...own]),
    httpRequest: takeSubMessage(source, 'httpRequest', httpRequestFields),
    operation: takeSubMessage(source, 'operation', operationFields),
    sourceLocation: takeSubMessage(source, 'sourceLocation', sourceLocationFields),
    trace: takeTrace(source, context.traceParent),
    spanId: takeString(source, 'spanId'),
    traceSampled: takeTraceSampled(source),
    split: '',
  };
  return { ...entry, payload: restOf(source) };
}
