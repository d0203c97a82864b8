// The state of draining one source, and the records that have begun but not ended.
//
// A record is open from its first partial line to its last one; with stack traces joined, from a
// trace's first line to the line after it. When a task ends, an open record is not in the body, and
// its file is consumed up to the record's start only: the body is cut back to what it held when the
// record began, and the next task encodes what followed again. Records of the two streams overlap,
// so the cut goes back to a position where no record was open.

import type { BodyMark, GrowingBody } from '../growing-body.ts';
import type { Stream } from '../entries/entry-template.ts';
import type { Source } from '../drain-task.ts';
import type { Kernel } from '../kernel.ts';
import type { EncodeContext } from '../entries/entry.ts';
import type { Re2Pattern } from '../../re2-pattern.ts';
import type { RecordRules } from '../rules/record-rules.ts';
import type { TraceState } from '../traces/stack-trace.ts';
import type { LineDrops } from './line-drops.ts';
import type { ChunkReader } from './read-chunk.ts';
import type { Tally, TallyMark } from './tally.ts';

/** An encoder's own part of the shared memory; addresses. */
export type Encoder = {
  /** The whole memory. */
  readonly memory: Buffer;
  /** undefined: the reference encodes everything. */
  readonly kernel: Kernel | undefined;
  readonly window: number;
  /** Where partial lines are joined. */
  readonly joins: Readonly<Record<Stream, number>>;
  /** Bytes asked of one read. */
  readonly readBytes: number;
  /**
   * Entries of the source by severity, in the order of `severityNames`. It is in the encoder's
   * area, where the kernel counts too; everything else of the tally does not.
   */
  readonly severityCounts: Uint32Array;
  /** The open records of the source that is drained. */
  readonly partials: Map<Stream, OpenPartial>;
  readonly traces: Map<Stream, OpenTrace>;
  /** Told what rules did to a record, by its insertId: for trials. */
  readonly onRuled?: (insertId: string, outcome: RuleOutcome) => void;
};

/** Names of rules. */
export type RuleOutcome = {
  readonly applied: readonly string[];
  readonly missed: readonly string[];
  readonly droppedBy: string | undefined;
};

/** A byte of a source. */
export type BytePosition = { readonly segment: number; readonly offset: number };

/** A position where no record was open, and what the body held there. */
export type Mark = {
  readonly position: BytePosition;
  readonly body: BodyMark;
  readonly tally: TallyMark;
};

/** The facts that a joined record takes from its first line. */
type RecordStart = {
  readonly position: BytePosition;
  readonly time: string;
  readonly stream: Stream;
  /** Where the next task has to start if this record stays open. */
  readonly mark: Mark;
};

/** Partial lines; their content is in the stream's join. */
export type OpenPartial = RecordStart & { readonly bytes: number };

/** Lines that are, or may become, a stack trace. */
export type OpenTrace = RecordStart & {
  readonly lines: Buffer[];
  readonly bytes: number;
  readonly state: TraceState;
};

export type SourceRun = {
  readonly encoder: Encoder;
  readonly body: GrowingBody;
  readonly source: Source;
  readonly context: EncodeContext;
  readonly tally: Tally;
  /** The kernel, where it may encode this source. */
  readonly kernel: Kernel | undefined;
  /** Where they match, a line begins a record; undefined where each line is one. */
  readonly firstLine: Partial<Record<Stream, Re2Pattern>> | undefined;
  /** The rules that look into its records. */
  readonly rules: RecordRules | undefined;
  /** Of these, the lines that a search for bytes leaves out. */
  readonly drops: LineDrops | undefined;
  readonly partials: Map<Stream, OpenPartial>;
  readonly traces: Map<Stream, OpenTrace>;
  readonly reader: ChunkReader;
};

/** The most bytes that one byte of content can become: `\u0000`. */
const escapedBytesMax = 6;
/** Room for one more record of the kernel, escaped, and for the other members of some entries. */
const recordReserveBytes = 1_280 * 1024;

function isBefore(one: BytePosition, other: BytePosition): boolean {
  return (
    one.segment < other.segment || (one.segment === other.segment && one.offset < other.offset)
  );
}

/** Rarely true: the functions below check it first, to allocate nothing for most sources. */
export function hasOpenRecords({ traces, partials }: SourceRun): boolean {
  return traces.size > 0 || partials.size > 0;
}

/** The open records, in the order in which they began. */
export function openRecords(run: SourceRun): (OpenPartial | OpenTrace)[] {
  if (!hasOpenRecords(run)) return [];
  const open = [...run.traces.values(), ...run.partials.values()];
  return open.sort((one, other) => (isBefore(one.position, other.position) ? -1 : 1));
}

/** Bytes of content of all open records. */
export function openBytes(run: SourceRun): number {
  if (!hasOpenRecords(run)) return 0;
  let bytes = 0;
  for (const open of run.traces.values()) bytes += open.bytes;
  for (const open of run.partials.values()) bytes += open.bytes;
  return bytes;
}

/**
 * No record is begun when the body has come this far: whatever is open must still fit in the slot.
 */
export function softEnd(run: SourceRun): number {
  const { body } = run;
  const needed = escapedBytesMax * openBytes(run) + recordReserveBytes;
  return Math.min(body.softEnd, body.end - needed);
}

/** The mark of a record that begins at `position`. */
export function markAt(run: SourceRun, position: BytePosition): Mark {
  const [earliest] = openRecords(run);
  if (earliest !== undefined) return earliest.mark;
  return { position, body: run.body.mark(), tally: run.tally.mark() };
}

/** Cuts the body back to a mark. */
export function returnTo(run: SourceRun, mark: Mark): void {
  run.body.returnTo(mark.body);
  run.tally.returnTo(mark.tally);
}
