import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { globBase, startRawDiscovery } from '../../src/discover/raw-discovery.ts';

let root: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'raw-')));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test('`globBase()` is the directory above the first wildcard', () => {
  expect(globBase('/logs/*.log')).toBe('/logs');
  expect(globBase('/logs/app/**/x.log')).toBe('/logs/app');
  expect(globBase('/logs/app.log')).toBe('/logs');
  expect(globBase('/*.log')).toBe('/');
});

test('files are found, lost and kept apart by their paths', async () => {
  mkdirSync(join(root, 'a'));
  writeFileSync(join(root, 'a', 'x.log'), 'banner\n');
  writeFileSync(join(root, 'y.log'), 'banner\n');
  writeFileSync(join(root, 'y.txt'), '');
  const names: string[] = [];
  const name = { namespace: 'ns', pod: 'p', container: 'c', podUid: '', restartCount: 0 };
  const discovery = startRawDiscovery(
    { rawPaths: [join(root, '**/*.log')], name, scanIntervalMs: 60_000 },
    {
      added: (log) => names.push(`+${log.name?.podUid}`),
      removed: (log) => names.push(`-${log.name?.podUid}`),
    },
  );
  expect(names.toSorted()).toEqual([`+path:${root}/a/x.log`, `+path:${root}/y.log`]);
  rmSync(join(root, 'y.log'));
  discovery.scan();
  expect(names.at(-1)).toBe(`-path:${root}/y.log`);
  await discovery.close();
});
