import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { resolveLog } from '../../src/discover/links/log-roots.ts';
import { Node } from './fixtures.ts';

const under = (roots: readonly string[]) => ({ roots, rotations: new Map() });

test('the root `/` holds everything, no root holds nothing', () => {
  expect(resolveLog('/etc/hostname', under(['/']))).toMatchObject({ kind: 'found' });
  expect(resolveLog('/etc/hostname', under([]))).toMatchObject({ kind: 'refused' });
});

test('a path through a file leads nowhere, one of absurd length and one in a circle are refused', () => {
  const node = new Node();
  const file = node.writeLog(node.logPath('web'));
  symlinkSync('b', join(node.pods, 'a'));
  symlinkSync('a', join(node.pods, 'b'));
  expect(resolveLog(`${file}/0.log`, under([node.pods]))).toEqual({ kind: 'nowhere' });
  expect(resolveLog(join(node.pods, 'x'.repeat(300)), under([node.pods]))).toMatchObject({
    kind: 'refused',
  });
  expect(resolveLog(join(node.pods, 'a'), under([node.pods]))).toMatchObject({ kind: 'refused' });
});
