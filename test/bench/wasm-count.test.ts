// The regression guard of the kernel rests on this count being exact, so it is checked on a module
// small enough to be counted by hand.

import { expect, test } from 'vitest';
import { countInstructions } from '../../bench/wasm-count.ts';

/** `run(n)` loops n times: 1 loop, then 5 a turn, then 2 ends. */
const module = Buffer.from(
  [
    '0061736d 01000000',
    '01 05 01 60017f00', // type: (i32) → ()
    '02 10 01 03656e76 066d656d6f7279 02 03 01 01', // import env.memory, shared, one page
    '03 02 01 00', // one function of that type
    '07 07 01 0372756e 00 00', // export run
    '0a 10 01 0e 00', // code: one body without locals
    '0340', // loop
    '2000 4101 6b 2200', // n = n - 1: four instructions
    '0d00', // br_if
    '0b 0b',
  ]
    .join('')
    .replaceAll(' ', ''),
  'hex',
);

test('`countInstructions()` counts each instruction that is executed, and changes no result', () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const counted = new WebAssembly.Module(countInstructions(module, 1024));
  const { run } = new WebAssembly.Instance(counted, { env: { memory } }).exports as {
    run: (turns: number) => void;
  };
  const counter = new BigInt64Array(memory.buffer, 1024, 1);
  for (const turns of [1, 2, 1000]) {
    counter[0] = 0n;
    run(turns);
    expect(Number(counter[0])).toBe(1 + 5 * turns + 2);
  }
});
