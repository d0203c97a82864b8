import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

import { openContained, resolveLog, resolveRoots } from '../../src/discover/log-roots.ts';
import { hasCode } from '../../src/errors.ts';
import { Node } from './fixtures.ts';

function codeOf(step: () => number): string | undefined {
  try {
    closeSync(step());
    return undefined;
  } catch (error) {
    return hasCode(error, 'LINK_REFUSED', 'ELOOP', 'ENOENT', 'EISDIR')
      ? (error as NodeJS.ErrnoException).code
      : String(error);
  }
}

test('`resolveRoots()` leaves out what does not exist, and resolves what does', () => {
  const node = new Node();
  symlinkSync(node.pods, join(node.root, 'link'));
  expect(resolveRoots([node.pods, join(node.root, 'link'), join(node.root, 'missing')])).toEqual([
    node.pods,
    node.pods,
  ]);
});

test('the root `/` holds everything, no root holds nothing', () => {
  expect(resolveLog('/etc/hostname', ['/'])).toMatchObject({ kind: 'place' });
  expect(resolveLog('/etc/hostname', [])).toMatchObject({ kind: 'refused' });
});

test('a path through a file leads nowhere, one of absurd length and one in a circle are refused', () => {
  const node = new Node();
  const file = node.writeLog(node.logPath('web'));
  symlinkSync('b', join(node.pods, 'a'));
  symlinkSync('a', join(node.pods, 'b'));
  expect(resolveLog(`${file}/0.log`, [node.pods])).toEqual({ kind: 'nowhere' });
  expect(resolveLog(join(node.pods, 'x'.repeat(300)), [node.pods])).toMatchObject({
    kind: 'refused',
  });
  expect(resolveLog(join(node.pods, 'a'), [node.pods])).toMatchObject({ kind: 'refused' });
});

test('`openContained()` opens a log for reading', () => {
  const node = new Node();
  const fd = openContained(node.writeLog(node.logPath('web')), [node.pods]);
  onTestFinished(() => closeSync(fd));
  expect(readFileSync(fd, 'utf8')).toContain('stdout');
});

test('`openContained()` refuses a file behind a directory that became a link, and a link itself', () => {
  const node = new Node();
  const path = node.writeLog(node.logPath('web'));
  const outside = join(node.root, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, '0.log'), 'secret\n');
  renameSync(dirname(path), `${dirname(path)}-away`);
  symlinkSync(outside, dirname(path));
  expect(codeOf(() => openContained(path, [node.pods]))).toBe('LINK_REFUSED');
  symlinkSync(join(outside, '0.log'), join(node.pods, 'link.log'));
  expect(codeOf(() => openContained(join(node.pods, 'link.log'), [node.pods]))).toBe('ELOOP');
});

test('`openContained()` refuses directories, and FIFOs without waiting for a writer', () => {
  const node = new Node();
  execFileSync('mkfifo', [join(node.pods, 'fifo')]);
  expect(codeOf(() => openContained(join(node.pods, 'fifo'), [node.pods]))).toBe('LINK_REFUSED');
  expect(codeOf(() => openContained(node.containers, [node.root]))).toBe('LINK_REFUSED');
  expect(codeOf(() => openContained(join(node.pods, 'missing'), [node.pods]))).toBe('ENOENT');
});
