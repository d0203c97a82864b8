// Runs drain tasks in the test's own thread, on real files: one shared memory, one worker with the
// kernel and one without.

import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { createDrainWorker, drainTask } from '../../src/encode/drain.ts';
import type { DrainResult, Segment, Source } from '../../src/encode/drain-task.ts';
import { createSharedMemory, slotAddress } from '../../src/encode/shared-memory.ts';

const layout = { workerCount: 2, slotCount: 1 };
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

export type Drained = {
  readonly result: DrainResult;
  /** The entries' texts. */
  readonly entries: readonly string[];
  readonly body: string;
};

export type DrainRun = { readonly useKernel?: boolean; readonly readBytes?: number };

/** Runs one task over `sources` here. */
export function drainHere(
  sources: readonly Source[],
  { useKernel = true, readBytes = 128 * 1024 }: DrainRun = {},
): Drained {
  const worker = createDrainWorker(memory, useKernel ? 0 : 1, { useKernel, readBytes });
  const result = drainTask(worker, layout, { slot: 0, head, sources, traceParent });
  const start = slotAddress(layout, 0);
  const body = shared.toString('utf8', start, start + result.bodyBytes);
  const inner = body.slice(head.length, -2);
  const entries =
    result.bodyBytes === 0
      ? []
      : inner.split(',\n{').map((text, index) => (index === 0 ? text : `{${text}`));
  return { result, entries, body };
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
