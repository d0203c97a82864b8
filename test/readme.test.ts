// The README's tables are printed from the code: this test prints them again and compares. `TAILSHIP_WRITE_README=1` writes them.

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

import { configKeys, flagOf, rowOf, variableOf } from '../src/options/config-loader.ts';
import { errorTable } from '../src/errors.ts';
import type { OptionRow } from '../src/options/options.ts';

const path = fileURLToPath(new URL('../README.md', import.meta.url));

function optionsTable(): string {
  const rows = configKeys
    .filter((key) => rowOf(key).commands.includes('run'))
    .map((key) => {
      const { default: value, help } = rowOf(key);
      return `| \`${flagOf(key)}\` | \`${variableOf(key)}\` | ${printDefault(value)} | ${help.replaceAll('|', '\\|')} |`;
    });
  return ['| flag | variable | default | |', '|---|---|---|---|', ...rows].join('\n');
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

function between(text: string, name: string): string {
  const [, after = ''] = text.split(`<!-- ${name}:begin -->\n`);
  return after.split(`<!-- ${name}:end -->`)[0] ?? '';
}

test.each([
  ['options', optionsTable],
  ['errors', errorsTable],
])('the table of %s in the README is that of the code', (name, table) => {
  const text = readFileSync(path, 'utf8');
  const printed = `${table()}\n`;
  const end = `<!-- ${name}:end -->`;
  if (process.env['TAILSHIP_WRITE_README'] === '1') {
    writeFileSync(path, text.replace(`${between(text, name)}${end}`, `${printed}${end}`));
    return;
  }
  expect(between(text, name)).toBe(printed);
});

test('every file that the README points at is there', () => {
  const text = readFileSync(path, 'utf8');
  const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target]) => target ?? '');
  expect(links.length).toBeGreaterThan(1);
  for (const link of links) {
    expect(() => readFileSync(new URL(`../${link}`, import.meta.url)), link).not.toThrow();
  }
});
