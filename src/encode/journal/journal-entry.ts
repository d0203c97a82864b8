// Writes the LogEntry of one journal entry.
//
// Invariant: its insertId is made of the entry's sequence number and the id of its numbering, so an
// entry that is read again is the same entry, and ids sort in the order of the journal.

import assert from 'node:assert';

import type { JournalEntry } from '../../journal/journal-file.ts';
import type { JournalField } from '../../journal/journal-fields.ts';
import { limits } from '../../config.ts';
import { severityOfPriority, type Severity } from '../../log-severity.ts';
import type { EntryTemplate } from '../entries/entry-template.ts';
import { noSpecialFields, writeEntry, type Entry } from '../entries/entry.ts';
import { fitEntry } from '../entries/fit-entry.ts';
import { labelRoom, type Label } from '../entries/labels.ts';
import { readSpecialFields } from '../entries/special-fields.ts';
import { redactedText } from '../redaction/redact-object.ts';
import type { JsonObject } from '../json/object-scan.ts';
import { instantOf, isMoreThanADayAfter, type Instant } from '../rfc3339.ts';

const seqnumDigits = 11;
/** Protobuf enlarges a payload of strings by at most this factor. */
const growthMax = 2;

/** What all entries of one task share. */
export type JournalContext = {
  readonly seqnumId: string;
  readonly readAt: Instant;
  readonly readsPriority: boolean;
};

/** The payload of an entry, and the fields that rules have set. */
export type JournalContent = {
  readonly payload: Entry['payload'];
  readonly isRedacted: boolean;
  readonly ruled?: {
    /** The payload. */
    readonly object: JsonObject;
    readonly severity: Severity | undefined;
    /** RFC 3339. */
    readonly eventTime: string | undefined;
    readonly labels: readonly Label[];
  };
};

/** JSON texts: one, or several if the entry exceeds the API's limit. */
type WrittenEntry = {
  readonly severity: Severity;
  readonly insertId: string;
  readonly entries: readonly string[];
};

/** RFC 3339 of microseconds; caches the text of the second, which adjacent entries share. */
class MicrosecondClock {
  #second = -1;
  #text: string | undefined;

  /** undefined: the API refuses such a time. */
  textOf(micros: number, readAt: Instant): string | undefined {
    const second = Math.floor(micros / 1e6);
    if (second !== this.#second) {
      this.#second = second;
      const instant = instantOf(second, 0);
      const isRefused = instant === undefined || isMoreThanADayAfter(instant, readAt);
      this.#text = isRefused ? undefined : instant.text.slice(0, -1);
    }
    return this.#text && `${this.#text}.${String(micros - second * 1e6).padStart(6, '0')}Z`;
  }
}

export class JournalEntryWriter {
  readonly #context: JournalContext;
  readonly #clock = new MicrosecondClock();

  constructor(context: JournalContext) {
    this.#context = context;
  }

  /** The severity of an entry without rules. */
  severityOf(fields: readonly JournalField[]): Severity {
    return this.#context.readsPriority ? severityOf(fields) : 'DEFAULT';
  }

  /** RFC 3339. */
  timeOf({ realtimeMicros }: JournalEntry): string {
    const { readAt } = this.#context;
    return this.#clock.textOf(realtimeMicros, readAt) ?? readAt.text;
  }

  insertIdOf({ seqnum }: JournalEntry): string {
    return this.#context.seqnumId + seqnum.toString(36).padStart(seqnumDigits, '0');
  }

  write(
    journalEntry: JournalEntry,
    content: JournalContent,
    template: EntryTemplate,
  ): WrittenEntry {
    const { readAt, readsPriority } = this.#context;
    const { fields } = journalEntry;
    const { payload, isRedacted } = content;
    const insertId = this.insertIdOf(journalEntry);
    const plain: Entry = {
      ...noSpecialFields,
      payload,
      stream: 'stdout',
      timestamp: this.timeOf(journalEntry),
      severity: this.severityOf(fields),
      insertId: `"${insertId}"`,
      labels: template.labels,
      // A value redacted in the payload must not appear in other fields.
      sourceLocation: readsPriority && !isRedacted ? sourceLocationOf(fields) : '',
    };
    const entry = content.ruled === undefined ? plain : this.#ruled(plain, content, template);
    const { severity } = entry;
    const bytes = entry.payload.json.length + entry.labels.length;
    if (bytes * growthMax < limits.entryBytesMax) {
      return { severity, insertId, entries: [writeEntry(entry, template)] };
    }
    const asText = () => ({ entry, text: textOf(entry.payload) });
    const context = { ...template, requestLabels: 0, traceParent: undefined, readAt };
    const parts = fitEntry(entry, { context, insertId, asText });
    return { severity, insertId, entries: parts.map((part) => writeEntry(part, template)) };
  }

  /** Special fields of structured logging apply to payloads that rules have parsed. */
  #ruled(plain: Entry, { ruled, isRedacted }: JournalContent, template: EntryTemplate): Entry {
    assert(ruled !== undefined);
    const { object, labels, eventTime } = ruled;
    const { readAt } = this.#context;
    const context = { ...template, requestLabels: 0, traceParent: undefined, readAt };
    const insertId = plain.insertId.slice(1, -1);
    const room = Math.max(0, labelRoom(context) - 2);
    const line = { stream: plain.stream, time: plain.timestamp, insertId, eventTime };
    const entry = readSpecialFields(object, { ...line, marks: labels.slice(0, room) }, context);
    const namesSeverity = object.members.some(({ key }) => key === 'severity' || key === 'level');
    const isIdHidden = isRedacted && entry.insertId.includes(redactedText);
    return {
      ...entry,
      severity: ruled.severity ?? (namesSeverity ? entry.severity : plain.severity),
      insertId: isIdHidden ? plain.insertId : entry.insertId,
      sourceLocation: entry.sourceLocation || plain.sourceLocation,
    };
  }
}

function textOf({ kind, json }: Entry['payload']): Buffer {
  return Buffer.from(kind === 'text' ? (JSON.parse(json) as string) : json);
}

/** The first value of a field, as JSON text. */
function jsonOf(fields: readonly JournalField[], wanted: string): string | undefined {
  return fields.find(({ name }) => name === wanted)?.json;
}

function severityOf(fields: readonly JournalField[]): Severity {
  const priority = jsonOf(fields, 'PRIORITY');
  return severityOfPriority(Number(priority?.slice(1, -1) || '-1'));
}

function sourceLocationOf(fields: readonly JournalField[]): string {
  const file = jsonOf(fields, 'CODE_FILE');
  if (file === undefined) return '';
  const line = jsonOf(fields, 'CODE_LINE');
  const name = jsonOf(fields, 'CODE_FUNC');
  // The API accepts a line only as an int64 in a string.
  const isNumber = line !== undefined && /^"\d{1,18}"$/.test(line);
  const members = [`"file":${file}`];
  if (isNumber) members.push(`"line":${line}`);
  if (name !== undefined) members.push(`"function":${name}`);
  return `{${members.join(',')}}`;
}
