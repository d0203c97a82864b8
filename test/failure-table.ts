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

/** Something that does not happen, and the tests that show it. */
export type Claim = {
  readonly name: string;
  readonly shownBy: string;
  /** Some of its tests need mounts and cgroups, and say so where they cannot have them. */
  readonly maySkip?: boolean;
};
export type Row = Claim & { readonly number: number };
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
    name: `failure ${number}`,
    shownBy: shownBy ?? '',
  }));
}

/** The rows of all tables of the threat model, and the paragraphs that name tests. */
export function readThreats(): Claim[] {
  const text = readFileSync(path.join(root, 'docs/security.md'), 'utf8');
  const rows = text.matchAll(/^\| (?!who does what|what happens)([^|]+) \|[^|]*\|(.*)\|$/gm);
  const paragraphs = text.matchAll(/^- \*\*([^*]+)\.\*\*(.*(?:\n {2}.*)*\(`test\/.*)/gm);
  return [...rows, ...paragraphs].map(([, name = '', shownBy = '']) => ({
    name,
    shownBy,
    maySkip: true,
  }));
}

/** Titles are those of the source: `$what` and `%s` stand for the values of a table. */
export function namedTests(shownBy: string): NamedTest[] {
  const found = shownBy.matchAll(/`(test\/[^`]+\.test\.ts)`: “([^”]+)”/g);
  return [...found].map(([, file = '', title = '']) => ({ file, title }));
}

/** What the report does not show to have passed, one line each. */
export function unshown(claims: readonly Claim[], report: Report): string[] {
  const missing: string[] = [];
  for (const { name: claim, shownBy, maySkip = false } of claims) {
    for (const { file, title } of namedTests(shownBy)) {
      if (file.endsWith(slowSuffix) || file === chaosFile) continue;
      const pattern = patternOf(title);
      const results = report.testResults
        .filter(({ name }) => name === path.join(root, file))
        .flatMap(({ assertionResults }) => assertionResults)
        .filter((result) => pattern.test(result.title));
      const isShown = ({ status }: { status: string }) =>
        status === 'passed' || (maySkip && status !== 'failed');
      const hasPassed = results.length > 0 && results.every(isShown);
      if (!hasPassed) missing.push(`${claim}: ${file}: “${title}” has not passed`);
    }
  }
  return missing;
}

function patternOf(title: string): RegExp {
  const words = title.split(/\$\w+|%\w/).map((word) => RegExp.escape(word));
  return new RegExp(`^${words.join('.*')}(?: \\(skipped: .*\\))?$`);
}

if (import.meta.main) {
  const report = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Report;
  const missing = unshown([...readRows(), ...readThreats()], report);
  for (const line of missing) process.stdout.write(`${line}\n`);
  process.exitCode = missing.length === 0 ? 0 : 1;
}
