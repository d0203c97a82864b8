// `tailship check` says whether the node's journal can be shipped.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkJournal } from '../../src/admin/journal-checks.ts';
import { makeConfig } from '../support/make-config.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'tailship check '));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function check(nodeLogs: 'off' | 'auto' = 'auto') {
  const journalDir = [path.join(root, 'var'), path.join(root, 'run')];
  return checkJournal(makeConfig({ nodeLogs, journalDir }));
}

function addFile(directory: string, name = 'system.journal'): void {
  const folder = path.join(root, directory, 'a'.repeat(32));
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, name), '');
}

test('says nothing where node logs are off', () => {
  expect(check('off')).toEqual([]);
});

test('warns where there is no journal, and of one that is lost at a reboot', () => {
  expect(check()).toMatchObject([{ level: 'warn', text: expect.stringContaining('no journal') }]);
  addFile('run');
  expect(check()).toMatchObject([{ level: 'warn', text: expect.stringContaining('memory only') }]);
  addFile('var');
  addFile('var', 'user-1000.journal');
  expect(check()).toMatchObject([
    { level: 'ok', text: expect.stringContaining('2 journal files') },
  ]);
});

test('fails where the journal cannot be read', () => {
  const folder = path.join(root, 'var', 'a'.repeat(32));
  mkdirSync(folder, { recursive: true });
  // What not even root can open: a link to itself.
  symlinkSync('system.journal', path.join(folder, 'system.journal'));
  expect(check()).toMatchObject([{ level: 'fail', text: expect.stringContaining('ELOOP') }]);
});
