// The kernel (kernel/*.ts, built to kernel.wasm) as typed functions; each encoder has an instance.
//
// The instance works in the shared memory on addresses; this file writes the templates that it
// copies, and reads its results. The reference encoder (log-entry.ts) is the specification of what
// it writes.

import assert from 'node:assert';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { limits } from '../config.ts';
import * as layout from './kernel/layout.ts';
import type { EncodeContext } from './entries/entry.ts';
import type { Stream } from './entries/entry-template.ts';
import { KernelTemplates } from './kernel-templates.ts';
import { buildTraceTable, startEntrances } from './traces/trace-table.ts';

/** Where to read and write, as addresses of the shared memory. */
export type KernelCall = {
  readonly position: number;
  /** One past the last byte; a newline is written there. */
  readonly end: number;
  readonly out: number;
  /** No line is begun when `out` has come this far. */
  readonly softEnd: number;
  /** File offset of `position`. */
  readonly offset: number;
  /** Streams with an open record, whose lines are handed back: 1 stdout, 2 stderr. */
  readonly heldStreams: number;
};

/** What the last call did. Addresses. */
export type KernelResult = {
  position: number;
  out: number;
  lines: number;
  entries: number;
  /** The last line that was encoded, 0 if none. */
  lastLine: number;
};

/** An entry over the limit, as the last call wrote it. Addresses; strings with their quotes. */
export type LargeEntry = {
  /** `sizeText` and the like. */
  readonly size: number;
  readonly entryStart: number;
  readonly payloadStart: number;
  readonly payloadEnd: number;
  readonly idEnd: number;
  readonly entryEnd: number;
  /** The bytes allowed to its payload, and those beyond them. */
  readonly room: number;
  readonly excess: number;
  /** The strings that may be shortened, and the decoded bytes of each. */
  readonly strings: readonly {
    readonly start: number;
    readonly end: number;
    readonly bytes: number;
  }[];
  /** Index of the severity. */
  readonly severity: number;
  /** Of the record. */
  readonly contentStart: number;
  readonly newline: number;
  readonly timeStart: number;
  readonly timeEnd: number;
};

export type Kernel = {
  /** Result of the last `encodeLines`; the same object each time. */
  readonly result: KernelResult;
  /**
   * Sets the text around the payload and whether stack traces are joined; false if the text is too
   * long for the kernel.
   */
  setTemplates(context: EncodeContext, joinsTraces: boolean): boolean;
  /** Sets the first 22 characters of the insertIds. */
  setIdPrefix(idPrefix: string): void;
  /** Encodes lines up to one that it cannot; returns a stop reason of kernel/layout.ts. */
  encodeLines(call: KernelCall): number;
  /**
   * Encodes lines that are not CRI, up to one that may be, or that does not end before the address
   * `until`. Their time is that of the line at `timedLine`, or the lent one.
   */
  encodeTexts(
    call: KernelCall,
    time: { readonly timedLine: number | undefined; readonly until: number },
  ): void;
  /** The entry at which `encodeLines` stopped with `stopLarge`. */
  largeEntry(): LargeEntry;
  /** Writes the text of [from, end) to `to` as the inside of a JSON string; returns its end. */
  escape(from: number, end: number, to: number): number;
  /** Sets the time of lines that have none. */
  lendTime(time: string): void;
};

type KernelExports = {
  escapeBytes(from: number, end: number, out: number): number;
  prepare(area: number): void;
  beginSource(secondsLimit: number, nanosLimit: number): void;
  encodeLines(
    position: number,
    end: number,
    out: number,
    softEnd: number,
    base: number,
    held: number,
  ): number;
  encodeTexts(
    position: number,
    end: number,
    out: number,
    softEnd: number,
    base: number,
    time: number,
    until: number,
  ): void;
};

function countLabels(labels: string): number {
  return labels === '' ? 0 : Object.keys(JSON.parse(`{${labels}}`) as object).length;
}

