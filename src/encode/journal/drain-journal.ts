// Drains entries of one journal file into a request body.
//
// Invariant: what it reports as handled is in the body, or is not asked for; nothing else of the
// file is.

import assert from 'node:assert';
import { fstatSync } from 'node:fs';
import { threadCpuUsage } from 'node:process';

import { JournalCorrupt } from '../../journal/journal-bytes.ts';
import type { JournalField } from '../../journal/journal-fields.ts';
import { JournalFile, type EntryHead } from '../../journal/journal-file.ts';
import { JournalUnknown } from '../../journal/journal-header.ts';
import { PayloadWriter } from '../../journal/journal-payload.ts';
import { severityIndex, severityNames } from '../../log-severity.ts';
import type { DrainResult, DrainTask, JournalResult, JournalSegment } from '../drain-task.ts';
import type { EntryTemplate } from '../entries/entry-template.ts';
import type { Entry } from '../entries/entry.ts';
import { GrowingBody } from '../growing-body.ts';
import { createRedactor, type Redactor } from '../redaction/redactor.ts';
import { instantOfClock } from '../rfc3339.ts';
import { isKept } from '../rules/sampling.ts';
import type { SharedLayout } from '../shared-memory.ts';
import { JournalEntryWriter } from './journal-entry.ts';
import { templateOfUnit } from './unit-logs.ts';

/** Read at once: entries lie close together, the fields that they share far apart. */
const fewBlockBytes = 16 * 1024;
const manyBlockBytes = 128 * 1024;
const unitField = '_SYSTEMD_UNIT';

/** What a task counts, and how far it has come. */
type Progress = { -readonly [Name in keyof JournalResult]: JournalResult[Name] } & {
  severities: number[];
};

/** Fills the task's slot. */
export function drainJournalTask(
  memory: Buffer,
  layout: SharedLayout,
  task: DrainTask,
): DrainResult {
  const before = threadCpuUsage();
  const { journal: segment } = task;
  assert(segment !== undefined);
  const body = new GrowingBody(memory, layout, task);
  const progress = noProgress(segment);
  try {
    const size = fstatSync(segment.fd).size;
    const file = new JournalFile(segment.fd, {
      size,
      blockBytes: segment.isFew ? fewBlockBytes : manyBlockBytes,
    });
    progress.entryCount = file.header.entryCount;
    if (!skipTwins(file, segment, progress)) drainFile(file, { task, segment, body, progress });
    progress.corruptEntries = file.corruptEntries;
    progress.corruptTail = file.corruptTail;
    progress.incompleteFields = file.fields.incomplete;
  } catch (error) {
    // What was handled before it counts; of the rest nothing can be read.
    progress.readError = reasonOf(error);
    progress.isAtEnd = true;
  }
  const bodyBytes = body.close();
  const { user, system } = threadCpuUsage(before);
  const { entries } = body;
  return { bodyBytes, entries, sources: [], journal: progress, cpuMicros: user + system };
}

function noProgress({ afterSeqnum, hint }: JournalSegment): Progress {
  return {
    lastSeqnum: afterSeqnum,
    lastHash: 0,
    lastRealtimeMicros: 0,
    hint,
    isAtEnd: false,
    entryCount: 0,
    lines: 0,
    entries: 0,
    bytes: 0,
    severities: severityNames.map(() => 0),
    redacted: 0,
    sampledOut: 0,
    corruptEntries: 0,
    corruptTail: 0,
    incompleteFields: 0,
    awaitsTwin: false,
    readError: undefined,
  };
}

/**
 * Passes over the copies of what was read elsewhere; true when the copy that ends them is not there
 * yet.
 */
