// Hides parts of a JSON object so that it remains one.
//
// The patterns are searched for in the text as written, and in the decoded value of each string
// that a match touches or that has escapes: so `p\u0061ss=x` is found too, and `pass=\S+` ends with
// its string. What any of these searches finds is hidden:
//
//   within a string           "a [REDACTED] b"
//   in a number, true, null   the scalar becomes a string: "12[REDACTED]"
//   from a key into a value   "key[REDACTED]":"[REDACTED]value"
//   anything else             as in a text; a result that is no object is shipped as text
//
// The invariant: nothing that was found is in the result; if two matches cannot be hidden
// separately, the whole record is.

import { applyEdits, scanTokens, type Edit } from '../json/object-scan.ts';

/** The replacement of a hidden part. */
export const redactedText = '[REDACTED]';

/** A record that is hidden as a whole. */
export const redactedWhole: Redacted = { text: redactedText, mayBeObject: false };

/** A range of a text, `[start, end)`. */
export type Range = { readonly start: number; readonly end: number };

/** A text without its hidden parts. */
export type Redacted = {
  readonly text: string;
  /**
   * Whether it may be read as an object. Not if the text was none: without its matches it may look
   * like one, with strings that were not searched.
   */
  readonly mayBeObject: boolean;
};

/** The matches of all patterns, in order and apart. */
export type Search = (text: string) => readonly Range[];

/** A key or a scalar; strings with their quotes. */
type Token = Range & {
  readonly isString: boolean;
  readonly isKey: boolean;
  /**
   * For a string with escapes, where each of its decoded units is written, and its closing quote.
   */
  readonly units: readonly number[] | undefined;
};

/** Where the decoded units of a string are written, and its closing quote. */
function unitsOf(text: string, start: number): number[] {
  const units: number[] = [];
  let at = start + 1;
  while (text[at] !== '"') {
    units.push(at);
    if (text[at] !== '\\') at++;
    else at += text[at + 1] === 'u' ? 6 : 2;
  }
  units.push(at);
  return units;
}

/** All keys and scalars of an object, in order; undefined when `text` is none. */
export function keysAndScalars(text: string): readonly Token[] | undefined {
  const tokens: Token[] = [];
  const isObject = scanTokens(text, (kind, start, end) => {
    if (kind === 'object' || kind === 'array' || kind === 'end') return;
    const isKey = kind === 'key';
    const isString = isKey || kind === 'string';
    const isEscaped = isString && text.slice(start, end).includes('\\');
    const units = isEscaped ? unitsOf(text, start) : undefined;
    tokens.push({ start, end, isString, isKey, units });
  });
  return isObject ? tokens : undefined;
}

