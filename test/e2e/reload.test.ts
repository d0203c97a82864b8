// The configuration changes while lines flow: none is lost, and nothing piles up.

import { expect, test } from 'vitest';
import { reloadUnderLoad } from '../support/reload-scene.ts';
import { useScratch } from '../support/scene.ts';

const scratch = useScratch();

test('50 reloads under load, a third of them invalid, lose no line and no descriptor', async () => {
  const { accepted, refused, openFiles } = await reloadUnderLoad(scratch.path, {
    times: 50,
    warmUp: 5,
  });
  expect({ accepted, refused }).toEqual({ accepted: 34, refused: 16 });
  expect(openFiles[1] - openFiles[0]).toBeLessThanOrEqual(4);
});
