// docs/compare.md: what it says of other agents has a source, as the page itself promises.

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const page = path.resolve(import.meta.dirname, '../docs/compare.md');
const link = /\]\((?:https:\/\/|[a-z-]+\.md)/;
const noClaim = new Set(['not documented', 'not compared']);

type Table = { readonly heads: readonly string[]; readonly rows: readonly (readonly string[])[] };

function cellsOf(line: string): string[] {
  return line
    .slice(1, -1)
    .split(' | ')
    .map((cell) => cell.replace(/^\|/, '').trim());
}

/** The tables of words; that of figures has its command above it. */
function readTables(): Table[] {
  const blocks = fs.readFileSync(page, 'utf8').split('\n\n');
  const tables = blocks.filter((block) => block.startsWith('| |'));
  return tables.map((table) => {
    const [head = '', , ...rows] = table.trim().split('\n');
    return { heads: cellsOf(head), rows: rows.map(cellsOf) };
  });
}

test('each claim about an agent links to its source, in its cell or at the head of its column', () => {
  const tables = readTables();
  expect(tables).toHaveLength(2);
  for (const { heads, rows } of tables) {
    expect(rows.length).toBeGreaterThan(3);
    for (const row of rows) {
      expect(row).toHaveLength(heads.length);
      for (const [index, cell] of row.entries()) {
        if (index === 0 || noClaim.has(cell)) continue;
        const isSourced = link.test(cell) || link.test(heads[index] ?? '');
        expect(isSourced, `${row[0]}: ${cell}`).toBe(true);
      }
    }
  }
});
