// What the benchmarks of the encoder drain: one file to its end, as one container's log. The
// invariant: all of them start from the same source, so that a figure differs only by what is said.

import type { Source } from '../src/encode/drain-task.ts';

/** Bytes `[start, end)` of an open file. */
export type FileSpan = { readonly fd: number; readonly start: number; readonly end: number };

/** A source of one file, with what the scenario says differently. */
export function makeSource(span: FileSpan, change: Partial<Source> = {}): Source {
  const fallbackTime = '2026-03-05T14:00:00Z';
  return {
    segments: [{ ...span, ended: true, idPrefix: '0'.repeat(22), fallbackTime }],
    ended: true,
    flushFirst: false,
    format: 'cri',
    joinStackTraces: false,
    resource: '',
    logName: { stdout: '', stderr: '"logName":"projects/p/logs/stderr",' },
    labels: '',
    ...change,
  };
}
