// The judge of the runtime tests finds each kind of trouble, and what the containers write is what
// this process says they do.

import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import type { ShownEntry } from '../../src/emulator/verify/expected-entry.ts';
import { isWhole, judgeLines } from './line-verdict.ts';
import type { WrittenStream } from './line-verdict.ts';
import { numberedLine, writerCommand } from './numbered-lines.ts';

const written = {
  pod: 'web',
  container: 'main',
  stream: 'stdout',
  kind: 'text',
  bytes: 40,
  count: 4,
} as const satisfies WrittenStream;

function entry(seq: number, changes: Partial<ShownEntry> = {}): ShownEntry {
  return {
    logName: `projects/p/logs/${written.stream}`,
    severity: 'INFO',
    resource: { labels: { pod_name: 'web', container_name: 'main' } },
    textPayload: numberedLine(written, seq),
    ...changes,
  };
}

describe('judgeLines()', () => {
  test('finds nothing where every line is there once, in order', async () => {
    const verdict = await judgeLines(
      [written],
      [1, 2, 3, 4].map((seq) => entry(seq)),
    );
    expect(verdict).toMatchObject({ written: 4, lost: 0, doubled: 0, outOfOrder: 0, altered: 0 });
    expect(isWhole(verdict)).toBe(true);
  });

  test.for([
    ['a loss', { lost: 1 }, [entry(1), entry(2), entry(4)]],
    ['a double', { doubled: 1 }, [entry(1), entry(2), entry(2), entry(3), entry(4)]],
    ['disorder', { outOfOrder: 1 }, [entry(1), entry(3), entry(2), entry(4)]],
    [
      'another text',
      { altered: 1 },
      [entry(1), entry(2), entry(3), entry(4, { textPayload: 'seq=4 x' })],
    ],
    [
      'another severity',
      { altered: 1 },
      [entry(1), entry(2), entry(3), entry(4, { severity: 'ERROR' })],
    ],
    ['a line nobody wrote', { unknown: 1 }, [1, 2, 3, 4, 5].map((seq) => entry(seq))],
    [
      'a notice of a loss',
      { unknown: 1 },
      [
        ...[1, 2, 3, 4].map((seq) => entry(seq)),
        entry(0, { textPayload: 'tailship lost 9 bytes' }),
      ],
    ],
  ] as const)('finds %s', async ([, counts, entries]) => {
    const verdict = await judgeLines([written], entries);
    const none = { lost: 0, doubled: 0, outOfOrder: 0, altered: 0, unknown: 0 };
    expect(verdict).toMatchObject({ ...none, ...counts });
    expect(isWhole(verdict)).toBe(false);
    expect(verdict.samples).toHaveLength(1);
  });
});

test.for(['text', 'json'] as const)('a container writes the lines of kind %s', (kind) => {
  const lines = { kind, bytes: 300 };
  const plan = { ...lines, stream: 'stdout', first: 7, count: 500, batch: 100 } as const;
  const [, ...words] = writerCommand([{ ...plan, pauseSeconds: 0, unended: true }], 3);
  let output = '';
  try {
    execFileSync('/bin/sh', words, { stdio: 'pipe' });
  } catch (error) {
    const failed = error as { status: number; stdout: Buffer };
    expect(failed.status).toBe(3);
    output = failed.stdout.toString();
  }
  const expected = Array.from({ length: 500 }, (_, index) => numberedLine(lines, index + 7));
  expect(output).toBe(expected.join('\n'));
});
