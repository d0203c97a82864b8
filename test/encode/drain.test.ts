// The drain of one task against the model, and its rules at the borders of files, spans and
// records.

import { describe, expect, test } from 'vitest';

import {
  drainHere,
  fallbackTime,
  idPrefix,
  openFiles,
  plainContext,
  plainSource,
} from './drain-bench.ts';
import type { DrainRun } from './drain-bench.ts';
import { modelEntries } from './drain-model.ts';

const t = '2024-03-05T14:07:21.104582937Z';

function drainAll(contents: readonly (string | Buffer)[], run: DrainRun = {}) {
  const files = openFiles(contents);
  try {
    return drainHere([{ ...plainSource, segments: files.segments() }], run);
  } finally {
    files.close();
  }
}

function expected(contents: readonly (string | Buffer)[]): string[] {
  const files = contents.map((content) => ({
    content: Buffer.from(content as string),
    idPrefix,
    fallbackTime,
  }));
  return modelEntries(files, plainContext);
}

const allKinds = [
  `${t} stdout F plain`,
  `${t} stderr F on the other stream`,
  `${t} stdout F `,
  `${t} stdout F with a return\r`,
  `2024-03-05T16:07:21+02:00 stdout F quotes " and \\ and \t and \u0001 and ü and 😀`,
  `${t} stdout F {"message":"json","a":1}`,
  `${t} stderr F I0305 14:07:21.103990       1 server.go:412] klog`,
  `${t} stdout P first half, `,
  `${t} stderr P other first half, `,
  `${t} stderr F between? no, joined`,
  `${t} stdout F second half`,
  'no CRI line at all',
  '',
  '',
  '',
  'nor this',
  '',
  'stdout F without a time',
  '\r',
  '',
  '',
  '2024-03-05T14:07:21.1Z stdout',
  `${t} stdout F:new tags`,
  `2024-02-30T14:07:21Z stdout F no such day`,
  `${t} stdout F last`,
];

describe('drain', () => {
  test('ships the first of empty lines that follow each other, and counts all of them', () => {
    const files = openFiles([`\n\n${t} stdout F a\n${'\n'.repeat(70_000)}x\n\n\n`]);
    for (const useKernel of [true, false]) {
      const { entries, result } = drainHere([{ ...plainSource, segments: files.segments() }], {
        useKernel,
      });
      expect(entries).toHaveLength(5);
      expect(result.sources[0]).toMatchObject({ lines: 70_006, malformedLines: 70_005 });
    }
    files.close();
  });

  for (const useKernel of [true, false]) {
    for (const readBytes of [1, 7, 64, 1000, 128 * 1024]) {
      test(`writes what the model writes, kernel ${useKernel}, reads of ${readBytes} bytes`, () => {
        const text = `${allKinds.join('\n')}\n`;
        const { entries, result } = drainAll([text], { useKernel, readBytes });
        expect(entries).toEqual(expected([text]));
        expect(result.sources[0]?.consumed).toEqual([Buffer.byteLength(text)]);
        expect(result.sources[0]?.lines).toBe(allKinds.length);
        expect(result.entries).toBe(entries.length);
      });
    }
  }
});
