// The process that writes in the live scenario: `--rate` lines a second in turn over the files, one
// write(2) a line as a container runtime does, for `--seconds`. Each line carries its number and
// the monotonic time of its write, which all processes of one machine share. Started by live.ts.

import { openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { lineContent, makeRandom } from './corpus.ts';

const { values: option, positionals: files } = parseArgs({
  allowPositionals: true,
  options: { rate: { type: 'string', default: '0' }, seconds: { type: 'string', default: '0' } },
});
const rate = Number(option.rate);
const lineCount = rate * Number(option.seconds);
const tickMs = 2;

// Sentences are made before the clock starts, so that the writer costs little beside the agents.
const random = makeRandom(1);
const tails = Array.from({ length: 1_000 }, (_, index) =>
  lineContent('text', index, random).replace(/^.*seq=\d+/, ''),
);
const fds = files.map((file) => openSync(file, 'a'));

function writeLine(seq: number): void {
  const at = String(process.hrtime.bigint() / 1000n).padStart(16, '0');
  const time = `${new Date().toISOString().slice(0, -1)}${String(seq % 1e6).padStart(6, '0')}Z`;
  const marker = `seq=${String(seq).padStart(10, '0')} at=${at}`;
  writeSync(fds[seq % fds.length] ?? 0, `${time} stdout F ${marker}${tails[seq % 1000] ?? ''}\n`);
}

const start = performance.now();
for (let seq = 0; seq < lineCount;) {
  const due = Math.min(lineCount, Math.floor(((performance.now() - start) / 1000) * rate));
  for (; seq < due; seq++) writeLine(seq);
  await sleep(tickMs);
}
