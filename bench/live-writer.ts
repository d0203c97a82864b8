// The process that writes in the live scenarios: `--rate` lines a second in turn over the files,
// one write(2) a line as a container runtime does, for `--seconds`. Each line carries its number
// and the monotonic time of its write, which all processes of one machine share. With
// `--rotate-bytes` a file of that size is rotated as the kubelet does: renamed, a new one begun,
// the oldest of five removed (it would also compress the older ones).

import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { lineContent } from './corpus.ts';
import { randomNumbers } from '../src/emulator/random-numbers.ts';

const { values: option, positionals: paths } = parseArgs({
  allowPositionals: true,
  options: {
    rate: { type: 'string', default: '0' },
    seconds: { type: 'string', default: '0' },
    'rotate-bytes': { type: 'string', default: 'Infinity' },
  },
});
const rate = Number(option.rate);
const lineCount = rate * Number(option.seconds);
const rotateBytes = Number(option['rotate-bytes']);
const rotatedMax = 4;
/** No more often than a line is due: the writer shall not keep the machine awake. */
const tickMs = Math.max(2, Math.floor(1000 / rate / 2));

// Sentences are made before the clock starts, so that the writer costs little beside the agents.
const random = randomNumbers(1);
const tails = Array.from({ length: 1_000 }, (_, index) =>
  lineContent('text', index, random).replace(/^.*seq=\d+/, ''),
);

type LogFile = { readonly path: string; fd: number; bytes: number; readonly rotated: string[] };
const files = paths.map((path): LogFile => ({
  path,
  fd: openSync(path, 'a'),
  bytes: 0,
  rotated: [],
}));

function rotate(file: LogFile): void {
  const time = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  const place = `${file.path}.${time}`;
  renameSync(file.path, place);
  closeSync(file.fd);
  file.fd = openSync(file.path, 'a');
  file.bytes = 0;
  file.rotated.push(place);
  if (file.rotated.length > rotatedMax) rmSync(file.rotated.shift() ?? '', { force: true });
}

function writeLine(seq: number): void {
  const file = files[seq % files.length];
  if (file === undefined) return;
  const at = String(process.hrtime.bigint() / 1000n).padStart(16, '0');
  const time = `${new Date().toISOString().slice(0, -1)}${String(seq % 1e6).padStart(6, '0')}Z`;
  const marker = `seq=${String(seq).padStart(10, '0')} at=${at}`;
  file.bytes += writeSync(file.fd, `${time} stdout F ${marker}${tails[seq % 1000] ?? ''}\n`);
  if (file.bytes > rotateBytes) rotate(file);
}

const start = performance.now();
for (let seq = 0; seq < lineCount;) {
  const due = Math.min(lineCount, Math.floor(((performance.now() - start) / 1000) * rate));
  for (; seq < due; seq++) writeLine(seq);
  await sleep(tickMs);
}
