// Takes the special fields of structured logging out of a JSON record. Called for every record that is a JSON object. The rules are
// those of Google's "Structured logging" page, and where it is silent those of the two open agents (docs in ARCHITECTURE.md). The
// invariant: whatever the tenant wrote, the entry is accepted by a strict proto3 JSON parser, and nothing is lost without a rule.

import type { Stream } from './cri-line.ts';
import type { EncodeContext, Entry } from './entry.ts';
import { readEventTime } from './event-time.ts';
import type { JsonObject, Member } from './json-scan.ts';
import { canonicalString, rawMember, rawValue, stringValue } from './json-text.ts';
import { joinLabels, labelOf, parseLabels } from './labels.ts';
import type { Label } from './labels.ts';
import { parseLevel, parseSeverity, severityOfStream } from './severity.ts';
import {
  httpRequestFields,
  operationFields,
  readSubMessage,
  sourceLocationFields,
} from './sub-message.ts';
import type { MessageFields } from './sub-message.ts';

/** The keys that mean something, each with the name it has here. */
const specialKeys = new Map([
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
] as const);

type SpecialName = typeof specialKeys extends Map<string, infer Name> ? Name : never;

/** What the rules read, and what they leave for the payload. */
type Record_ = {
  readonly object: JsonObject;
  /** The special members that are there. */
  readonly found: Map<SpecialName, Member>;
  /** Members that are not in the payload as they stand: '' is gone, else the value that stays under the key. */
  readonly changed: Map<Member, string>;
};

export type LineFacts = {
  readonly stream: Stream;
  readonly time: string;
  readonly insertId: string;
  /** Labels that the agent adds to this entry. */
  readonly marks: readonly Label[];
};

/** The raw value of a special member, or undefined. */
function peek(record: Record_, name: SpecialName): string | undefined {
  const member = record.found.get(name);
  return member === undefined ? undefined : rawValue(record.object, member);
}

/** As `peek`, and the member goes out of the payload. */
function take(record: Record_, name: SpecialName): string | undefined {
  const member = record.found.get(name);
  if (member === undefined) return undefined;
  record.changed.set(member, '');
  return rawValue(record.object, member);
}

function takeSeverity(record: Record_, stream: Stream): string {
  const raw = take(record, 'severity');
  if (raw !== undefined) return parseSeverity(stringValue(raw) ?? raw) ?? 'DEFAULT';
  // GKE's own configuration copies `level` where `severity` is missing, and leaves it in the payload.
  const level = peek(record, 'level');
  const word = level === undefined ? undefined : stringValue(level);
  return (word === undefined ? undefined : parseLevel(word)) ?? severityOfStream(stream);
}

/** A member that must be a string with something in it; '' when it is not, and it is gone from the payload in any case. */
function takeString(record: Record_, name: SpecialName): string {
  const raw = take(record, name);
  const text = raw === undefined ? undefined : canonicalString(raw);
  return text === undefined || text === '""' ? '' : text;
}

function takeTrace(record: Record_, traceParent: string | undefined): string {
  const trace = takeString(record, 'trace');
  const isHex = /^"[0-9A-Fa-f]{32}"$/.test(trace);
  return isHex && traceParent !== undefined
    ? JSON.stringify(`${traceParent}/traces/${trace.slice(1, -1)}`)
    : trace;
}

/** The field's JSON, or ''; what the message does not know, and all of what is no object, stays in the payload. */
function takeSubMessage(record: Record_, name: SpecialName, fields: MessageFields): string {
  const member = record.found.get(name);
  if (member === undefined) return '';
  const raw = rawValue(record.object, member);
  if (raw === 'null') {
    record.changed.set(member, '');
    return '';
  }
  const message = readSubMessage(raw, fields);
  if (message === undefined) return '';
  record.changed.set(member, message.rest);
  return message.field;
}

function takeTraceSampled(record: Record_): boolean {
  const raw = take(record, 'traceSampled');
  return raw === 'true' || raw === '"true"' || raw === '1';
}

/** The time of the entry; a time that the API would refuse becomes a label. */
function takeTime(record: Record_, lineTime: string): { text: string; marks: readonly Label[] } {
  const time = readEventTime(
    {
      timestamp: peek(record, 'timestamp'),
      timestampSeconds: peek(record, 'timestampSeconds'),
      timestampNanos: peek(record, 'timestampNanos'),
      time: peek(record, 'time'),
    },
    lineTime,
  );
  for (const name of time.consumed) take(record, name);
  const { refused } = time;
  const marks = refused === undefined ? [] : [labelOf('tailship.dev/original-time', refused)];
  return { text: time.text, marks };
}

/** What is left: a text when it is `message` alone and a string, else an object of the source's own text. */
function restOf(record: Record_): Entry['payload'] {
  const { object, changed } = record;
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
  const record: Record_ = { object, found: new Map(), changed: new Map() };
  for (const member of object.members) {
    const name = specialKeys.get(member.key as never);
    if (name !== undefined) record.found.set(name, member);
  }
  const time = takeTime(record, line.time);
  const labels = take(record, 'labels');
  const own = labels === undefined ? [] : parseLabels(labels);
  const names = new Set(own.map((label) => label.key));
  const marks = [...line.marks, ...time.marks].filter((mark) => !names.has(mark.key));
  const entry = {
    stream: line.stream,
    timestamp: time.text,
    severity: takeSeverity(record, line.stream),
    insertId: takeString(record, 'insertId') || JSON.stringify(line.insertId),
    labels: joinLabels(context.labels, [...marks, ...own]),
    httpRequest: takeSubMessage(record, 'httpRequest', httpRequestFields),
    operation: takeSubMessage(record, 'operation', operationFields),
    sourceLocation: takeSubMessage(record, 'sourceLocation', sourceLocationFields),
    trace: takeTrace(record, context.traceParent),
    spanId: takeString(record, 'spanId'),
    traceSampled: takeTraceSampled(record),
    split: '',
  };
  return { ...entry, payload: restOf(record) };
}
