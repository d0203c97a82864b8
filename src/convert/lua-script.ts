// Converts the replacements of a Fluent Bit Lua script to rules: `string.gsub` with constants.

import type { FilterSite } from './record-filters.ts';

type Redaction = { readonly pattern: string; readonly with: string };

const text = String.raw`(?:"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)')`;
const gsub = new RegExp(
  String.raw`string\.gsub\(\s*record\[\s*["']\w+["']\s*\]\s*,\s*${text}\s*,\s*${text}\s*\)`,
  'g',
);
/** Lines around the replacements that have no effect of their own. */
const frame = /^\s*(?:--.*|function\b.*|end|return\b.*|record\[.*string\.gsub\(record.*|)\s*$/;

/** Converts what it can; the rest of the script becomes a note. */
export function addLua(code: string | undefined, site: FilterSite): void {
  const { draft, place, subject } = site;
  if (code === undefined) {
    draft.note('none', place, subject, 'a script, which is not given');
    return;
  }
  const redact: Redaction[] = [];
  for (const [, double, single, doubleWith, singleWith] of code.matchAll(gsub)) {
    const pattern = re2OfLua(double ?? single ?? '');
    const put = (doubleWith ?? singleWith ?? '').replaceAll('$', '$$$$');
    const replaced = put.replaceAll(/%(\d|%)/g, (_, what: string) =>
      what === '%' ? '%' : `$${what}`,
    );
    if (pattern !== undefined) redact.push({ pattern, with: replaced });
    else draft.note('none', place, subject, `the pattern ${double ?? single}`);
  }
  if (redact.length > 0) draft.addRule(site, { redact });
  const others = code.split('\n').filter((line) => !frame.test(line));
  if (redact.length === 0 || others.length > 0) {
    draft.note('none', place, subject, 'of a script only string.gsub with constants is taken over');
  }
}

const classes: Readonly<Record<string, string>> = {
  d: '0-9',
  w: 'A-Za-z0-9',
  a: 'A-Za-z',
  l: 'a-z',
  u: 'A-Z',
  x: '0-9A-Fa-f',
  s: String.raw`\s`,
  p: '[:punct:]',
};

/** A Lua pattern as RE2; undefined for balanced matches, frontiers and back references. */
function re2OfLua(pattern: string): string | undefined {
  let re2 = '';
  let isInClass = false;
  for (let at = 0; at < pattern.length; at += 1) {
    const character = pattern[at] ?? '';
    if (character === '%') {
      at += 1;
      const next = pattern[at] ?? '';
      const known = classes[next];
      if (/[bf\d]/.test(next)) return undefined;
      if (known === undefined) re2 += /\w/.test(next) ? next : `\\${next}`;
      else re2 += isInClass ? known : `[${known}]`;
    } else if (character === '[' && !isInClass) {
      isInClass = true;
      re2 += character;
    } else if (character === ']' && isInClass) {
      isInClass = false;
      re2 += character;
    } else if (character === '-' && !isInClass) re2 += '*?';
    else re2 += /[{}|\\]/.test(character) ? `\\${character}` : character;
  }
  return re2;
}
