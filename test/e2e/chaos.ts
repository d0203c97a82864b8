// Chaos for as long as asked: `node test/e2e/chaos.ts --seconds 1800 --seed 7 [--lines-per-second 20000]`.
// Prints the figures as JSON; the exit code is 1 when a line is lost, altered, doubled or out of order.

import { parseArgs } from 'node:util';
import { isExactlyOnce } from '../../src/emulator/verify-shipped.ts';
import { runChaos } from './chaos-run.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '120' },
    seed: { type: 'string', default: String(Date.now() % 1e9) },
    'lines-per-second': { type: 'string', default: '20000' },
    containers: { type: 'string', default: '20' },
    'files-max': { type: 'string', default: '150' },
    verbose: { type: 'boolean', default: false },
  },
});
process.stdout.write(`seed ${values.seed}\n`);
const result = await runChaos({
  seconds: Number(values.seconds),
  seed: Number(values.seed),
  linesPerSecond: Number(values['lines-per-second']),
  containers: Number(values.containers),
  filesMax: Number(values['files-max']),
  note: (text) => values.verbose && process.stdout.write(`${text}\n`),
});
process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
const isWhole = isExactlyOnce(result) && result.lostByKubelet === 0;
process.exitCode = isWhole && result.distinctEntries === result.written ? 0 : 1;
