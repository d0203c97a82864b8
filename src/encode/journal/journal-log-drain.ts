// One log of the journal in one task: applies its rules and counts its entries.
//
// Invariant: if rules fail on an entry, it is shipped as it is in the journal and counts as a miss.

import { limits } from '../../config.ts';
import type { JournalEntry } from '../../journal/journal-file.ts';
import { severityIndex } from '../../log-severity.ts';
import type { JournalLog, JournalLogResult, RuleCount } from '../drain-task.ts';
import { redactedText } from '../redaction/redact-object.ts';
import { createRedactor, type Redactor } from '../redaction/redactor.ts';
import type { RecordRules, RuledRecord } from '../rules/record-rules.ts';
import { meaningOf, membersOf, RulePayload, type Members } from '../rules/rule-payload.ts';
import { openRecordRules, redactAgain } from '../rules/ruled-record.ts';
import { isKept } from '../rules/sampling.ts';
import type { JournalContent, JournalEntryWriter } from './journal-entry.ts';

const messageField = 'MESSAGE';
const hidden: JournalContent = {
  payload: { kind: 'text', json: JSON.stringify(redactedText) },
  isRedacted: true,
};

/** The result for one entry. */
export type LogDrained = {
  /** JSON texts; undefined: a rule drops it. */
  readonly entries: readonly string[] | undefined;
  readonly severity: number;
  readonly isRedacted: boolean;
  readonly isSampledOut: boolean;
  /** Indexes of rules that failed on it. */
  readonly misses: readonly number[];
  /** Index of the rule that dropped it. */
  readonly droppedBy: number | undefined;
};

const untouched = {
  isRedacted: false,
  isSampledOut: false,
  misses: [],
  droppedBy: undefined,
} as const;

export class JournalLogDrain {
  readonly log: JournalLog;
  readonly #name: string;
  readonly #writer: JournalEntryWriter;
  readonly #redactor: Redactor | undefined;
  readonly #rules: RecordRules | undefined;
  readonly #ruleCounts: { misses: number; dropped: number }[];
  readonly #counts = { lines: 0, entries: 0, bytes: 0 };

  constructor(name: string, log: JournalLog, writer: JournalEntryWriter) {
    const { redact = [], steps } = log.recordRule ?? {};
    this.#name = name;
    this.log = log;
    this.#writer = writer;
    this.#redactor = redact.length === 0 ? undefined : createRedactor(redact);
    this.#rules = steps === undefined ? undefined : openRecordRules(steps);
    this.#ruleCounts = (this.#rules?.names ?? []).map(() => ({ misses: 0, dropped: 0 }));
  }

  /** The counts so far. */
  get result(): JournalLogResult {
    return { name: this.#name, ...this.#counts };
  }

  /** Misses and drops of its rules. */
  get ruleCounts(): RuleCount[] {
    const names = this.#rules?.names ?? [];
    const all = this.#ruleCounts.map((counts, index) => ({ name: names[index] ?? '', ...counts }));
    return all.filter(({ misses, dropped }) => misses + dropped > 0);
  }

  /** The body has as many of its entries as its rate allows. */
  get isFull(): boolean {
    return this.#counts.bytes >= (this.log.bytesMax ?? Number.POSITIVE_INFINITY);
  }

  /** Nothing is counted until `count`: the body may have no room. */
  write(entry: JournalEntry, json: string): LogDrained {
    const content = redacted(json, this.#redactor);
    const rules = content.payload.kind === 'json' ? this.#rules : undefined;
    const members = rules === undefined ? undefined : membersOf(content.payload.json);
    return rules === undefined || members === undefined
      ? this.#finish(entry, content)
      : this.#writeRuled(entry, content, { rules, members });
  }

  /** Counts a handled entry and its bytes in the body. */
  count({ entries, isSampledOut, misses, droppedBy }: LogDrained, bytes: number): void {
    this.#counts.lines += 1;
    this.#counts.bytes += bytes;
    if (!isSampledOut) this.#counts.entries += entries?.length ?? 0;
    for (const index of misses) this.#ruleCounts[index]!.misses += 1;
    if (droppedBy !== undefined) this.#ruleCounts[droppedBy]!.dropped += 1;
  }

  /** Counts a skipped entry. */
  pass(): void {
    this.#counts.lines += 1;
  }

  #finish(entry: JournalEntry, content: JournalContent): LogDrained {
    const written = this.#writer.write(entry, content, this.log.template);
    const { entries, insertId } = written;
    const { isRedacted } = content;
    const severity = severityIndex(written.severity);
    const share = this.log.recordRule?.shares?.[severity] ?? 1;
    const isSampledOut = share !== 1 && !isKept(insertId, share);
    return { ...untouched, entries, severity, isRedacted, isSampledOut };
  }

  #writeRuled(
    entry: JournalEntry,
    content: JournalContent,
    { rules, members }: { readonly rules: RecordRules; readonly members: Members },
  ): LogDrained {
    const ruled = this.#open(entry, members, content.isRedacted);
    const { applied, misses, droppedBy } = rules.apply(ruled);
    if (droppedBy !== undefined) {
      return { ...untouched, entries: undefined, severity: 0, misses, droppedBy };
    }
    if (applied.length === 0) return { ...this.#finish(entry, content), misses };
    redactAgain(ruled, this.#redactor);
    const object = ruled.payload.toObject();
    const { severity, eventTime, labels, isRedacted } = ruled;
    const bytesMax = Math.max(content.payload.json.length, limits.lineBytesMax);
    if (object === undefined || object.text.length > bytesMax) {
      const last = applied.at(-1) ?? 0;
      const all = misses.includes(last) ? misses : [...misses, last];
      // Rules may have redacted part of it.
      const plain = isRedacted ? hidden : content;
      return { ...this.#finish(entry, plain), misses: all };
    }
    const payload = { kind: 'json', json: object.text } as const;
    const shaped = { object, severity, eventTime, labels };
    return { ...this.#finish(entry, { payload, isRedacted, ruled: shaped }), misses };
  }

  #open(entry: JournalEntry, members: Members, isRedacted: boolean): RuledRecord {
    const severity = this.#writer.severityOf(entry.fields);
    return {
      text: meaningOf(members.get(messageField) ?? ''),
      stream: 'stdout',
      time: this.#writer.timeOf(entry),
      payload: new RulePayload('', members),
      sampleId: () => this.#writer.insertIdOf(entry),
      streamSeverity: severity,
      severity: undefined,
      eventTime: undefined,
      labels: [],
      isRedacted,
    };
  }
}

/** The redacted payload of an entry. */
function redacted(json: string, redactor: Redactor | undefined): JournalContent {
  const found = redactor?.redact(json);
  if (found === undefined) return { payload: { kind: 'json', json }, isRedacted: false };
  const payload: JournalContent['payload'] = found.mayBeObject
    ? { kind: 'json', json: found.text }
    : { kind: 'text', json: JSON.stringify(found.text) };
  return { payload, isRedacted: true };
}
