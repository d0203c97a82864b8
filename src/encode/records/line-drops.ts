// Drops lines by searching for bytes before parsing: some logs are mostly health checks.
//
// Invariants: a line is dropped here only if a rule would drop it as a record; lines are not
// inspected while no text that a pattern requires lies ahead; a line that is part of a record
// is never dropped here.

import type { NamedSteps } from '../../rules/resolve-rules.ts';
import type { Condition } from '../../rules/rule.ts';
import { compileRe2, type Re2Pattern } from '../../re2-pattern.ts';
import { alternativesOf, requiredText } from '../rules/required-text.ts';
import type { Stream } from '../entries/entry-template.ts';
import { parseCriLine, type CriLine } from './cri-line.ts';
import type { ChunkReader } from './read-chunk.ts';
import { tearOf } from './timed-line.ts';

const newline = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;
const dot = 0x2e;
/** A longer line is left to the reference encoder, which bounds its searches. */
const lineBytesMax = 16 * 1024;
const patternStepsMax = 200;

/** A `drop` condition on the text. */
type LineDrop = {
  readonly ruleIndex: number;
  readonly stream: Stream | undefined;
  readonly needle: Needle;
  /** undefined: the needle is the whole pattern. */
  readonly pattern: Re2Pattern | undefined;
  /** No match of the pattern begins before the needle. */
  readonly isFirst: boolean;
};

/** The bytes read so far, so that searches stay within them. */
class ReadBytes {
  #bytes: Buffer = Buffer.alloc(0);
  /** File offsets `[start, end)` of the bytes. */
  #start = -1;
  #end = -1;
  /** Offset minus address; changes when the reader moves the bytes. */
  #base = -1;

  /** Updates to what the reader has read; cheap if nothing is new. */
  follow(memory: Buffer, reader: ChunkReader): void {
    const end = reader.offsetOf(reader.filled);
    const base = reader.offset - reader.from;
    if (end === this.#end && base === this.#base) return;
    this.#base = base;
    this.#start = reader.offset;
    this.#end = end;
    this.#bytes = memory.subarray(reader.from, reader.filled);
  }

  get end(): number {
    return this.#end;
  }

  /** Offset of the first occurrence at `from` or after it; Infinity if there is none. */
  find(needle: Buffer, from: number): number {
    const at = this.#bytes.indexOf(needle, from - this.#start);
    return at === -1 ? Infinity : this.#start + at;
  }
}

/** Bytes to search for, and their next occurrence. */
class Needle {
  readonly #bytes: Buffer;
  /** Offset of the next occurrence; Infinity if there is none before `#searchedTo`. */
  #next = -1;
  #searchedTo = -1;

  constructor(text: string) {
    this.#bytes = Buffer.from(text);
  }

