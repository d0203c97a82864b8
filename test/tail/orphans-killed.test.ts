// SIGKILL in each call of the file system, from the deletion of a log to the removal of its copy:
// the copy is whole or none, and what a later run finds of its 50 lines is all of them.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

import { fiftyLines, OrphanScene } from './orphan-scene.ts';

const callsMax = 50;
const victim = join(import.meta.dirname, 'copy-victim.ts');

function makeRoot(): string {
  const root = mkdtempSync(join(tmpdir(), 'orphans-killed-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

/** Whether it was killed. */
function run(what: 'copy' | 'read', root: string, failAt: number): boolean {
  const words = [victim, what, root, String(failAt)];
  const { signal, stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  if (signal === null) expect({ failAt, stdout, stderr }).toMatchObject({ stdout: 'unharmed\n' });
  else expect(signal).toBe('SIGKILL');
  return signal !== null;
}

/** What the next run reads, and that it leaves nothing behind. */
async function readRest(root: string): Promise<string> {
  const scene = new OrphanScene(root, fiftyLines);
  const { text, sources } = await scene.readAgain();
  for (const source of sources) expect(source).toEqual(scene.source);
  expect(scene.lost).toEqual([]);
  expect(scene.reports).toEqual([]);
  const folder = join(root, 'state', 'orphans');
  expect(existsSync(folder) ? readdirSync(folder) : []).toEqual([]);
  return text;
}

test('a copy that is killed in any call is whole or none, and never read twice', async () => {
  const phases: string[] = [];
  for (let failAt = 1; ; failAt += 1) {
    expect(failAt).toBeLessThan(callsMax);
    const root = makeRoot();
    const wasKilled = run('copy', root, failAt);
    const isSaved = existsSync(join(root, 'positions.json'));
    const text = await readRest(root);
    expect({ failAt, isAllOrNone: text === '' || text === fiftyLines }).toEqual({
      failAt,
      isAllOrNone: true,
    });
    phases.push(isSaved ? 'saved' : text === '' ? 'none' : 'whole');
    if (isSaved) expect({ failAt, text }).toEqual({ failAt, text: '' });
    if (!wasKilled) break;
  }
  // Once there is a copy, no kill takes it away before its position is saved.
  const order = ['none', 'whole', 'saved'];
  expect(phases).toEqual(phases.toSorted((a, b) => order.indexOf(a) - order.indexOf(b)));
  expect(new Set(phases)).toEqual(new Set(order));
});

test('a start that is killed in any call while it reads a copy leaves all of it to the next', async () => {
  let calls = 0;
  for (let failAt = 1; ; failAt += 1) {
    expect(failAt).toBeLessThan(callsMax);
    const root = makeRoot();
    const made = new OrphanScene(root, fiftyLines);
    const chain = made.makeDeleted(0);
    await made.keep(made.makeSpooler(), chain);
    chain.close();
    const wasKilled = run('read', root, failAt);
    const isSaved = existsSync(join(root, 'positions.json'));
    const text = await readRest(root);
    // What is shipped, and saved, may be sent again, as the same entries.
    expect({ failAt, isAll: text === fiftyLines || (isSaved && text === '') }).toEqual({
      failAt,
      isAll: true,
    });
    calls = failAt;
    if (!wasKilled) break;
  }
  expect(calls).toBeGreaterThan(3);
});
