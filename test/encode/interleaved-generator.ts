// Random logs of two streams whose lines come among each other: records in partial lines, stack
// traces, and both at once. Nearly all lines are as a runtime writes them, so that records end far
// from where they begin.

import { generateContents, type Random } from './line-generator.ts';

const header = '2024-03-05T14:07:21.104582937Z';

/** The lines of a record, most often one. */
function linesOf(random: Random, stream: string, content: string, partsMax: number): Buffer[] {
  const bytes = Buffer.from(content);
  const lines: Buffer[] = [];
  let from = 0;
  for (let parts = random.below(partsMax); parts > 0; parts--) {
    const end = from + random.below(bytes.length - from + 1);
    const line = Buffer.concat([Buffer.from(`${header} ${stream} P `), bytes.subarray(from, end)]);
    lines.push(line);
    from = end;
  }
  const tag = random.oneIn(300) ? random.pick(['F:x', 'FF', 'P']) : 'F';
  const end = random.oneIn(60) ? '\r' : '';
  const rest = bytes.subarray(from);
  lines.push(Buffer.concat([Buffer.from(`${header} ${stream} ${tag} `), rest, Buffer.from(end)]));
  return lines;
}

/** A log of about `count` lines, each with its newline. */
export function generateInterleaved(random: Random, count: number): Buffer {
  const queues = ['stdout', 'stderr'].map((stream) => {
    const partsMax = random.pick([1, 2, 4]);
    const contents = generateContents(random, count / 3, random.pick([2, 5, 1_000]));
    const lines = contents.flatMap((content) => {
      const plain = content.replaceAll(/[\n\0]/g, ' ');
      return linesOf(random, stream, plain, random.oneIn(3) ? 1 : partsMax);
    });
    return lines;
  });
  const runMax = random.pick([1, 2, 8, 30]);
  const mixed: Buffer[] = [];
  while (queues.some((queue) => queue.length > 0)) {
    mixed.push(...random.pick(queues).splice(0, 1 + random.below(runMax)));
  }
  if (random.oneIn(20)) mixed.splice(random.below(mixed.length), 0, Buffer.from('no CRI'));
  return Buffer.concat(mixed.map((line) => Buffer.concat([line, Buffer.from('\n')])));
}
