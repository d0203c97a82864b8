// Drops lines by a search for bytes, before anything of them is parsed: what a health check writes
// is most of some logs.
//
// Invariants: a line is left out here only if a rule would leave it out as a record; where a text
// that a pattern needs is nowhere ahead, lines need no look. A line that is part of a record is no
// line of ours.

import type { NamedSteps } from '../../rules/resolve-rules.ts';
import type { Condition } from '../../rules/rule.ts';
import { compileRe2, type Re2Pattern } from '../../re2-pattern.ts';
import { alternativesOf, requiredText } from '../rules/required-text.ts';
import type { Stream } from '../entries/entry-template.ts';
import { parseCriLine, type CriLine } from './cri-line.ts';
import type { ChunkReader } from './read-chunk.ts';

const newline = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;
const dot = 0x2e;
/** A longer line is for the reference, which bounds its searches. */
const lineBytesMax = 16 * 1024;
const patternStepsMax = 200;

/** A `drop` by text. */
type LineDrop = {
  readonly place: number;
  readonly stream: Stream | undefined;
  readonly needle: Needle;
  /** undefined: the needle is all that is searched. */
  readonly pattern: Re2Pattern | undefined;
};

/** Bytes, and where they are next. */
class Needle {
  readonly #bytes: Buffer;
  /** Offset of the next occurrence; Infinity if there is none before `#searchedTo`. */
  #next = -1;
  #searchedTo = -1;

  constructor(text: string) {
    this.#bytes = Buffer.from(text);
  }

  /** The next occurrence at `from` or after it, as an offset; Infinity if none is read. */
  nextFrom(memory: Buffer, reader: ChunkReader, from: number): number {
    const filled = reader.offsetOf(reader.filled);
    const isKnown = this.#next >= from && (this.#next !== Infinity || this.#searchedTo === filled);
    if (isKnown) return this.#next;
    const base = reader.offset - reader.from;
    const start = from - base;
    const at = memory.subarray(start, reader.filled).indexOf(this.#bytes);
    this.#next = at === -1 ? Infinity : from + at;
    this.#searchedTo = filled;
    return this.#next;
  }
}

function isOfText({ pattern, field, severities }: Condition): boolean {
  return pattern !== undefined && field === undefined && severities === undefined;
}

function dropsOf({ stream, drop = [] }: NamedSteps, place: number): LineDrop[] {
  return drop.filter(isOfText).flatMap(({ pattern: source = '' }) => {
    const texts = alternativesOf(source);
    if (texts !== undefined) {
      return texts.map((text) => ({ place, stream, needle: new Needle(text), pattern: undefined }));
    }
    const required = requiredText(source);
    const pattern = compileRe2(source);
    if (required === undefined || pattern.programSize() > patternStepsMax) return [];
    const needle = new Needle(required.text);
    return [{ place, stream, needle, pattern: required.isWhole ? undefined : pattern }];
  });
}

/** Whether rules do nothing but drop lines that a search for bytes finds. */
function areDropsOnly(rules: readonly NamedSteps[], drops: readonly LineDrop[]): boolean {
  const isDrop = (rule: NamedSteps) =>
    Object.keys(rule).every((key) => key === 'name' || key === 'stream' || key === 'drop');
  const isFound = (rule: NamedSteps, place: number) =>
    (rule.drop ?? []).every((condition) => isOfText(condition)) &&
    dropsOf(rule, place).length >= (rule.drop ?? []).length;
  return drops.length > 0 && rules.every((rule, place) => isDrop(rule) && isFound(rule, place));
}

export class LineDrops {
  /** All other lines may be encoded by the kernel. */
  readonly areAll: boolean;
  readonly #drops: readonly LineDrop[];
  /** Those of the drops, and of lines that the kernel would join: a text may be in two of them. */
  readonly #needles: readonly Needle[];
  readonly #headers = new HeaderMemo();
  /** Offset of the first line that was not looked at. */
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

  /** Address of the first line that needs a look, or the chunk's end. */
  nextLine(memory: Buffer, reader: ChunkReader): number {
    const from = Math.max(this.#lookedTo, reader.offset);
    let next = Infinity;
    for (const needle of this.#needles) {
      next = Math.min(next, needle.nextFrom(memory, reader, from));
    }
    if (next === Infinity) return reader.filled;
    const base = reader.offset - reader.from;
    const before = memory.lastIndexOf(newline, next - base);
    return Math.max(before + 1, reader.from);
  }

  /**
   * Looks at the whole line at the reader; the place of the rule that leaves it out, and where it
   * ends. Undefined: it is to be encoded.
   */
  look(memory: Buffer, reader: ChunkReader): { place: number; end: number } | undefined {
    const { from, filled } = reader;
    memory[filled] = newline;
    const end = memory.indexOf(newline, from);
    if (end === filled || end - from > lineBytesMax) return undefined;
    const line = this.#headers.parse(memory, from, end);
    if (line === undefined) return undefined;
    const found = this.#drops.find((drop) => isDropped(drop, memory, { reader, line }));
    if (found !== undefined) return { place: found.place, end };
    if (!line.partial) this.#lookedTo = reader.offsetOf(end + 1);
    return undefined;
  }
}

/** Where the fraction of a second begins. */
const fractionStart = 20;
const digitZero = 0x30;
const digitNine = 0x39;

/** Parses lines, most of which begin as the one before but for the fraction of their second. */
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
    // Without a fraction, or a tag that ends the line, nothing is like it.
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

function isDropped({ stream, needle, pattern }: LineDrop, memory: Buffer, found: Line): boolean {
  const { reader, line } = found;
  const { contentStart, contentEnd } = line;
  if (line.partial || (stream !== undefined && stream !== line.stream)) return false;
  const at = needle.nextFrom(memory, reader, reader.offsetOf(contentStart));
  if (at >= reader.offsetOf(contentEnd)) return false;
  return pattern === undefined || pattern.test(memory.toString('utf8', contentStart, contentEnd));
}
