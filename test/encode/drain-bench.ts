// Runs drain tasks in the test's own thread, on real files: one shared memory, one encoder with the
// kernel and one without.

import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { limits } from '../../src/config.ts';
import { createEncoder, drainTask } from '../../src/encode/encoder.ts';
import type { DrainResult, Segment, Source } from '../../src/encode/drain-task.ts';
import { instantOfClock } from '../../src/encode/rfc3339.ts';
import { severityIndex, severityNames, type Severity } from '../../src/log-severity.ts';
import { createSharedMemory, slotAddress } from '../../src/encode/shared-memory.ts';

const layout = { encoderCount: 2, slotCount: 1 };
const memory = createSharedMemory(layout);
const shared = Buffer.from(memory.buffer);
const head = Buffer.from('{"entries":[');

export const idPrefix = '0123456789abcdefghijkl';
export const fallbackTime = '2020-01-01T00:00:00Z';

export const plainSource = {
  ended: true,
  flushFirst: false,
  format: 'cri',
  joinStackTraces: false,
  resource: '',
  logName: { stdout: '"logName":"o",', stderr: '"logName":"e",' },
  labels: '"k8s-pod/app":"web"',
} as const satisfies Omit<Source, 'segments'>;

export const traceParent = 'projects/p';

/** Close to the times of the generated lines, so that some are more than a day ahead of it. */
export const readAtMs = Date.parse('2024-03-05T14:07:21.150Z');

/** What every record of a plain source is encoded with. */
export const plainContext = {
  ...plainSource,
  requestLabels: 0,
  traceParent,
  readAt: instantOfClock(readAtMs),
};

export type Drained = {
  readonly result: DrainResult;
  /** The entries' texts. */
  readonly entries: readonly string[];
};

export type DrainRun = {
  readonly useKernel?: boolean;
  readonly readBytes?: number;
  /** When it is read, milliseconds since the epoch. */
  readonly at?: number;
  /** How the body's bytes are read; UTF-8 throws when they are none. */
  readonly encoding?: 'utf-8' | 'latin1';
};

const encoders = {
  fast: createEncoder(memory, 0),
  slow: createEncoder(memory, 1, { useKernel: false }),
};

function decode(bytes: Buffer, encoding: 'utf-8' | 'latin1'): string {
  if (encoding === 'latin1') return bytes.toString(encoding);
  return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
}

/** Runs one task over `sources` here. */
export function drainHere(sources: readonly Source[], run: DrainRun = {}): Drained {
  const { useKernel = true, readBytes = limits.readBytes, encoding = 'utf-8' } = run;
  const { at = readAtMs } = run;
  const encoder = { ...(useKernel ? encoders.fast : encoders.slow), readBytes };
  const result = drainTask(encoder, layout, { slot: 0, head, sources, traceParent, readAtMs: at });
  if (result.bodyBytes === 0) return { result, entries: [] };
  const start = slotAddress(layout, 0);
  const body = shared.subarray(start + head.length, start + result.bodyBytes - ']}'.length);
  const [first, ...others] = decode(body, encoding).split(',\n{');
  return { result, entries: [first!, ...others.map((text) => `{${text}`)] };
}

/** What both say of the source, whoever encoded its lines. */
function answerOf({ result }: Drained) {
  const { fastLines: _, severities: __, ...answer } = result.sources[0]!;
  return answer;
}

/**
 * Entries of one CRI file with the kernel, and without it: their bytes, one character each, and
 * their counts by severity.
 */
export function drainBoth(
  content: Buffer,
  {
    readBytes = limits.readBytes,
    joinStackTraces = false,
  }: { readonly readBytes?: number | undefined; readonly joinStackTraces?: boolean } = {},
) {
  const files = openFiles([content]);
  try {
    const sources = [{ ...plainSource, joinStackTraces, segments: files.segments() }];
    const fast = drainHere(sources, { readBytes, encoding: 'latin1' });
    const slow = drainHere(sources, { readBytes, encoding: 'latin1', useKernel: false });
    const severities = {
      fast: fast.result.sources[0]!.severities,
      slow: slow.result.sources[0]!.severities,
    };
    const answers = { fast: answerOf(fast), slow: answerOf(slow) };
    return { fast: fast.entries, slow: slow.entries, severities, answers };
  } finally {
    files.close();
  }
}

/** Entries of one ended file, and the bytes of its holes. */
export function drainFile(
  content: Buffer,
  { format, readBytes }: { readonly format: Source['format']; readonly readBytes: number },
) {
  const files = openFiles([content]);
  try {
    const sources = [{ ...plainSource, format, segments: files.segments() }];
    const { result, entries } = drainHere(sources, { readBytes });
    return { entries, holeBytes: result.sources[0]!.holeBytes ?? 0 };
  } finally {
    files.close();
  }
}

/** What a `SourceResult` says of these entries. */
export function countSeverities(entries: readonly string[]): number[] | undefined {
  const counts = severityNames.map(() => 0);
  for (const text of entries) {
    const { severity = 'DEFAULT' } = JSON.parse(text) as { severity?: Severity };
    counts[severityIndex(severity)]! += 1;
  }
  return counts[severityIndex('INFO')] === entries.length ? undefined : counts;
}

export type LogFiles = {
  /** Segments over the whole files. */
  segments(options?: Partial<Segment>): Segment[];
  close(): void;
};

/** Real files with these contents, open for reading. */
export function openFiles(contents: readonly (string | Buffer)[]): LogFiles {
  const folder = mkdtempSync(path.join(tmpdir(), 'tailship-drain-'));
  const files = contents.map((content, index) => {
    const name = path.join(folder, `${index}.log`);
    writeFileSync(name, content);
    return { fd: openSync(name, 'r'), end: Buffer.byteLength(content) };
  });
  return {
    segments: (options = {}) =>
      files.map(({ fd, end }) => ({
        fd,
        start: 0,
        end,
        ended: true,
        idPrefix,
        fallbackTime,
        ...options,
      })),
    close() {
      for (const { fd } of files) closeSync(fd);
      rmSync(folder, { recursive: true });
    },
  };
}
