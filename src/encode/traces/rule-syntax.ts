// Reads the regular expressions of stack traces (stack-trace.ts) as sets of bytes and how they
// follow each other. The invariant: what the grammar below does not hold throws, so no rule can
// mean one thing here and another to the engine of RegExp.
//
//     pattern:  branch ('|' branch)*
//     branch:   (atom ('*' | '+' | '?' | '*?' | '{n}')?)*
//     atom:     '^' | '$' | '.' | '(?:' pattern ')' | '[' '^'? (byte ('-' byte)?)* ']' | byte

import assert from 'node:assert';

/** The bytes that a character of a pattern matches: 1 at their places. */
export type ByteSet = Uint8Array;

export type Syntax =
  | { readonly kind: 'bytes'; readonly set: ByteSet }
  | { readonly kind: 'start' | 'end' }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Syntax[] }
  | { readonly kind: 'star' | 'plus' | 'option'; readonly part: Syntax };

const byteCount = 256;
const digits = '0123456789';
/** What `.` leaves out. */
const lineEnds = '\n\r';
const special = '^$.()[]*+?{}|\\/';

/** The source of a pattern, and how much of it is read. */
type Cursor = { readonly source: string; at: number };

function setOf(characters: string, isNegated: boolean): ByteSet {
  const set = new Uint8Array(byteCount).fill(isNegated ? 1 : 0);
  for (const character of characters) {
    const byte = character.charCodeAt(0);
    assert(byte < 0x80, 'A rule names ASCII characters only.');
    set[byte] = isNegated ? 0 : 1;
  }
  return set;
}

/** Any byte. */
const anyByte: Syntax = { kind: 'bytes', set: setOf('', true) };

/** Goes past `text`, if it comes next. */
function skip(cursor: Cursor, text: string): boolean {
  if (!cursor.source.startsWith(text, cursor.at)) return false;
  cursor.at += text.length;
  return true;
}

function readCharacter(cursor: Cursor): string {
  const character = cursor.source[cursor.at++];
  assert(character !== undefined, 'A rule ends too early.');
  return character;
}

/** The characters that the escape stands for whose backslash was read. */
function readEscape(cursor: Cursor): string {
  const character = readCharacter(cursor);
  if (character === 'd') return digits;
  if (character === 't') return '\t';
  if (character === 'r') return '\r';
  assert(special.includes(character), `A rule has the escape \\${character}.`);
  return character;
}

/** The inside of a class, whose bracket was read. */
function readClass(cursor: Cursor): Syntax {
  const isNegated = skip(cursor, '^');
  let characters = '';
  while (!skip(cursor, ']')) {
    const first = skip(cursor, '\\') ? readEscape(cursor) : readCharacter(cursor);
    characters += first;
    if (cursor.source[cursor.at + 1] === ']' || !skip(cursor, '-')) continue;
    const last = (skip(cursor, '\\') ? readEscape(cursor) : readCharacter(cursor)).charCodeAt(0);
    for (let byte = first.charCodeAt(0); byte <= last; byte++) {
      characters += String.fromCharCode(byte);
    }
  }
  return { kind: 'bytes', set: setOf(characters, isNegated) };
}

function readAtom(cursor: Cursor): Syntax {
  if (skip(cursor, '^')) return { kind: 'start' };
  if (skip(cursor, '$')) return { kind: 'end' };
  if (skip(cursor, '.')) return { kind: 'bytes', set: setOf(lineEnds, true) };
  if (skip(cursor, '[')) return readClass(cursor);
  if (skip(cursor, '(?:')) {
    const inside = readChoice(cursor);
    assert(skip(cursor, ')'), 'A rule has an open group.');
    return inside;
  }
  if (skip(cursor, '\\')) return { kind: 'bytes', set: setOf(readEscape(cursor), false) };
  const character = readCharacter(cursor);
  assert(!'()*+?'.includes(character), `A rule has ${character} where nothing is repeated.`);
  return { kind: 'bytes', set: setOf(character, false) };
}

/** The atom and what repeats it. */
function readRepeated(cursor: Cursor): Syntax {
  const part = readAtom(cursor);
  // As few or as many as possible: the same lines match.
  if (skip(cursor, '*?') || skip(cursor, '*')) return { kind: 'star', part };
  if (skip(cursor, '+')) return { kind: 'plus', part };
  if (skip(cursor, '?')) return { kind: 'option', part };
  const times = /^\{(\d)\}/.exec(cursor.source.slice(cursor.at));
  if (times === null) return part;
  cursor.at += times[0].length;
  return { kind: 'sequence', parts: Array.from({ length: Number(times[1]) }, () => part) };
}

function readSequence(cursor: Cursor): Syntax {
  const parts: Syntax[] = [];
  while (cursor.at < cursor.source.length && !'|)'.includes(cursor.source[cursor.at]!)) {
    parts.push(readRepeated(cursor));
  }
  return { kind: 'sequence', parts };
}

function readChoice(cursor: Cursor): Syntax {
  const parts = [readSequence(cursor)];
  while (skip(cursor, '|')) parts.push(readSequence(cursor));
  return parts.length === 1 ? parts[0]! : { kind: 'choice', parts };
}

/** What the pattern means; one that does not begin with `^` may match anywhere. */
export function readPattern({ source, flags }: RegExp): Syntax {
  assert(flags === '', 'A rule has no flags.');
  const cursor = { source: source === '(?:)' ? '' : source, at: 0 };
  const pattern = readChoice(cursor);
  assert(cursor.at === source.length || source === '(?:)', 'A rule has a bracket too many.');
  const isAnchored = pattern.kind === 'sequence' && pattern.parts[0]?.kind === 'start';
  if (isAnchored) return pattern;
  return { kind: 'sequence', parts: [{ kind: 'star', part: anyByte }, pattern] };
}
