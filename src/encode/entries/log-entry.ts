// The reference encoder: one record in, the JSON text of its LogEntry and its severity out. It is
// the specification of the kernel, which must write the same bytes, and it encodes every record,
// also those that the kernel hands back.

import { limits } from '../../config.ts';
import type { Severity } from '../../log-severity.ts';
import type { Stream } from './entry-template.ts';
import { noSpecialFields, writeEntry } from './entry.ts';
import type { EncodeContext, Entry } from './entry.ts';
import { acceptedTime, ofTime, readEventTime } from './event-time.ts';
import { fitEntry, splitRecord } from './fit-entry.ts';
import type { PartJson } from './fit-entry.ts';
import { scanObject, type JsonObject } from '../json/object-scan.ts';
import { parseKlog } from './klog.ts';
import { joinLabels, labelOf, labelRoom, originalTime } from './labels.ts';
import type { Label } from './labels.ts';
import { severityOfStream } from './severity.ts';
import { redactedText, redactedWhole } from '../redaction/redact-object.ts';
import { readSpecialFields } from './special-fields.ts';

/** A line, or the lines that were joined to it. */
export type RecordInput = {
  /** The content's bytes, partial lines joined; not decoded, not necessarily UTF-8. */
  readonly content: Uint8Array;
  /** RFC 3339 of the first line. */
  readonly time: string;
  readonly stream: Stream;
  readonly insertId: string;
  /** Why the record is incomplete: longer than `limits.lineBytesMax`, or its end never came. */
  readonly incomplete?: 'cut' | 'flushed';
};

export type EncodedRecord = {
  readonly severity: Severity;
  /** JSON texts of its entries: one, or several when it is larger than an entry may be. */
  readonly entries: readonly string[];
  /** Something was hidden. */
  readonly isRedacted: boolean;
};

// Invalid bytes become U+FFFD, one for each maximal subpart; a byte order mark is content.
export const utf8 = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });

// `1,` in an array becomes 11 bytes of protobuf, and nothing grows more. A record small enough to
// fit in any case needs no exact size.
const growthMax = 6;
const smallBytesMax = Math.floor((limits.entryBytesMax - 4 * limits.entryReserveBytes) / growthMax);

const openBrace = 0x7b;

/** Whether the first byte after JSON white space is a brace, as in every object. */
export function mayBeObject(content: Uint8Array): boolean {
  for (let at = 0; at < content.length; at++) {
    const byte = content[at];
    if (byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d) continue;
    return byte === openBrace;
  }
  return false;
}

function marksOf(record: RecordInput): readonly Label[] {
  const { incomplete } = record;
  return incomplete === undefined ? [] : [labelOf('tailship.dev/incomplete', incomplete)];
}

/** An entry with the record's properties and `payload`. */
function plainEntry(record: RecordInput, payload: Entry['payload'], context: EncodeContext): Entry {
  const time = acceptedTime(record.time, context.readAt);
  const marks = [...marksOf(record), ...originalTime(time.refused)];
  return {
    payload,
    stream: record.stream,
    timestamp: time.text,
    severity: severityOfStream(record.stream),
    insertId: JSON.stringify(record.insertId),
    labels: joinLabels(context.labels, marks),
    ...noSpecialFields,
  };
}

function textEntry(record: RecordInput, text: string, context: EncodeContext): Entry {
  return plainEntry(record, { kind: 'text', json: JSON.stringify(text) }, context);
}

function klogEntry(record: RecordInput, text: string, context: EncodeContext): Entry | undefined {
  const klog = parseKlog(text);
  if (klog === undefined) return undefined;
  const json = `{"pid":"${klog.pid}","message":${JSON.stringify(klog.message)}}`;
  return {
    ...plainEntry(record, { kind: 'json', json }, context),
    severity: klog.severity,
    sourceLocation: `{"file":${JSON.stringify(klog.file)},"line":"${klog.line}"}`,
  };
}

/** A record as it may be shipped, and its text. */
type Content = {
  readonly record: RecordInput;
  readonly text: string;
  readonly mayBeObject: boolean;
  readonly isRedacted: boolean;
  /** The most bytes that the record may have; default are those of its content. */
  readonly bytes?: number;
};

function readContent(record: RecordInput, context: EncodeContext): Content {
  const text = utf8.decode(record.content);
  const redacted = context.redactor?.redact(text);
  if (redacted === undefined) {
    return { record, text, mayBeObject: mayBeObject(record.content), isRedacted: false };
  }
  const content = Buffer.from(redacted.text);
  // Hiding many short matches makes it longer than the slot has room for.
  const isTooLong = content.length > Math.max(record.content.length, limits.lineBytesMax);
  if (!isTooLong) return { ...redacted, record: { ...record, content }, isRedacted: true };
  const whole = { ...record, content: Buffer.from(redactedText) };
  return { ...redactedWhole, record: whole, isRedacted: true };
}

