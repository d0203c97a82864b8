// Without `--node-logs` nothing of it is loaded: neither the reader of the journal, nor what finds
// files, in no thread.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { startAgentProcess, until } from '../support/agent-process.ts';
import {
  hasSystemd,
  journalPath,
  kubeletEntries,
  writeJournal,
} from '../support/journal-writer.ts';
import { type Scene, useScene } from '../support/scene.ts';

let scene: Scene;
useScene(13, (given) => (scene = given));

/** The modules of src/ that an agent has loaded by the time that it has shipped a line. */
async function modulesLoaded(...flags: string[]): Promise<string[]> {
  const list = path.join(scene.scratch.path, 'modules');
  const hook = path.join(scene.scratch.path, 'hook.mjs');
  writeFileSync(list, '');
  // Each thread preloads it.
  writeFileSync(
    hook,
    `import { registerHooks } from 'node:module';
import { appendFileSync } from 'node:fs';
registerHooks({ load(url, context, next) {
  appendFileSync(${JSON.stringify(list)}, url + '\\n');
  return next(url, context);
} });`,
  );
  const pod = scene.kubelet.startPod({ namespace: 'ns', pod: 'pod', containers: ['c'] });
  const under = ['env', `NODE_OPTIONS=--import=${pathToFileURL(hook).href}`];
  const agent = startAgentProcess({ ...scene.agent, flags, under });
  pod.container().writeNext(3);
  await until('the lines came', async () => (await scene.emulator.stats()).distinctEntries >= 3);
  expect(await agent.stop()).toBe(0);
  const urls = readFileSync(list, 'utf8').split('\n');
  return urls.flatMap((url) => /\/src\/(.+\.ts)$/.exec(url)?.[1] ?? []);
}

const isOfNodeLogs = (name: string) => /journal\/|find-node-files|lz4/.test(name);

test('off, no module of it is loaded', async () => {
  const modules = await modulesLoaded();
  expect(modules).toContain('pipeline.ts');
  expect(modules).toContain('encode/encoder.ts');
  expect(modules.filter(isOfNodeLogs)).toEqual([]);
});

test.skipIf(!hasSystemd)('on, they are loaded, so the test above sees them', async () => {
  const journal = path.join(scene.scratch.path, 'journal');
  mkdirSync(journal);
  writeJournal(journalPath(journal), kubeletEntries(5));
  const flags = ['--node-logs=auto', `--journal-dir=${journal}`, '--from=start'];
  const modules = (await modulesLoaded(...flags)).filter(isOfNodeLogs);
  expect(modules).toContain('agent/find-node-files.ts');
  expect(modules).toContain('tail/journal/journal-source.ts');
  expect(modules).toContain('encode/journal/drain-journal.ts');
});
