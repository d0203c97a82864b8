// The table of failures of docs/reliability.md, and the tests that it names.
//
// As a command, `node test/failure-table.ts REPORT`, it holds the table against vitest's JSON
// report of a whole run: exit code 1 when a test that it names was skipped or failed. Slow tests
// are no part of that run.

import { readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const heading = '## The 57 failures\n';
const slowSuffix = '.slow.test.ts';
/** Runs longer, as a command of its own. */
const chaosFile = 'test/e2e/chaos.test.ts';

export type Row = { readonly number: number; readonly shownBy: string };
export type NamedTest = { readonly file: string; readonly title: string };

/** What is read of vitest's JSON report. */
export type Report = {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly title: string; readonly status: string }[];
  }[];
};

export function readRows(): Row[] {
  const text = readFileSync(path.join(root, 'docs/reliability.md'), 'utf8');
  const section = text.split(heading)[1]?.split('\n## ')[0] ?? '';
  return [...section.matchAll(/^\| (\d+) \|[^|]*\|(.*)\|$/gm)].map(([, number, shownBy]) => ({
    number: Number(number),
    shownBy: shownBy ?? '',
  }));
}

/** Titles are those of the source: `$what` and `%s` stand for the values of a table. */
export function namedTests(shownBy: string): NamedTest[] {
  const found = shownBy.matchAll(/`(test\/[^`]+\.test\.ts)`: “([^”]+)”/g);
  return [...found].map(([, file = '', title = '']) => ({ file, title }));
}

/** What the report does not show to have passed, one line each. */
export function unshown(rows: readonly Row[], report: Report): string[] {
  const missing: string[] = [];
  for (const { number, shownBy } of rows) {
    for (const { file, title } of namedTests(shownBy)) {
      if (file.endsWith(slowSuffix) || file === chaosFile) continue;
      const pattern = patternOf(title);
      const results = report.testResults
        .filter(({ name }) => name === path.join(root, file))
        .flatMap(({ assertionResults }) => assertionResults)
        .filter((result) => pattern.test(result.title));
      const hasPassed = results.length > 0 && results.every(({ status }) => status === 'passed');
      if (!hasPassed) missing.push(`failure ${number}: ${file}: “${title}” has not passed`);
    }
  }
  return missing;
}

function patternOf(title: string): RegExp {
  const words = title.split(/\$\w+|%\w/).map((word) => RegExp.escape(word));
  return new RegExp(`^${words.join('.*')}$`);
}

if (import.meta.main) {
  const report = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Report;
  const missing = unshown(readRows(), report);
  for (const line of missing) process.stdout.write(`${line}\n`);
  process.exitCode = missing.length === 0 ? 0 : 1;
}
