// Every failure that the field notes list, and every threat, has a test that shows that it does not
// happen here: the tables of docs/reliability.md and docs/security.md name it, and what they name
// exists.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { namedTests, readRows, readThreats, unshown } from './failure-table.ts';

const root = join(import.meta.dirname, '..');
const failureCount = 57;

test('the table leaves none of the failures out', () => {
  const numbers = readRows().map(({ number }) => number);
  expect(numbers).toEqual(Array.from({ length: failureCount }, (_, index) => index + 1));
});

test('the threat model has rows and paragraphs that name tests', () => {
  const names = readThreats().map(({ name }) => name);
  expect(names.length).toBeGreaterThan(25);
  expect(names).toEqual(expect.arrayContaining(['Where a token goes', 'What a heap dump holds']));
});

test.each([...readRows(), ...readThreats()])(
  'what shows that it does not happen exists: $name',
  ({ shownBy }) => {
    const named = namedTests(shownBy);
    expect(named.length, shownBy).toBeGreaterThan(0);
    for (const { file, title } of named) {
      expect(readFileSync(join(root, file), 'utf8'), file).toContain(title);
    }
  },
);

test('a test that was skipped or has failed shows nothing', () => {
  const row = { name: 'failure 7', shownBy: '`test/a.test.ts`: “that $what costs nothing”' };
  const report = (...statuses: readonly string[]) => ({
    testResults: [
      {
        name: join(root, 'test/a.test.ts'),
        assertionResults: statuses.map((status, index) => ({
          title: `that number ${index} costs nothing`,
          status,
        })),
      },
    ],
  });
  expect(unshown([row], report('passed', 'passed'))).toEqual([]);
  for (const statuses of [['skipped'], ['passed', 'skipped'], ['passed', 'failed'], []]) {
    expect(unshown([row], report(...statuses))).toHaveLength(1);
  }
  const threat = { ...row, maySkip: true };
  expect(unshown([threat], report('skipped', 'passed'))).toEqual([]);
  expect(unshown([threat], report('skipped', 'failed'))).toHaveLength(1);
});
