// The one scanner of JSON objects: it validates a text, hands over its tokens, and finds its
// top-level members, without building values. The invariant: it accepts exactly the objects that
// JSON.parse accepts, up to `limits.jsonDepthMax` levels, in linear time; and what `scanObject`
// returns can be sent: no number that a double cannot hold, no lone surrogate, no key twice in one
// object.
//
// JSON.parse reads single strings here and never an object: V8 14.6 takes an escaped key for
// another one once it has seen a key that ends in a backslash (nodejs/node, issue 63785).

import assert from 'node:assert';

import { limits } from '../../config.ts';

/**
 * A member of the scanned object; offsets are into the text of its `JsonObject`, the quotes of the
 * key included.
 */
export type Member = {
  /** Unescaped. */
  readonly key: string;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly valueStart: number;
  readonly valueEnd: number;
};

export type JsonObject = {
  /** The source, repaired where it could not have been sent. */
  readonly text: string;
  readonly members: readonly Member[];
  /** There is no white space around its members. */
  readonly isCompact?: true;
};

/**
 * What a token is: `object` and `array` are opening brackets and `end` a closing one, `word` is
 * true, false or null. White space, commas and colons are no tokens.
 */
type TokenKind = 'object' | 'array' | 'end' | 'key' | 'string' | 'number' | 'word';

/** Takes the token of [start, end); strings and keys with their quotes. */
export type OnToken = (kind: TokenKind, start: number, end: number) => void;

/** A range of text, and what replaces it. */
export type Edit = { readonly start: number; readonly end: number; readonly text: string };

type Scan = {
  readonly text: string;
  readonly members: Member[];
  readonly edits: Edit[];
  /** Takes the tokens; then no members are collected. */
  readonly onToken: OnToken | undefined;
};

/** Returned instead of an offset when the text is no JSON. */
const invalid = -1;

// Characters of the grammar.
const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** Below this many keys a linear search is faster than a Map. */
const fewKeys = 8;
/** The longest run of digits that is surely below 1.8e308. */
const safeDigits = 308;

function skipSpace(text: string, start: number): number {
  let at = start;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0d) break;
  }
  return at;
}

/** The code unit of the `\uXXXX` at `at`; -1 when there is no such escape. */
function unicodeEscape(text: string, at: number): number {
  if (text.charCodeAt(at) !== backslash || text.charCodeAt(at + 1) !== 0x75) return invalid;
  let unit = 0;
  for (let index = at + 2; index < at + 6; index++) {
    const code = text.charCodeAt(index);
    let digit = code - 0x30;
    if (!(digit >= 0 && digit <= 9)) {
      digit = (code | 0x20) - 0x57;
      if (!(digit >= 10 && digit <= 15)) return invalid;
    }
    unit = unit * 16 + digit;
  }
  return unit;
}

/** Past the escape at `at`; a lone surrogate is noted for repair. */
function skipEscape(scan: Scan, at: number): number {
  switch (scan.text.charCodeAt(at + 1)) {
    case quote:
    case backslash:
    case 0x2f:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return at + 2;
    default: {
      const unit = unicodeEscape(scan.text, at);
      if (unit === invalid) return invalid;
      if ((unit & 0xf800) !== 0xd800) return at + 6;
      // A surrogate in the text itself is always one of a pair: only escapes can make a lone one.
      const next = unit < 0xdc00 ? unicodeEscape(scan.text, at + 6) : invalid;
      if (next !== invalid && (next & 0xfc00) === 0xdc00) return at + 12;
      scan.edits.push({ start: at, end: at + 6, text: '\\ufffd' });
      return at + 6;
    }
  }
}

/** Past the string whose opening quote is at `start`. */
function skipString(scan: Scan, start: number): number {
  const { text } = scan;
  let at = start + 1;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === quote) return at + 1;
    if (code < 0x20) return invalid;
    if (code === backslash) {
      at = skipEscape(scan, at);
      if (at === invalid) return invalid;
    } else {
      at++;
    }
  }
  return invalid;
}

function skipDigits(text: string, start: number): number {
  let at = start;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x30 || code > 0x39) break;
  }
  return at;
}

/** Past the number at `start`; one that is no finite double is noted to become a string. */
function skipNumber(scan: Scan, start: number): number {
  const { text } = scan;
  const whole = text[start] === '-' ? start + 1 : start;
  let at = skipDigits(text, whole);
  if (at === whole || (text[whole] === '0' && at > whole + 1)) return invalid;
  let mayOverflow = at - whole > safeDigits;
  if (text[at] === '.') {
    const fraction = at + 1;
    at = skipDigits(text, fraction);
    if (at === fraction) return invalid;
  }
  if (text[at] === 'e' || text[at] === 'E') {
    const sign = text[at + 1];
    const exponent = sign === '+' || sign === '-' ? at + 2 : at + 1;
    at = skipDigits(text, exponent);
    if (at === exponent) return invalid;
    mayOverflow = true;
  }
  if (mayOverflow) {
    const literal = text.slice(start, at);
    if (!Number.isFinite(Number(literal))) {
      scan.edits.push({ start, end: at, text: `"${literal}"` });
    }
  }
  return at;
}

function skipWord(scan: Scan, start: number, word: string): number {
  if (!scan.text.startsWith(word, start)) return invalid;
  return handOver(scan, 'word', start, start + word.length);
}

/** Hands the token over; returns its end. */
function handOver(scan: Scan, kind: TokenKind, start: number, end: number): number {
  if (end !== invalid) scan.onToken?.(kind, start, end);
  return end;
}

