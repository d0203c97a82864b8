// Chaos for as long as asked, `npm run chaos -- --seconds 1800 --seed 7 [--lines-per-second
// 20000]`, or an outage, `npm run chaos -- --outage-seconds 600 [--bytes-per-second 10000000]`.
// Prints the figures as one line of JSON; the exit code is 1 when a line is lost, altered, doubled,
// out of order or said to be lost, and for an outage when what the kubelet deleted unread is not
// counted to the byte.

import { parseArgs } from 'node:util';
import { runChaos, violationsOf } from './chaos-run.ts';
import { runOutage } from './outage-run.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '120' },
    seed: { type: 'string', default: String(Date.now() % 1e9) },
    'lines-per-second': { type: 'string', default: '20000' },
    containers: { type: 'string', default: '20' },
    // Of each container. Chaos needs as many as are written while the agent is behind, an outage
    // as many as the kubelet keeps.
    kept: { type: 'string' },
    'outage-seconds': { type: 'string' },
    'bytes-per-second': { type: 'string', default: '10000000' },
    'held-bytes': { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
});
const { kept, 'held-bytes': heldBytes } = values;
const note = (text: string) => values.verbose && process.stdout.write(`${text}\n`);
const shared = { seed: Number(values.seed), containers: Number(values.containers), note };
process.stdout.write(`seed ${values.seed}\n`);
process.exitCode = (await run(values['outage-seconds'])) ? 0 : 1;

async function run(outageSeconds: string | undefined): Promise<boolean> {
  if (outageSeconds !== undefined) {
    const result = await runOutage({
      ...shared,
      outageSeconds: Number(outageSeconds),
      bytesPerSecond: Number(values['bytes-per-second']),
      filesMax: Number(kept ?? 5),
      ...(heldBytes !== undefined && { heldBytesMax: Number(heldBytes) }),
    });
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return result.violations.length === 0;
  }
  const result = await runChaos({
    ...shared,
    seconds: Number(values.seconds),
    linesPerSecond: Number(values['lines-per-second']),
    ...(kept !== undefined && { filesMax: Number(kept) }),
  });
  process.stdout.write(`${JSON.stringify(result)}\n`);
  const violations = violationsOf(result);
  for (const violation of violations) process.stdout.write(`${violation}\n`);
  return violations.length === 0;
}
