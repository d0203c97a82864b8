import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { startRawDiscovery } from '../../src/discover/raw-discovery.ts';
import { globBase } from '../../src/log-roots.ts';
import { isRotationOf } from '../../src/tail/file-name.ts';

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

const name = { namespace: 'ns', pod: 'p', container: 'c', podUid: '', restartCount: 0 };

/** Looks for `pattern` under the root; `events` grows with what comes (+) and goes (-). */
function discover(pattern: string, isKnown: (file: string) => boolean = () => false) {
  const events: string[] = [];
  const discovery = startRawDiscovery(
    {
      rawPaths: [join(root, pattern)],
      name,
      scanIntervalMs: 60_000,
      isRotationOf,
      isKnown: ({ fileName }) => isKnown(fileName),
    },
    {
      added: (log) => events.push(`+${log.name?.podUid}`),
      removed: (log) => events.push(`-${log.name?.podUid}`),
    },
  );
  return { ...discovery, events };
}

test('files are found, lost and kept apart by their paths', async () => {
  mkdirSync(join(root, 'a'));
  writeFileSync(join(root, 'a', 'x.log'), 'banner\n');
  writeFileSync(join(root, 'y.log'), 'banner\n');
  writeFileSync(join(root, 'y.txt'), '');
  const discovery = discover('**/*.log');
  expect(discovery.events.toSorted()).toEqual([`+path:${root}/a/x.log`, `+path:${root}/y.log`]);
  rmSync(join(root, 'y.log'));
  discovery.scan();
  expect(discovery.events.at(-1)).toBe(`-path:${root}/y.log`);
  await discovery.close();
});

test('rotations that the pattern matches belong to the log of their live file', async () => {
  const names = ['app.log', 'app.log.1', 'app.log.2.gz', 'app.log-20260706', 'app.log-20260705.gz'];
  const others = ['app.log.old', 'other.log.1', 'app-20260706.log'];
  for (const each of [...names, ...others]) writeFileSync(join(root, each), 'a\n');
  const discovery = discover('*.log*');
  const expected = ['app.log', ...others].map((each) => `+path:${root}/${each}`);
  expect(discovery.events.toSorted()).toEqual(expected.toSorted());
  await discovery.close();
});

test('a rotation stays with its log while the live file is being replaced', async () => {
  writeFileSync(join(root, 'app.log'), 'a\n');
  const discovery = discover('*.log*');
  expect(discovery.events).toEqual([`+path:${root}/app.log`]);
  renameSync(join(root, 'app.log'), join(root, 'app.log.1'));
  discovery.scan();
  writeFileSync(join(root, 'app.log'), 'b\n');
  discovery.scan();
  expect(discovery.events).toEqual([`+path:${root}/app.log`]);
  await discovery.close();
});

test('a rotation without a live file belongs to the log that an earlier run has read', async () => {
  writeFileSync(join(root, 'app.log.1'), 'a\n');
  writeFileSync(join(root, 'web.log.1'), 'a\n');
  const discovery = discover('*.log*', (fileName) => fileName === 'app.log');
  const expected = [`+path:${root}/app.log`, `+path:${root}/web.log.1`];
  expect(discovery.events.toSorted()).toEqual(expected);
  await discovery.close();
});

test('a link that leads nowhere, or in a circle, ends no scan', async () => {
  symlinkSync(join(root, 'gone'), join(root, 'a.log'));
  symlinkSync(join(root, 'b.log'), join(root, 'b.log'));
  writeFileSync(join(root, 'c.log'), 'c\n');
  const discovery = discover('*.log');
  expect(discovery.events).toEqual([`+path:${root}/c.log`]);
  await discovery.close();
});

test.each([
  ['[x]', '[[]x]'],
  ['a*b', 'a[*]b'],
  ['a?b', 'a[?]b'],
  ['a{b,c}', 'a?b?c?'],
  ['a\\b', 'a?b'],
])('a directory called %j is that of the pattern %j alone', async (directory, pattern) => {
  for (const each of [directory, 'x', 'ab', 'abc']) {
    mkdirSync(join(root, each));
    writeFileSync(join(root, each, 'app.log'), 'a\n');
  }
  const discovery = discover(`${pattern}/*.log`);
  expect(discovery.events).toEqual([`+path:${root}/${directory}/app.log`]);
  await discovery.close();
});
