// Every failure that the field notes list has a test that shows that it does not happen here: the
// table of docs/reliability.md names it, and what it names exists.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const failureCount = 57;
const heading = '## The 57 failures\n';

type Row = { readonly number: number; readonly shownBy: string };

function readRows(): Row[] {
  const text = readFileSync(join(root, 'docs/reliability.md'), 'utf8');
  const section = text.split(heading)[1]?.split('\n## ')[0] ?? '';
  return [...section.matchAll(/^\| (\d+) \|[^|]*\|(.*)\|$/gm)].map(([, number, shownBy]) => ({
    number: Number(number),
    shownBy: shownBy ?? '',
  }));
}

test('the table leaves none of the failures out', () => {
  const numbers = readRows().map(({ number }) => number);
  expect(numbers).toEqual(Array.from({ length: failureCount }, (_, index) => index + 1));
});

test.each(readRows())('what shows that failure $number does not happen exists', ({ shownBy }) => {
  const tests = [...shownBy.matchAll(/`(test\/[^`]+\.test\.ts)`: “([^”]+)”/g)];
  expect(tests.length, shownBy).toBeGreaterThan(0);
  for (const [, file = '', title = ''] of tests) {
    expect(readFileSync(join(root, file), 'utf8'), file).toContain(title);
  }
});