/** Writes the rules of stack traces to an area. */
function writeTraceTable(words: Int32Array, bytes: Uint8Array): void {
  const { classes, classCount, entrances, steps, ends, settledCount } = buildTraceTable();
  const rowBytes = 4 * (1 + classCount);
  const rowOf = (step: number) => layout.traceRows + step * rowBytes;
  assert(rowOf(steps.length) <= layout.traceTableBytes);
  assert(layout.traceEntrances + entrances.length * 4 <= layout.traceClasses);
  const table = layout.traceTable / 4;
  words[table] = rowOf(settledCount);
  words[table + 1] = startEntrances;
  words.set(entrances.map(rowOf), table + layout.traceEntrances / 4);
  bytes.set(classes, layout.traceTable + layout.traceClasses);
  for (const [step, next] of steps.entries()) {
    words.set([ends[step]!, ...next.map(rowOf)], table + rowOf(step) / 4);
  }
}

function readLargeEntry(words: Int32Array): LargeEntry {
  const word = (field: number) => words[(layout.large + field) / 4]!;
  const string = (index: number) => {
    const at = (layout.longStrings + index * layout.longStringBytes) / 4;
    return { start: words[at]!, end: words[at + 1]!, bytes: words[at + 2]! };
  };
  return {
    size: word(layout.largeSize),
    entryStart: word(layout.largeEntryStart),
    payloadStart: word(layout.largePayloadStart),
    payloadEnd: word(layout.largePayloadEnd),
    idEnd: word(layout.largeIdEnd),
    entryEnd: word(layout.largeEntryEnd),
    room: word(layout.largeRoom),
    excess: word(layout.largeExcess),
    strings: Array.from({ length: word(layout.largeStrings) }, (_, index) => string(index)),
    severity: word(layout.largeSeverity),
    contentStart: word(layout.largeContentStart),
    newline: word(layout.largeNewline),
    timeStart: word(layout.largeTimeStart),
    timeEnd: word(layout.largeTimeEnd),
  };
}

/** The kernel over `memory`, with its state in the area at `area`; it joins lines in `joins`. */
export function createKernel(
  memory: WebAssembly.Memory,
  area: number,
  joins: Readonly<Record<Stream, number>>,
): Kernel {
  const module = new WebAssembly.Module(readFileSync(new URL('kernel.wasm', import.meta.url)));
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  const exported = instance.exports as unknown as KernelExports;
  const bytes = Buffer.from(memory.buffer, area, layout.areaBytes);
  const words = new Int32Array(memory.buffer, area, layout.areaBytes / 4);
  const lentTime = area + layout.lentTime;
  const result: KernelResult = { position: 0, out: 0, lines: 0, entries: 0, lastLine: 0 };
  const templates = new KernelTemplates(bytes);
  let hasTraceTable = false;
  bytes.set(randomBytes(layout.keySecretsBytes), layout.keySecrets);
  bytes.write((2n ** 1024n - 2n ** 970n).toString(), layout.infiniteNumber, 'latin1');
  exported.prepare(area);
  words[layout.joinStarts / 4] = joins.stdout;
  words[layout.joinStarts / 4 + 1] = joins.stderr;

  const readResult = (): void => {
    result.position = words[layout.resultPosition / 4]!;
    result.out = words[layout.resultOut / 4]!;
    result.lines = words[layout.resultLines / 4]!;
    result.entries = words[layout.resultEntries / 4]!;
    result.lastLine = words[layout.resultLastLine / 4]!;
  };

  return {
    result,
    setTemplates(source, joinsTraces) {
      words[layout.joinsTraces / 4] = joinsTraces ? 1 : 0;
      if (joinsTraces && !hasTraceTable) {
        writeTraceTable(words, bytes);
        hasTraceTable = true;
      }
      const labels = countLabels(source.labels);
      words[layout.labelRoom / 4] = limits.labelsMax - source.requestLabels - labels;
      exported.beginSource(source.readAt.seconds + 86_400, source.readAt.nanos);
      return templates.set(source);
    },
    setIdPrefix: (idPrefix) => templates.setIdPrefix(idPrefix),
    encodeLines({ position, end, out, softEnd, offset, heldStreams }) {
      const base = offset - position;
      const reason = exported.encodeLines(position, end, out, softEnd, base, heldStreams);
      readResult();
      return reason;
    },
    encodeTexts({ position, end, out, softEnd, offset }, { timedLine = lentTime, until }) {
      exported.encodeTexts(position, end, out, softEnd, offset - position, timedLine, until);
      readResult();
    },
    largeEntry: () => readLargeEntry(words),
    escape: (from, end, to) => exported.escapeBytes(from, end, to),
    lendTime(time) {
      bytes.write(time.padEnd(layout.lentTimeBytes), layout.lentTime, 'latin1');
    },
  };
}
