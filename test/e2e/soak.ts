// Memory over time, `npm run soak -- --seconds 1200 --settle 300`; without options three minutes.
// Prints the figures as one line of JSON; the exit code is 1 when the agent's malloc heap or what
// is resident of its own has grown by more than `--grown-max` bytes. Pages of files, which are
// those of Node's binary, are not its own: the kernel loads and drops them as it likes.

import { parseArgs } from 'node:util';
import { longRunOptions, longRunWords } from './busy-node.ts';
import { runSoak } from './soak-run.ts';

const { values } = parseArgs({
  options: {
    ...longRunWords,
    seconds: { type: 'string', default: '180' },
    settle: { type: 'string', default: '60' },
    containers: { type: 'string', default: '200' },
    'lines-per-second': { type: 'string', default: '1000' },
    'grown-max': { type: 'string', default: String(2 * 1024 * 1024) },
  },
});
process.stdout.write(`seed ${values.seed}\n`);
const result = await runSoak(longRunOptions(values));
process.stdout.write(`${JSON.stringify(result)}\n`);
const grownMax = Number(values['grown-max']);
const isFlat = result.malloc.grown <= grownMax && result.ownRss.grown <= grownMax;
process.exitCode = isFlat ? 0 : 1;
