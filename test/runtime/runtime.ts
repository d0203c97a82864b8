// Real runtimes for as long as asked, `npm run runtime -- --seconds 60 [--seed 7] [--verbose]`: as
// root, with Debian's containerd, runc, busybox-static, and podman with conmon. What is missing is
// left out, and said.
//
// Prints the figures as one line of JSON; the exit code is 1 when a line is lost, altered, doubled
// or out of order.

import path from 'node:path';
import { parseArgs } from 'node:util';
import { runIsolated, whyNoConmon, whyNotHere } from './isolation.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 1e9) },
    verbose: { type: 'boolean', default: false },
  },
});
const reason = whyNotHere();
if (reason === undefined) {
  process.exitCode = await runHere();
} else {
  process.stdout.write(`left out: real runtimes: ${reason}\n`);
}

async function runHere(): Promise<number> {
  const noConmon = whyNoConmon();
  if (noConmon !== undefined) process.stdout.write(`left out: conmon: ${noConmon}\n`);
  process.stdout.write(`seed ${values.seed}\n`);
  const inside = path.join(import.meta.dirname, 'inside.ts');
  return runIsolated((place) => {
    const options = {
      ...place,
      seconds: Number(values.seconds),
      seed: Number(values.seed),
      hasConmon: noConmon === undefined,
      verbose: values.verbose,
    };
    return [process.execPath, inside, JSON.stringify(options)];
  });
}
