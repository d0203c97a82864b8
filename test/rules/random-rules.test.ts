import { test } from 'vitest';

import { seededRandom } from '../encode/line-generator.ts';
import { seedOfRun } from '../support/seed.ts';
import { tryRandomRules } from './random-rules.ts';

test('random rules on random lines make valid entries, in bounded time', () => {
  const seed = seedOfRun();
  for (let round = 0; round < 300; round++) {
    try {
      tryRandomRules(seededRandom(seed + round));
    } catch (error) {
      throw new Error(`seed ${seed + round}`, { cause: error });
    }
  }
});
