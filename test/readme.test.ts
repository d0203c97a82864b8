// The pages hold what the code says: generated tables equal the code's (`TAILSHIP_WRITE_README=1`
// writes them), every link leads to a file and a heading that exist, and each page has its room.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

import { configKeys, flagOf, rowOf, variableOf } from '../src/options/config-loader.ts';
import { errorTable } from '../src/errors.ts';
import { answerTable } from '../src/ship/answer-table.ts';
import type { AnswerEffect } from '../src/ship/answer-table.ts';
import type { OptionRow } from '../src/options/options.ts';

const root = path.resolve(import.meta.dirname, '..');
const readmeBytesMax = 8_000;
const architectureBytesMax = 12_000;

/** Every Markdown page that people read, by its path from the root. */
const pages = ['.', 'docs']
  .flatMap((folder) => readdirSync(path.join(root, folder)).map((name) => path.join(folder, name)))
  .filter((name) => name.endsWith('.md'));

function readPage(name: string): string {
  return readFileSync(path.join(root, name), 'utf8');
}

function optionsTable(): string {
  const rows = configKeys
    .filter((key) => rowOf(key).commands.includes('run'))
    .map((key) => {
      const { default: value, help } = rowOf(key);
      return `| \`${flagOf(key)}\` | \`${variableOf(key)}\` | ${printDefault(value)} | ${help.replaceAll('|', '\\|')} |`;
    });
  return ['| flag | variable | default | |', '|---|---|---|---|', ...rows].join('\n');
}

/** Those that a reload changes without a restart. */
function hotList(): string {
  const hot = configKeys.filter(
    (key) => rowOf(key).isHot === true && rowOf(key).commands.includes('run'),
  );
  return `${hot.map((key) => `\`${flagOf(key)}\``).join(', ')}.`;
}

function printDefault(value: OptionRow['default']): string {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return '';
  if (typeof value !== 'object') return `\`${value}\``;
  if ('host' in value) return `\`${value.host}:${value.port}\``;
  return value.map((part) => `\`${part}\``).join(', ');
}

function errorsTable(): string {
  const rows = Object.entries(errorTable).map(
    ([code, { retryable, advice }]) => `| \`${code}\` | ${retryable ? 'yes' : 'no'} | ${advice} |`,
  );
  return ['| code | tried again by itself | what to do |', '|---|---|---|', ...rows].join('\n');
}

function answersTable(): string {
  const rows = answerTable.map(({ name, answer, effect }) => {
    const code = 'code' in effect ? `\`${effect.code}\`` : '';
    return `| ${name} | ${answer} | ${fates[effect.fate]}${paceOf(effect)} | ${code} |`;
  });
  return ['| row | answer | what happens | code |', '|---|---|---|---|', ...rows].join('\n');
}

const fates: Readonly<Record<AnswerEffect['fate'], string>> = {
  accepted: 'all entries are written',
  partial:
    'the named entries are dead-lettered, or sent again if they may be taken later; the others are written',
  refused:
    'the entries that the API blames are dead-lettered, else the request is halved until one is refused alone',
  kept: 'kept and sent again',
  halved: 'halved at once; an entry that is alone is kept and sent again',
  suspected: 'kept and sent again, in halves if it lasts; an entry that is alone is kept',
};

function paceOf(effect: AnswerEffect): string {
  if (!('pace' in effect) || effect.pace === 'normal') return '';
  return effect.pace === 'slow' ? ', slowly' : ', at a lower rate';
}

function between(text: string, name: string): string {
  const [, after = ''] = text.split(`<!-- ${name}:begin -->\n`);
  return after.split(`<!-- ${name}:end -->`)[0] ?? '';
}

test.each([
  ['options', 'docs/configuration.md', optionsTable],
  ['hot', 'docs/configuration.md', hotList],
  ['errors', 'docs/errors.md', errorsTable],
  ['answers', 'docs/errors.md', answersTable],
])('the table of %s in %s is that of the code', (name, page, table) => {
  const text = readPage(page);
  const printed = `${table()}\n`;
  const end = `<!-- ${name}:end -->`;
  if (process.env['TAILSHIP_WRITE_README'] === '1') {
    const written = text.replace(`${between(text, name)}${end}`, () => `${printed}${end}`);
    writeFileSync(path.join(root, page), written);
    return;
  }
  expect(between(text, name)).toBe(printed);
});

/** The anchor that a Markdown viewer gives a heading. */
function anchorOf(heading: string): string {
  const kept = heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '');
  return kept.trim().replaceAll(/\s/g, '-');
}

function anchorsOf(name: string): string[] {
  return [...readPage(name).matchAll(/^#{1,6} (.+)$/gm)].map(([, title = '']) => anchorOf(title));
}

test.each(pages)('every link of %s leads somewhere', (page) => {
  const links = [...readPage(page).matchAll(/\]\((?!https?:)([^)\s]*)\)/g)];
  for (const [, link = ''] of links) {
    const [target = '', anchor] = link.split('#');
    const file = target === '' ? page : path.join(path.dirname(page), target);
    expect(() => readPage(file), `${page}: ${link}`).not.toThrow();
    if (anchor !== undefined) expect(anchorsOf(file), `${page}: ${link}`).toContain(anchor);
  }
});

test('every page of docs/ is linked from the README or from another page', () => {
  const linked = pages.flatMap((page) =>
    [...readPage(page).matchAll(/\]\((?!https?:)([^)\s#]+)/g)].map(([, link = '']) =>
      path.join(path.dirname(page), link),
    ),
  );
  expect(pages.filter((page) => page.startsWith('docs/') && !linked.includes(page))).toEqual([]);
});

test('README and ARCHITECTURE can be read in one sitting', () => {
  expect(Buffer.byteLength(readPage('README.md'))).toBeLessThan(readmeBytesMax);
  expect(Buffer.byteLength(readPage('ARCHITECTURE.md'))).toBeLessThan(architectureBytesMax);
});
