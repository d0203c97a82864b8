// Encodes records that are not the kernel's own lines into the body. Every function returns false,
// and has changed nothing, when the body has no room.

import { severityIndex } from '../../log-severity.ts';
import type { Stream } from '../entries/entry-template.ts';
import { incompleteInsertId, insertIdOf } from '../entries/insert-id.ts';
import { encodeRecord, encodeText } from '../entries/log-entry.ts';
import type { EncodedRecord, RecordInput } from '../entries/log-entry.ts';
import { stopLarge } from '../kernel/layout.ts';
import { appendLarge } from './large-object.ts';
import type { RecordRules, RuleEffects } from '../rules/record-rules.ts';
import { encodeRuled } from '../rules/ruled-record.ts';
import { isKept } from '../rules/sampling.ts';
import type { OpenPartial, BytePosition, RuleOutcome, SourceRun } from './source-run.ts';

/** `undecided` is a record that has all that can be said now, so it gets no mark. */
export type Incomplete = 'cut' | 'flushed' | 'undecided' | undefined;

export type WholeRecord = {
  readonly content: Uint8Array;
  readonly position: BytePosition;
  readonly time: string;
  readonly stream: Stream;
  readonly incomplete?: Incomplete;
};

const carriageReturn = 0x0d;
const newline = 0x0a;
/** Room before a join's content for the header that makes it a line: time, stream, tag. */
const joinHeaderBytes = 128;

function idPrefixOf(run: SourceRun, segment: number): string {
  return run.source.segments[segment]!.idPrefix;
}

function inputOf(run: SourceRun, record: WholeRecord): RecordInput {
  const { content, time, stream, position, incomplete } = record;
  const insertId = insertIdOf(idPrefixOf(run, position.segment), position.offset);
  if (incomplete === undefined) return { content, time, stream, insertId };
  const id = incompleteInsertId(insertId, content.length);
  if (incomplete === 'undecided') return { content, time, stream, insertId: id };
  return { content, time, stream, insertId: id, incomplete };
}

/** Whether the user wants the record; its position decides, so parts and repeats are alike. */
function isWanted(run: SourceRun, { position }: WholeRecord, severity: number): boolean {
  const share = run.source.recordRule?.shares?.[severity] ?? 1;
  return (
    share === 1 || isKept(insertIdOf(idPrefixOf(run, position.segment), position.offset), share)
  );
}

function append(run: SourceRun, record: WholeRecord, encoded: EncodedRecord): boolean {
  const { entries, isRedacted } = encoded;
  const severity = severityIndex(encoded.severity);
  if (!isWanted(run, record, severity)) {
    run.tally.addSampledOut();
    return true;
  }
  if (!run.body.append(entries)) return false;
  run.tally.addEntries(entries.length, severity, isRedacted);
  return true;
}

function outcomeOf(rules: RecordRules, effects: RuleEffects): RuleOutcome {
  const nameOf = (index: number) => rules.names[index] ?? '';
  return {
    applied: effects.applied.map(nameOf),
    missed: effects.misses.map(nameOf),
    droppedBy: effects.droppedBy === undefined ? undefined : nameOf(effects.droppedBy),
  };
}

/** A record that rules shape, or leave out. */
function emitRuled(
  run: SourceRun,
  record: WholeRecord,
  { rules, isText }: { readonly rules: RecordRules; readonly isText: boolean },
): boolean {
  const { segment, offset } = record.position;
  const sampleId = () => insertIdOf(idPrefixOf(run, segment), offset);
  const input = { record: inputOf(run, record), isText, sampleId };
  const { encoded, effects } = encodeRuled(input, rules, run.context);
  if (encoded !== undefined && !append(run, record, encoded)) return false;
  run.tally.addMisses(effects.misses);
  run.encoder.onRuled?.(input.record.insertId, outcomeOf(rules, effects));
  if (effects.droppedBy !== undefined) run.tally.addDropped(effects.droppedBy);
  return true;
}

/** A record of the file's format. */
export function emitRecord(run: SourceRun, record: WholeRecord): boolean {
  const { rules } = run;
  if (rules !== undefined) return emitRuled(run, record, { rules, isText: false });
  return append(run, record, encodeRecord(inputOf(run, record), run.context));
}

/** A line, or part of one, that is not of the file's format. */
export function emitText(run: SourceRun, record: WholeRecord): boolean {
  const { rules } = run;
  if (rules !== undefined) return emitRuled(run, record, { rules, isText: true });
  return append(run, record, encodeText(inputOf(run, record), run.context));
}

/** Address of the content of a stream's join. */
export function joinStart(run: SourceRun, stream: Stream): number {
  return run.encoder.joins[stream] + joinHeaderBytes;
}

/**
 * Whether the kernel encoded the joined content, given to it as the one line that it would have
 * been.
 */
function emitByKernel(run: SourceRun, partial: OpenPartial): boolean {
  const { kernel, body } = run;
  const start = joinStart(run, partial.stream);
  const end = start + partial.bytes;
  // A return at the end of a line is dropped, one at the end of a partial line is content.
  if (kernel === undefined || body.memory[end - 1] === carriageReturn) return false;
  const header = `${partial.time} ${partial.stream} F `;
  const position = start - header.length;
  body.memory.write(header, position, 'latin1');
  body.memory[end] = newline;
  kernel.setIdPrefix(idPrefixOf(run, partial.position.segment));
  const { offset } = partial.position;
  const { out, softEnd } = body;
  const call = { position, end: end + 1, out, softEnd, offset, heldStreams: 0 };
  const reason = kernel.encodeLines(call);
  const insertId = insertIdOf(idPrefixOf(run, partial.position.segment), offset);
  const isSent = reason === stopLarge && appendLarge(run, kernel, { ...partial, insertId });
  kernel.setIdPrefix(run.reader.segment.idPrefix);
  if (isSent) return true;
  if (kernel.result.lines === 0) return false;
  body.extend(kernel.result.out, 1);
  run.tally.addFastJoin();
  return true;
}

/** The record that the partial lines in a join make. */
export function emitJoin(run: SourceRun, partial: OpenPartial, incomplete: Incomplete): boolean {
  // Rules look at the record as a whole.
  const mayUseKernel = incomplete === undefined && run.rules === undefined;
  if (mayUseKernel && emitByKernel(run, partial)) return true;
  return emitRecord(run, { ...partial, content: joinContent(run, partial), incomplete });
}

/** The bytes in a join; valid until the next line is added. */
export function joinContent(run: SourceRun, partial: OpenPartial): Buffer {
  const start = joinStart(run, partial.stream);
  return run.body.memory.subarray(start, start + partial.bytes);
}
