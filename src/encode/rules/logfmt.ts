// Parses logfmt: `level=info msg="it is \"up\"" debug`. Invariant: linear in the text; a text
// whose first word is not `key=value` is not logfmt, or every sentence would be a list of keys.

import { limits } from '../../config.ts';
import type { Members } from './rule-payload.ts';

const equals = 0x3d;
const quote = 0x22;
const backslash = 0x5c;
const space = 0x20;
/** Lone surrogates, which JSON.stringify escapes. */
const surrogates = 0xd800;

/** The end of the word at `start`, at white space; plain if JSON would escape nothing in it. */
function wordEnd(text: string, start: number): { end: number; isPlain: boolean } {
  let isPlain = true;
  let at = start;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code <= space) break;
    if (code === quote || code === backslash || code >= surrogates) isPlain = false;
  }
  return { end: at, isPlain };
}

/** The end of the key at `start`; a quote ends it. */
function keyEnd(text: string, start: number): number {
  let at = start;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code <= space || code === equals || code === quote) break;
  }
  return at;
}

/** The end of the string at `start`, -1 if it has none; plain if it has no escapes. */
function stringEnd(text: string, start: number): { end: number; isPlain: boolean } {
  let isPlain = true;
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) return { end: at + 1, isPlain };
    if (code === backslash) {
      at++;
      isPlain = false;
    } else if (code < space) isPlain = false;
  }
  return { end: -1, isPlain };
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };

/** The JSON string for a quoted text, however it is escaped. */
function rewritten(quoted: string): string {
  try {
    return JSON.stringify((JSON.parse(quoted) as string).toWellFormed());
  } catch {
    const inner = quoted.slice(1, -1);
    const meant = inner.replaceAll(/\\([^])/g, (_, letter: string) => escapes[letter] ?? letter);
    return JSON.stringify(meant);
  }
}

/** The fields as JSON strings; undefined if the text is not logfmt. */
export function parseLogfmt(text: string): Members | undefined {
  const members: Members = new Map();
  const { length } = text;
  let at = 0;
  for (;;) {
    while (at < length && text.charCodeAt(at) <= space) at++;
    if (at === length) break;
    const end = keyEnd(text, at);
    const code = text.charCodeAt(end);
    if (end === at || code === quote || members.size >= limits.ruleFieldsMax) return undefined;
    const key = text.slice(at, end);
    at = end;
    if (code !== equals) {
      if (members.size === 0) return undefined;
      members.set(key, '"true"');
      continue;
    }
    if (text.charCodeAt(at + 1) === quote) {
      const string = stringEnd(text, at + 1);
      const isWhole = string.end === length || text.charCodeAt(string.end) <= space;
      if (string.end === -1 || !isWhole) return undefined;
      const quoted = text.slice(at + 1, string.end);
      members.set(key, string.isPlain ? quoted : rewritten(quoted));
      at = string.end;
    } else {
      const word = wordEnd(text, at + 1);
      const value = text.slice(at + 1, word.end);
      members.set(key, word.isPlain ? `"${value}"` : JSON.stringify(value));
      at = word.end;
    }
  }
  return members.size === 0 ? undefined : members;
}
