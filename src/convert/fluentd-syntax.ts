// Reads fluentd's configuration syntax: sections, quoted and multi-line values, JSON, comments.
// Includes stay directives; Ruby inside values stays text.
//
// Invariant: every text is read to its end, in one pass; a syntax problem is reported, not thrown.

import type { ConfSource } from './conf-source.ts';
import { newSection, type GrowingSection, type ReportOdd, type Section } from './section.ts';

/** In lines: a bracket that is not closed within them belongs to a pattern. */
const jsonLinesMax = 200;
const depthMax = 50;

type Value = { readonly value: string; readonly lines: number };

/** The root section of a text. Line numbers are those of the file. */
export function parseFluentd(source: ConfSource, report: ReportOdd): Section {
  const { name: file, firstLine } = source;
  const lines = source.text.split('\n');
  const root = newSection('', '', { file, line: firstLine });
  const open: GrowingSection[] = [root];
  for (let index = 0; index < lines.length; index += 1) {
    const line = (lines[index] ?? '').trim();
    const place = { file, line: firstLine + index };
    if (line === '' || line.startsWith('#')) continue;
    const [, name, argument = ''] = /^<([\w-]+)\s*(.*?)\s*>\s*(?:#.*)?$/.exec(line) ?? [];
    const [, closed] = /^<\/([\w-]+)\s*>/.exec(line) ?? [];
    if (closed !== undefined) {
      const at = open.findLastIndex((section, depth) => depth > 0 && section.name === closed);
      if (at === -1) report(place, `</${closed}> closes nothing`);
      else open.length = at;
    } else if (name !== undefined) {
      const section = newSection(name, argument, place);
      open.at(-1)?.sections.push(section);
      if (open.length <= depthMax) open.push(section);
      else report(place, 'sections are nested too deep');
    } else {
      const [, written = '', rest = ''] = /^("[^"]*"|\S+)\s*(.*)$/s.exec(line) ?? [];
      const key = written.replaceAll(/^"|"$/g, '');
      const { value, lines: count } = readValue(rest, lines, index);
      index += count - 1;
      const known = withDefault(value);
      const text = `${key} ${value}: Ruby is not converted; its default holds`;
      if (known !== value) report(place, text);
      if (known !== undefined) open.at(-1)?.directives.push({ ...place, key, value: known });
    }
  }
  for (const section of open.slice(1)) report(section, `<${section.name}> is not closed`);
  return root;
}

/** `#{ENV['A'] || 'b'}` as `b`; undefined where fluentd's own default is the fallback. */
function withDefault(value: string): string | undefined {
  const pattern =
    /#\{\s*ENV(?:\[[^\]]*\]|\.fetch\([^)]*\))\s*\|\|\s*(?:'([^']*)'|"([^"]*)"|(\w+))\s*\}/g;
  if (/\|\|\s*use_(?:default|nil)\s*\}/.test(value)) return undefined;
  return value.replaceAll(pattern, (...[, single, double, word]: (string | undefined)[]) => {
    return single ?? double ?? word ?? '';
  });
}

function readValue(rest: string, lines: readonly string[], index: number): Value {
  if (rest.startsWith('"') || rest.startsWith("'")) return readQuoted(rest, lines, index);
  if (rest.startsWith('{') || rest.startsWith('[')) return readJson(rest, lines, index);
  // A pattern can contain what looks like a comment.
  if (rest.startsWith('/')) return { value: rest, lines: 1 };
  return { value: rest.replace(/(?:^|\s)#(?!\{).*$/, '').trimEnd(), lines: 1 };
}

/** A quoted text, which may span lines. */
function readQuoted(rest: string, lines: readonly string[], index: number): Value {
  const quote = rest[0];
  let value = '';
  let text = rest;
  let at = 1;
  for (let count = 1; ; count += 1) {
    for (; at < text.length; at += 1) {
      const character = text[at];
      const ruby = quote === '"' ? rubyAt(text, at) : '';
      if (ruby !== '') {
        value += ruby;
        at += ruby.length - 1;
        continue;
      }
      if (character === quote) return { value, lines: count };
      if (character === '\\' && at + 1 < text.length) {
        at += 1;
        value += unescaped(text[at] ?? '', quote);
      } else value += character;
    }
    const next = lines[index + count];
    // Nothing closes it: the quote is part of the value.
    if (next === undefined) return { value: rest, lines: 1 };
    const isContinued = text.endsWith('\\');
    value = isContinued ? value.slice(0, -1) : `${value}\n`;
    text = next;
    at = 0;
  }
}

/** `#{…}` with any quotes inside; '' if there is none here. */
function rubyAt(text: string, at: number): string {
  if (!text.startsWith('#{', at)) return '';
  const end = text.indexOf('}', at);
  return end === -1 ? '' : text.slice(at, end + 1);
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', f: '\f', b: '\b' };

/** In single quotes only the quote and the backslash can be escaped. */
function unescaped(character: string, quote: string | undefined): string {
  if (character === quote || character === '\\') return character;
  const isDouble = quote === '"';
  return (isDouble ? escapes[character] : undefined) ?? (isDouble ? character : `\\${character}`);
}

/** JSON may span lines, with comments between them. */
function readJson(rest: string, lines: readonly string[], index: number): Value {
  const last = Math.min(lines.length, index + jsonLinesMax);
  let depth = 0;
  let isString = false;
  let value = '';
  let text = rest;
  for (let count = 1; index + count <= last; count += 1) {
    for (let at = 0; at < text.length; at += 1) {
      const character = text[at];
      if (isString && character === '\\') {
        value += character;
        at += 1;
      } else if (character === '"') isString = !isString;
      else if (!isString && (character === '{' || character === '[')) depth += 1;
      else if (!isString && (character === '}' || character === ']')) depth -= 1;
      else if (!isString && character === '#' && /^\s?$/.test(text[at - 1] ?? '')) break;
      value += text[at] ?? '';
      if (depth === 0 && !isString) {
        const after = text.slice(at + 1).trim();
        if (after === '' || after.startsWith('#')) return { value, lines: count };
        return { value: rest, lines: 1 }; // `[a-z]+ and more` is a pattern.
      }
    }
    text = lines[index + count] ?? '';
    value += '\n';
  }
  return { value: rest, lines: 1 };
}