function skipTwins(
  file: JournalFile,
  { afterSeqnum, twins }: JournalSegment,
  progress: Progress,
): boolean {
  if (twins.length === 0) return false;
  const untilMicros = Math.max(...twins.map(({ realtimeMicros }) => realtimeMicros));
  let last: EntryHead | undefined;
  let isPastTwins = false;
  file.readHeads(afterSeqnum, (head) => {
    isPastTwins = head.realtimeMicros > untilMicros;
    if (isPastTwins) return false;
    if (twins.some(({ hash }) => hash === head.twinHash)) {
      progress.lastSeqnum = head.seqnum;
      progress.lastHash = head.twinHash;
      progress.lastRealtimeMicros = head.realtimeMicros;
    }
    last = head;
    return true;
  });
  const isFound = progress.lastSeqnum !== afterSeqnum;
  progress.awaitsTwin = last !== undefined && !isFound && !isPastTwins;
  return progress.awaitsTwin;
}

type Parts = {
  readonly task: DrainTask;
  readonly segment: JournalSegment;
  readonly body: GrowingBody;
  readonly progress: Progress;
};

function drainFile(file: JournalFile, { task, segment, body, progress }: Parts): void {
  const payloads = new PayloadWriter();
  const writer = new JournalEntryWriter({
    seqnumId: file.header.seqnumId,
    readAt: instantOfClock(task.readAtMs),
    readsPriority: segment.readsPriority,
  });
  const templates = new Map<string, EntryTemplate | undefined>();
  const templateOf = (fields: readonly JournalField[]): EntryTemplate | undefined => {
    const json = fields.find(({ name }) => name === unitField)?.json ?? '';
    if (!templates.has(json)) templates.set(json, templateOfUnit(unitOf(json), segment));
    return templates.get(json);
  };
  const { redact = [], shares } = segment.recordRule ?? {};
  const redactor = redact.length === 0 ? undefined : createRedactor(redact);
  let left = segment.entriesMax;
  let lastOffset = 0;
  progress.isAtEnd = true;
  const range = { afterSeqnum: progress.lastSeqnum, hint: segment.hint };
  file.read(range, (entry) => {
    if (left === 0 || body.out >= body.softEnd) return ((progress.isAtEnd = false), false);
    left -= 1;
    const template = templateOf(entry.fields);
    if (template !== undefined) {
      const content = redacted(payloads.write(entry.fields), redactor);
      const written = writer.write(entry, content, template);
      const { out } = body;
      const severity = severityIndex(written.severity);
      const share = shares?.[severity] ?? 1;
      const isWanted = share === 1 || isKept(written.insertId, share);
      if (isWanted && !body.append(written.entries)) return ((progress.isAtEnd = false), false);
      const count = isWanted ? written.entries.length : 0;
      progress.bytes += body.out - out;
      progress.entries += count;
      progress.lines += 1;
      progress.severities[severity]! += count;
      if (content.isRedacted) progress.redacted += count;
      if (!isWanted) progress.sampledOut += 1;
    }
    progress.lastSeqnum = entry.seqnum;
    progress.lastRealtimeMicros = entry.realtimeMicros;
    lastOffset = entry.offset;
    return true;
  });
  progress.hint = file.hint;
  progress.lastHash = file.headAt(lastOffset)?.twinHash ?? progress.lastHash;
}

/** The payload of an entry, without what is to be hidden. */
function redacted(
  json: string,
  redactor: Redactor | undefined,
): { readonly payload: Entry['payload']; readonly isRedacted: boolean } {
  const hidden = redactor?.redact(json);
  if (hidden === undefined) return { payload: { kind: 'json', json }, isRedacted: false };
  const payload: Entry['payload'] = hidden.mayBeObject
    ? { kind: 'json', json: hidden.text }
    : { kind: 'text', json: JSON.stringify(hidden.text) };
  return { payload, isRedacted: true };
}

function unitOf(json: string): string | undefined {
  return json === '' ? undefined : (JSON.parse(json) as string);
}

function reasonOf(error: unknown): string {
  if (error instanceof JournalCorrupt || error instanceof JournalUnknown) return error.message;
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  return code;
}