function finish(
  own: Entry,
  { record, text, isRedacted, bytes = record.content.length }: Content,
  context: EncodeContext,
): EncodedRecord {
  const { severity } = own;
  // Entries with equal times and ids would count as one, and a hidden id equals others.
  const isIdHidden = isRedacted && own.insertId.includes(redactedText);
  const entry = isIdHidden ? { ...own, insertId: JSON.stringify(record.insertId) } : own;
  if (bytes + context.labels.length <= smallBytesMax) {
    return { severity, entries: [writeEntry(entry, context)], isRedacted };
  }
  const fallback = {
    context,
    insertId: record.insertId,
    asText: () => ({ entry: textEntry(record, '', context), text: Buffer.from(text) }),
  };
  const parts = fitEntry(entry, fallback);
  return { severity, entries: parts.map((part) => writeEntry(part, context)), isRedacted };
}

/** The entries of a record: a JSON object, klog, or text. */
export function encodeRecord(record: RecordInput, context: EncodeContext): EncodedRecord {
  const content = readContent(record, context);
  const { text } = content;
  const object = content.mayBeObject ? scanObject(text) : undefined;
  const entry =
    object === undefined
      ? (klogEntry(record, text, context) ?? textEntry(record, text, context))
      : readSpecialFields(object, { ...record, marks: marksOf(record) }, context);
  return finish(entry, content, context);
}

/**
 * As `encodeRecord`, for a line that is not of its file's format: always text, on the log `stdout`,
 * without a severity. The content is the raw line.
 */
export function encodeText(record: RecordInput, context: EncodeContext): EncodedRecord {
  const content = readContent(record, context);
  const entry = textEntry({ ...record, stream: 'stdout' }, content.text, context);
  return finish({ ...entry, severity: 'DEFAULT' }, content, context);
}

/** The entries of an object that is sent as its text, with its own severity and time. */
export function encodeAsText(
  record: RecordInput,
  own: Pick<Entry, 'severity' | 'timestamp'>,
  written: { readonly context: EncodeContext; readonly partJson: PartJson },
): string[] {
  const { context } = written;
  const entry = { ...textEntry(record, '', context), ...own };
  return splitRecord(entry, record.content, written).map((part) => writeEntry(part, context));
}

/** The result of rules on a record. */
export type Shape = {
  /** Its text, or that of the object. */
  readonly text: string;
  readonly object: JsonObject | undefined;
  readonly severity: Severity | undefined;
  /** RFC 3339. */
  readonly eventTime: string | undefined;
  readonly labels: readonly Label[];
};

type ShapedRecord = {
  readonly record: RecordInput;
  /** It is not of its file's format. */
  readonly isText: boolean;
  readonly shape: Shape;
  readonly isRedacted: boolean;
};

function shapedEntry({ record, isText, shape }: ShapedRecord, context: EncodeContext): Entry {
  const { text, object, severity, eventTime } = shape;
  const labels = shape.labels.slice(0, Math.max(0, labelRoom(context) - 2));
  if (object !== undefined) {
    const marks = [...marksOf(record), ...labels];
    const facts = { ...record, marks, eventTime };
    const entry = readSpecialFields(object, facts, context);
    return severity === undefined ? entry : { ...entry, severity };
  }
  const plain = isText ? undefined : klogEntry(record, text, context);
  const entry = plain ?? textEntry(record, text, context);
  const raw = eventTime === undefined ? undefined : JSON.stringify(eventTime);
  const time =
    raw === undefined ? undefined : readEventTime(ofTime(raw), record.time, context.readAt);
  const own = [...labels, ...originalTime(time?.refused)];
  return {
    ...entry,
    timestamp: time?.text ?? entry.timestamp,
    severity: severity ?? (isText ? 'DEFAULT' : entry.severity),
    labels: joinLabels(entry.labels, own),
  };
}

/** The entries of a record after rules. */
export function encodeShape(shaped: ShapedRecord, context: EncodeContext): EncodedRecord {
  const { isText, shape, isRedacted } = shaped;
  const record = isText ? { ...shaped.record, stream: 'stdout' as const } : shaped.record;
  const entry = shapedEntry({ ...shaped, record }, context);
  // Three bytes of UTF-8 are the most that one UTF-16 unit takes.
  const bytes = shape.text.length * 3;
  const { text } = shape;
  const content = { record, text, mayBeObject: true, isRedacted, bytes };
  return finish(entry, content, context);
}