/** Past the value at `start`, which is inside `depth` containers. */
function skipValue(scan: Scan, start: number, depth: number): number {
  switch (scan.text.charCodeAt(start)) {
    case quote:
      return handOver(scan, 'string', start, skipString(scan, start));
    case openBrace:
      return skipObject(scan, start, depth + 1);
    case openBracket:
      return skipArray(scan, start, depth + 1);
    case 0x74:
      return skipWord(scan, start, 'true');
    case 0x66:
      return skipWord(scan, start, 'false');
    case 0x6e:
      return skipWord(scan, start, 'null');
    default:
      return handOver(scan, 'number', start, skipNumber(scan, start));
  }
}

/** Past the array whose bracket is at `start`. */
function skipArray(scan: Scan, start: number, depth: number): number {
  const { text } = scan;
  if (depth > limits.jsonDepthMax) return invalid;
  let at = skipSpace(text, handOver(scan, 'array', start, start + 1));
  if (text.charCodeAt(at) === closeBracket) return handOver(scan, 'end', at, at + 1);
  for (;;) {
    at = skipValue(scan, at, depth);
    if (at === invalid) return invalid;
    at = skipSpace(text, at);
    const code = text.charCodeAt(at);
    if (code === closeBracket) return handOver(scan, 'end', at, at + 1);
    if (code !== comma) return invalid;
    at = skipSpace(text, at + 1);
  }
}

/** The string that a raw key (with its quotes) means, as it will be after repair. */
function unescapeKey(raw: string): string {
  if (!raw.includes('\\')) return raw.slice(1, -1);
  return (JSON.parse(raw) as string).toWellFormed();
}

/** The keys of one object so far, each with where it starts. */
type KeyList = { readonly keys: string[]; readonly starts: number[]; index?: Map<string, number> };

/** Adds a key, and notes an earlier member of the same key for removal: the last value wins. */
function addKey(scan: Scan, list: KeyList, start: number, end: number): string {
  const { keys, starts } = list;
  const key = unescapeKey(scan.text.slice(start, end));
  let earlier = -1;
  if (keys.length < fewKeys) {
    earlier = keys.lastIndexOf(key);
  } else {
    list.index ??= new Map(keys.map((known, index) => [known, index]));
    earlier = list.index.get(key) ?? -1;
    list.index.set(key, keys.length);
  }
  keys.push(key);
  starts.push(start);
  if (earlier === -1) return key;
  const [from, to] = [starts[earlier], starts[earlier + 1]];
  assert(from !== undefined && to !== undefined);
  // The range ends where the next member starts, so that the comma between them goes too.
  scan.edits.push({ start: from, end: to, text: '' });
  return key;
}

/** Past the object whose brace is at `start`; the members of the outermost one are kept. */
function skipObject(scan: Scan, start: number, depth: number): number {
  const { text } = scan;
  if (depth > limits.jsonDepthMax) return invalid;
  let at = skipSpace(text, handOver(scan, 'object', start, start + 1));
  if (text.charCodeAt(at) === closeBrace) return handOver(scan, 'end', at, at + 1);
  const list: KeyList = { keys: [], starts: [] };
  for (;;) {
    const keyStart = at;
    if (text.charCodeAt(at) !== quote) return invalid;
    const keyEnd = handOver(scan, 'key', at, skipString(scan, at));
    if (keyEnd === invalid) return invalid;
    // Tokens are handed over as written, so a repeated key matters only when members are collected.
    const key = scan.onToken === undefined ? addKey(scan, list, keyStart, keyEnd) : '';
    at = skipSpace(text, keyEnd);
    if (text.charCodeAt(at) !== colon) return invalid;
    const valueStart = skipSpace(text, at + 1);
    const valueEnd = skipValue(scan, valueStart, depth);
    if (valueEnd === invalid) return invalid;
    if (depth === 1 && scan.onToken === undefined) {
      scan.members.push({ key, keyStart, keyEnd, valueStart, valueEnd });
    }
    at = skipSpace(text, valueEnd);
    const code = text.charCodeAt(at);
    if (code === closeBrace) return handOver(scan, 'end', at, at + 1);
    if (code !== comma) return invalid;
    at = skipSpace(text, at + 1);
  }
}

/** Scans the whole text; false when it is no JSON object. */
function scanText(scan: Scan): boolean {
  const start = skipSpace(scan.text, 0);
  if (scan.text.charCodeAt(start) !== openBrace) return false;
  const end = skipObject(scan, start, 1);
  return end !== invalid && skipSpace(scan.text, end) === scan.text.length;
}

/** `text` with the edits made; an edit inside the range of another one goes with it. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  const ordered = edits.toSorted((one, other) => one.start - other.start || other.end - one.end);
  const pieces: string[] = [];
  let at = 0;
  for (const edit of ordered) {
    if (edit.start < at) continue;
    pieces.push(text.slice(at, edit.start), edit.text);
    at = edit.end;
  }
  pieces.push(text.slice(at));
  return pieces.join('');
}

/**
 * The object that `text` is, or undefined when it is anything else. `text` must be well-formed
 * UTF-16.
 */
export function scanObject(text: string): JsonObject | undefined {
  const scan: Scan = { text, members: [], edits: [], onToken: undefined };
  if (!scanText(scan)) return undefined;
  if (scan.edits.length === 0) return { text, members: scan.members };
  const repaired = scanObject(applyEdits(text, scan.edits));
  assert(repaired !== undefined, 'A repaired object is an object.');
  return repaired;
}

/**
 * Hands over the tokens of the object that `text` is, in order. False when it is none: then only
 * those before the error were handed over.
 */
export function scanTokens(text: string, onToken: OnToken): boolean {
  return scanText({ text, members: [], edits: [], onToken });
}
