// A task that takes too long ends between two records; the next one goes on there.

import { expect, onTestFinished, test } from 'vitest';

import { drainHere, openFiles, plainSource } from './drain-bench.ts';

test('a task ends between two records when its time is up, and its successors take the rest', () => {
  const count = 8;
  // A search of some hundred milliseconds a line: the pattern matches once, and looks far ahead.
  const line = (index: number) => `2024-03-05T14:07:0${index}Z stdout F ${'ab1'.repeat(5_000)}@x\n`;
  const content = Array.from({ length: count }, (_, index) => line(index)).join('');
  const files = openFiles([content]);
  onTestFinished(() => files.close());
  const recordRule = { redact: ['[a-z0-9]{400}@x'], shares: undefined };
  let offset = 0;
  let entries = 0;
  let tasks = 0;
  while (offset < content.length) {
    const segments = files.segments({ start: offset });
    const { result } = drainHere([{ ...plainSource, segments, recordRule }]);
    const [source] = result.sources;
    const end = source?.consumed[0] ?? offset;
    expect(content[end - 1]).toBe('\n');
    expect(source?.more).toBe(end < content.length);
    expect(end).toBeGreaterThan(offset);
    entries += result.entries;
    offset = end;
    tasks += 1;
  }
  expect(entries).toBe(count);
  expect(tasks).toBeGreaterThan(1);
});
