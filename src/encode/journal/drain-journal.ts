// Drains entries of one journal file into a request body.
//
// Invariant: every entry reported as handled is in the body or is not wanted; no other entry is in
// the body.

import assert from 'node:assert';
import { fstatSync } from 'node:fs';
import { threadCpuUsage } from 'node:process';

import { JournalCorrupt } from '../../journal/journal-bytes.ts';
import type { JournalField } from '../../journal/journal-fields.ts';
import { JournalFile, type EntryHead } from '../../journal/journal-file.ts';
import { JournalUnknown } from '../../journal/journal-header.ts';
import { PayloadWriter } from '../../journal/journal-payload.ts';
import { logOfUnit } from '../../journal/unit-logs.ts';
import { severityNames } from '../../log-severity.ts';
import type { DrainResult, DrainTask, JournalResult, JournalSegment } from '../drain-task.ts';
import { GrowingBody } from '../growing-body.ts';
import { instantOfClock } from '../rfc3339.ts';
import type { SharedLayout } from '../shared-memory.ts';
import { JournalEntryWriter } from './journal-entry.ts';
import { JournalLogDrain, type LogDrained } from './journal-log-drain.ts';

/** Bytes per read: entries are close together, the fields that they share far apart. */
const fewBlockBytes = 16 * 1024;
const manyBlockBytes = 128 * 1024;
const unitField = '_SYSTEMD_UNIT';

/** What a task counts, and its progress. */
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
    // Entries handled before count; the rest cannot be read.
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
    rules: [],
    logs: [],
    nextLog: undefined,
    corruptEntries: 0,
    corruptTail: 0,
    incompleteFields: 0,
    awaitsTwin: false,
    readError: undefined,
  };
}

/**
 * Skips the copies of entries that were read in another file; true if the last of them has not been
 * written yet.
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
  const logs = new LogsOfUnits(segment, writer);
  let left = segment.entriesMax;
  let lastOffset = 0;
  progress.isAtEnd = true;
  const range = { afterSeqnum: progress.lastSeqnum, hint: segment.hint };
  file.read(range, (entry) => {
    const log = logs.of(entry.fields);
    const isNext = typeof log === 'string';
    if (isNext) progress.nextLog = log;
    const isFull = left === 0 || body.out >= body.softEnd || (!isNext && log?.isFull);
    if (isNext || isFull) return ((progress.isAtEnd = false), false);
    left -= 1;
    if (log?.log.isExcluded === true) log.pass();
    else if (log !== undefined) {
      const drained = log.write(entry, payloads.write(entry.fields));
      const { out } = body;
      const { entries, isSampledOut } = drained;
      const isShipped = entries !== undefined && !isSampledOut;
      if (isShipped && !body.append(entries)) return ((progress.isAtEnd = false), false);
      log.count(drained, body.out - out);
      note(progress, drained, body.out - out);
    }
    progress.lastSeqnum = entry.seqnum;
    progress.lastRealtimeMicros = entry.realtimeMicros;
    lastOffset = entry.offset;
    return true;
  });
  progress.hint = file.hint;
  progress.lastHash = file.headAt(lastOffset)?.twinHash ?? progress.lastHash;
  progress.logs = logs.all.map(({ result }) => result);
  progress.rules = logs.all.flatMap(({ ruleCounts }) => ruleCounts);
}

/** The logs of a task, by the JSON of the unit. */
class LogsOfUnits {
  readonly #segment: JournalSegment;
  readonly #writer: JournalEntryWriter;
  /** undefined: not shipped; a name: the task ends there. */
  readonly #byUnit = new Map<string, JournalLogDrain | string | undefined>();
  readonly #byName = new Map<string, JournalLogDrain>();
  /** Of the previous entry: the next one mostly has the same unit. */
  #index = 0;
  #field: JournalField | undefined;
  #log: JournalLogDrain | string | undefined;

  constructor(segment: JournalSegment, writer: JournalEntryWriter) {
    this.#segment = segment;
    this.#writer = writer;
  }

  get all(): JournalLogDrain[] {
    return [...this.#byName.values()];
  }

  of(fields: readonly JournalField[]): JournalLogDrain | string | undefined {
    if (fields[this.#index] === this.#field && this.#field !== undefined) return this.#log;
    const index = fields.findIndex(({ name }) => name === unitField);
    const json = fields[index]?.json ?? '';
    if (!this.#byUnit.has(json)) this.#byUnit.set(json, this.#open(unitOf(json)));
    this.#index = index;
    this.#field = fields[index];
    this.#log = this.#byUnit.get(json);
    return this.#log;
  }

  #open(unit: string | undefined): JournalLogDrain | string | undefined {
    const { logs, project } = this.#segment;
    const name = logOfUnit(unit, this.#segment);
    if (name === undefined) return undefined;
    const log = logs.get(name);
    if (log === undefined) return name;
    if (!log.isExcluded && log.template.project !== project) return name;
    // Several units can share one log.
    const drain = this.#byName.get(name) ?? new JournalLogDrain(name, log, this.#writer);
    this.#byName.set(name, drain);
    return drain;
  }
}

function note(progress: Progress, drained: LogDrained, bytes: number): void {
  const { entries, isSampledOut, severity, isRedacted } = drained;
  progress.bytes += bytes;
  progress.lines += 1;
  if (isSampledOut) progress.sampledOut += 1;
  const count = entries === undefined || isSampledOut ? 0 : entries.length;
  progress.entries += count;
  progress.severities[severity]! += count;
  if (isRedacted) progress.redacted += count;
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
