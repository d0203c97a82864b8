// The entries of a body as lines of NDJSON, each with what it inherits from the head of its
// request.

import type { Batch } from './batch.ts';
import { entryBytes, entryStarts } from './body.ts';
import { headOf, selfContained } from './witness.ts';

const lineEnd = Buffer.from('\n');

/** Whole lines, at least one and about `bytes` at a time; the entries keep their own text. */
export function* entryLines(
  { body, entryCount }: Pick<Batch, 'body' | 'entryCount'>,
  bytes: number,
): Generator<Buffer> {
  const starts = entryStarts(body, entryCount);
  const head = headOf(body, starts);
  let lines: Buffer[] = [];
  let length = 0;
  for (let index = 0; index < entryCount; index += 1) {
    const line = selfContained(Buffer.from(entryBytes(body, starts, index)), head);
    lines.push(line, lineEnd);
    length += line.length + lineEnd.length;
    if (length < bytes && index < entryCount - 1) continue;
    yield Buffer.concat(lines, length);
    lines = [];
    length = 0;
  }
}