  /** Offset of the next occurrence at or after `from`; Infinity if none has been read. */
  nextFrom(bytes: ReadBytes, from: number): number {
    const { end } = bytes;
    const isKnown = this.#next >= from && (this.#next !== Infinity || this.#searchedTo === end);
    if (isKnown) return this.#next;
    this.#next = bytes.find(this.#bytes, from);
    this.#searchedTo = end;
    return this.#next;
  }
}

function isOfText({ pattern, field, severities, all }: Condition): boolean {
  const isPattern = pattern !== undefined && field === undefined;
  return isPattern && severities === undefined && all === undefined;
}

/** Whether every match of a pattern begins with its required text. */
function beginsWith(pattern: string, text: string): boolean {
  const isPlain = !/[\\^$.|?*+()[\]{}]/.test(text);
  return isPlain && pattern.startsWith(text) && !/^[?*{]/.test(pattern.slice(text.length));
}

function dropsOf({ stream, drop = [] }: NamedSteps, ruleIndex: number): LineDrop[] {
  return drop.filter(isOfText).flatMap(({ pattern: source = '' }) => {
    const texts = alternativesOf(source);
    if (texts !== undefined) {
      return texts.map((text) => ({
        ruleIndex,
        stream,
        needle: new Needle(text),
        pattern: undefined,
        isFirst: true,
      }));
    }
    const required = requiredText(source);
    const pattern = compileRe2(source);
    if (required === undefined || pattern.programSize() > patternStepsMax) return [];
    const { text, isWhole } = required;
    const found = {
      ruleIndex,
      stream,
      needle: new Needle(text),
      isFirst: beginsWith(source, text),
    };
    return [{ ...found, pattern: isWhole ? undefined : pattern }];
  });
}

/** Whether rules do nothing but drop lines that a search for bytes finds. */
function areDropsOnly(rules: readonly NamedSteps[], drops: readonly LineDrop[]): boolean {
  const isDrop = (rule: NamedSteps) =>
    Object.keys(rule).every((key) => key === 'name' || key === 'stream' || key === 'drop');
  const isFound = (rule: NamedSteps, index: number) =>
    (rule.drop ?? []).every((condition) => isOfText(condition)) &&
    dropsOf(rule, index).length >= (rule.drop ?? []).length;
  return drops.length > 0 && rules.every((rule, index) => isDrop(rule) && isFound(rule, index));
}

export class LineDrops {
  /** All other lines may be encoded by the kernel. */
  readonly areAll: boolean;
  readonly #drops: readonly LineDrop[];
  /** Those of the drops, and of lines that the kernel would join: a text may be in two of them. */
  readonly #needles: readonly Needle[];
  readonly #headers = new HeaderMemo();
  readonly #bytes = new ReadBytes();
  /** Offset of the first line that was not inspected. */
  #lookedTo = 0;

  constructor(rules: readonly NamedSteps[]) {
    this.#drops = rules.flatMap(dropsOf);
    this.areAll = areDropsOnly(rules, this.#drops);
    const partials = [new Needle(' stdout P'), new Needle(' stderr P')];
    this.#needles = [...this.#drops.map(({ needle }) => needle), ...partials];
  }

  get isEmpty(): boolean {
    return this.#drops.length === 0;
  }

  /** Address of the first line to inspect, or the chunk's end. */
  nextLine(memory: Buffer, reader: ChunkReader): number {
    const next = this.#nextFrom(memory, reader, Math.max(this.#lookedTo, reader.offset));
    if (next === Infinity) return reader.filled;
    const base = reader.offset - reader.from;
    const before = memory.lastIndexOf(newline, next - base);
    return Math.max(before + 1, reader.from);
  }

  /**
   * Inspects the whole line at the reader; returns the index of the rule that drops it, and where
   * the next byte is. Undefined: it is to be encoded.
   */
  look(memory: Buffer, reader: ChunkReader): { ruleIndex: number; next: number } | undefined {
    const { from, filled, offset } = reader;
    if (this.#lookedTo > offset) return undefined;
    const next = this.#nextFrom(memory, reader, offset);
    if (next === Infinity) return undefined;
    memory[filled] = newline;
    const lineEnd = memory.indexOf(newline, from);
    if (next >= reader.offsetOf(lineEnd)) return undefined;
    if (lineEnd === filled || lineEnd - from > lineBytesMax) return undefined;
    const torn = tearOf(memory, from, lineEnd)?.end;
    const end = torn ?? lineEnd;
    if (next >= reader.offsetOf(end)) return undefined;
    const line = this.#headers.parse(memory, from, end);
    if (line === undefined) return undefined;
    const found = this.#drops.find((drop) => this.#isDropped(drop, memory, { reader, line }));
    if (found !== undefined) return { ruleIndex: found.ruleIndex, next: torn ?? lineEnd + 1 };
    if (!line.partial) this.#lookedTo = reader.offsetOf(end + 1);
    return undefined;
  }

  #nextFrom(memory: Buffer, reader: ChunkReader, from: number): number {
    this.#bytes.follow(memory, reader);
    let next = Infinity;
    for (const needle of this.#needles) next = Math.min(next, needle.nextFrom(this.#bytes, from));
    return next;
  }

  #isDropped(drop: LineDrop, memory: Buffer, { reader, line }: Line): boolean {
    const { stream, needle, pattern, isFirst } = drop;
    const { contentStart, contentEnd } = line;
    if (line.partial || (stream !== undefined && stream !== line.stream)) return false;
    const at = needle.nextFrom(this.#bytes, reader.offsetOf(contentStart));
    if (at >= reader.offsetOf(contentEnd)) return false;
    if (pattern === undefined) return true;
    const start = isFirst ? contentStart + at - reader.offsetOf(contentStart) : contentStart;
    return pattern.test(memory.toString('utf8', start, contentEnd));
  }
}

/** Where the fraction of a second begins. */
const fractionStart = 20;
const digitZero = 0x30;
const digitNine = 0x39;

/** Parses lines, most of which differ from the previous one only in the fraction of a second. */
class HeaderMemo {
  /** Of the last whole line: time, stream and tags, with the space after them. */
  #header = Buffer.alloc(0);
  #zoneStart = 0;
  #stream: Stream = 'stdout';

  parse(memory: Buffer, from: number, end: number): Parsed | undefined {
    if (this.#isAlike(memory, from, end)) {
      const contentStart = from + this.#header.length;
      const hasReturn = end > contentStart && memory[end - 1] === carriageReturn;
      const contentEnd = hasReturn ? end - 1 : end;
      return { stream: this.#stream, partial: false, contentStart, contentEnd };
    }
    const line = parseCriLine(memory, from, end);
    if (line !== undefined && !line.partial) this.#remember(memory, from, line);
    return line;
  }

  #remember(memory: Buffer, from: number, { contentStart, stream }: Parsed): void {
    this.#header = Buffer.from(memory.subarray(from, contentStart));
    this.#stream = stream;
    this.#zoneStart = fractionStart;
    while (isDigit(this.#header[this.#zoneStart])) this.#zoneStart++;
    // Without a fraction or a tag at the end of the head, no line can match it.
    const isUsual = this.#header[fractionStart - 1] === dot && this.#header.at(-1) === space;
    if (!isUsual) this.#header = Buffer.alloc(0);
  }

  #isAlike(memory: Buffer, from: number, end: number): boolean {
    const header = this.#header;
    const { length } = header;
    if (length === 0 || from + length > end) return false;
    for (let at = 0; at < length; at++) {
      const byte = memory[from + at];
      if (byte === header[at]) continue;
      if (at < fractionStart || at >= this.#zoneStart || !isDigit(byte)) return false;
    }
    return true;
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= digitZero && byte <= digitNine;
}

type Parsed = Pick<CriLine, 'stream' | 'partial' | 'contentStart' | 'contentEnd'>;
type Line = { readonly reader: ChunkReader; readonly line: Parsed };
