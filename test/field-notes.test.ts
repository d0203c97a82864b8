// Every failure that the field notes list has a test that shows that it does not happen here: the
// table of docs/reliability.md names it, and what it names exists.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { namedTests, readRows, unshown } from './failure-table.ts';

const root = join(import.meta.dirname, '..');
const failureCount = 57;

test('the table leaves none of the failures out', () => {
  const numbers = readRows().map(({ number }) => number);
  expect(numbers).toEqual(Array.from({ length: failureCount }, (_, index) => index + 1));
});

test.each(readRows())('what shows that failure $number does not happen exists', ({ shownBy }) => {
  const named = namedTests(shownBy);
  expect(named.length, shownBy).toBeGreaterThan(0);
  for (const { file, title } of named) {
    expect(readFileSync(join(root, file), 'utf8'), file).toContain(title);
  }
});

test('a test that was skipped or has failed shows nothing', () => {
  const row = { number: 7, shownBy: '`test/a.test.ts`: “that $what costs nothing”' };
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
});
