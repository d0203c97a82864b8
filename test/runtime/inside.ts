// The first process of the namespaces that runtime.ts makes. When it ends, all others are killed.
//
// Invariant: it ends with the process that started it, whose end closes its stdin.

import { execFileSync } from 'node:child_process';
import { isWhole } from './line-verdict.ts';
import { runRuntimes } from './runtime-run.ts';
import type { RuntimeOptions } from './runtime-run.ts';

type Given = Omit<RuntimeOptions, 'note' | 'stateDir'> & { readonly verbose: boolean };

const given = JSON.parse(process.argv[2] ?? '{}') as Given;
process.stdin.on('end', () => process.exit(1)).resume();
// The runtimes keep sockets and state below /run, whatever they are told.
execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run']);
const startMs = performance.now();
const result = await runRuntimes({
  ...given,
  stateDir: '/run/tailship-runtime',
  note(text) {
    const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
    if (given.verbose) process.stdout.write(`${seconds} s: ${text}\n`);
  },
});
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(isWhole(result) && result.distinctEntries === result.written ? 0 : 1);