/** The index of the unit written around `offset`. */
function unitAround(units: readonly number[], offset: number): number {
  let [low, high] = [0, units.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (units[middle]! <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** An offset in the text, moved out of an escape. */
function borderNear(token: Token | undefined, offset: number, side: 'start' | 'end'): number {
  const units = token?.units;
  if (units === undefined || offset < units[0]! || offset > units.at(-1)!) return offset;
  const index = unitAround(units, offset);
  return units[index] === offset || side === 'start' ? units[index]! : units[index + 1]!;
}

/** The matches in a decoded string, as ranges of the text. */
function meantRanges(text: string, token: Token, search: Search): readonly Range[] {
  const { start, end, units } = token;
  if (units === undefined) {
    const base = start + 1;
    const found = search(text.slice(base, end - 1));
    return found.map((range) => ({ start: base + range.start, end: base + range.end }));
  }
  const found = search(JSON.parse(text.slice(start, end)) as string);
  return found.map((range) => ({ start: units[range.start]!, end: units[range.end]! }));
}

/** The tokens that each range touches; both are in order. */
function* touching(ranges: readonly Range[], tokens: readonly Token[]) {
  let from = 0;
  for (const range of ranges) {
    while (from < tokens.length && tokens[from]!.end <= range.start) from++;
    let to = from;
    while (to < tokens.length && tokens[to]!.start < range.end) to++;
    yield { range, touched: tokens.slice(from, to) };
  }
}

/** The ranges to hide, in no order. */
function hiddenRanges(
  text: string,
  { tokens, ranges }: { tokens: readonly Token[]; ranges: readonly Range[] },
  search: Search,
): Range[] {
  const written: Range[] = [];
  const meant = new Map<Token, readonly Range[]>();
  const look = (token: Token): void => {
    if (!meant.has(token)) meant.set(token, meantRanges(text, token, search));
  };
  /** Whether a match that a string has on its own goes on beyond the string. */
  const isOverrun = ({ start, end }: Range, first: Token | undefined): boolean =>
    first?.isKey === false &&
    end >= first.end &&
    meant.get(first)?.some((own) => own.start === start) === true;
  let hasOverruns = false;
  const add = (found: readonly Range[]): void => {
    for (const { range, touched } of touching(found, tokens)) {
      for (const token of touched) if (token.isString) look(token);
      const [first, last] = [touched[0], touched.at(-1)];
      if (isOverrun(range, first)) {
        hasOverruns = true;
        continue;
      }
      const start = borderNear(first, range.start, 'start');
      written.push({ start, end: borderNear(last, range.end, 'end') });
    }
  };
  add(ranges);
  if (hasOverruns) {
    // They may cover other matches, which are found when these cannot begin any more.
    const blanks = [...meant.values()].flat().map((range) => {
      return { ...range, text: ' '.repeat(range.end - range.start) };
    });
    add(search(applyEdits(text, blanks)));
  }
  for (const token of tokens) if (token.units !== undefined) look(token);
  return [...written, ...[...meant.values()].flat()];
}

/** How a range is hidden. */
type Hiding = Edit & { readonly keepsObject: boolean };

/** A scalar other than a string with its matches hidden: it becomes a string. */
function editScalar(text: string, token: Token, ranges: readonly Range[]): Hiding {
  const inside = ranges.map(({ start, end }) => ({
    start: start - token.start,
    end: end - token.start,
    text: redactedText,
  }));
  const hidden = applyEdits(text.slice(token.start, token.end), inside);
  return { start: token.start, end: token.end, text: `"${hidden}"`, keepsObject: true };
}

/** Hides a range that is not within a scalar, and touches these tokens. */
function editOf(text: string, range: Range, touched: readonly Token[]): Hiding {
  const [first, last] = [touched[0], touched.at(-1)];
  const plain = { ...range, text: redactedText, keepsObject: false };
  if (first === undefined || last === undefined) return plain;
  if (range.start < first.start || range.end > last.end) return plain;
  const isBetween = first.isKey && !last.isKey;
  if (!first.isString || (first !== last && !isBetween)) return plain;
  const opening = range.start === first.start ? '"' : '';
  const between = isBetween ? `${redactedText}":"${redactedText}` : redactedText;
  if (last.isString) {
    const closing = range.end === last.end ? '"' : '';
    return { ...range, text: `${opening}${between}${closing}`, keepsObject: true };
  }
  const rest = text.slice(range.end, last.end);
  const hidden = `${opening}${between}${rest}"`;
  return { start: range.start, end: last.end, text: hidden, keepsObject: true };
}

function editsOf(text: string, ranges: readonly Range[], tokens: readonly Token[]): Hiding[] {
  const edits: Hiding[] = [];
  const scalars = new Map<Token, Range[]>();
  for (const { range, touched } of touching(ranges, tokens)) {
    const [only] = touched;
    const isWithin = touched.length === 1 && range.start >= only!.start && range.end <= only!.end;
    if (!isWithin || only!.isString) {
      edits.push(editOf(text, range, touched));
      continue;
    }
    const inside = scalars.get(only!);
    if (inside === undefined) scalars.set(only!, [range]);
    else inside.push(range);
  }
  for (const [token, inside] of scalars) edits.push(editScalar(text, token, inside));
  return edits.toSorted((one, other) => one.start - other.start);
}

/** The ranges in order, with those that overlap or touch joined. */
export function united(ranges: readonly Range[]): readonly Range[] {
  const ordered = ranges.toSorted((one, other) => one.start - other.start);
  const apart: { start: number; end: number }[] = [];
  for (const { start, end } of ordered) {
    const last = apart.at(-1);
    if (last === undefined || start > last.end) apart.push({ start, end });
    else last.end = Math.max(last.end, end);
  }
  return apart;
}

/**
 * An object without the matches of `search`; `ranges` are those in the text as written. Undefined
 * when there are none.
 */
export function redactObject(
  text: string,
  { tokens, ranges }: { tokens: readonly Token[]; ranges: readonly Range[] },
  search: Search,
): Redacted | undefined {
  const hidden = hiddenRanges(text, { tokens, ranges }, search);
  if (hidden.length === 0) return undefined;
  const edits = editsOf(text, united(hidden), tokens);
  const areApart = edits.every(({ start }, index) => start >= (edits[index - 1]?.end ?? 0));
  if (!areApart) return redactedWhole;
  const mayBeObject = edits.every(({ keepsObject }) => keepsObject);
  return { text: applyEdits(text, edits), mayBeObject };
}
