// `--output`: entries as lines on stdout and in files, in place of the endpoint and beside it, with
// the real process. What arrives is given to an emulator, which judges every line.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startAgentProcess, startCommand, until } from '../support/agent-process.ts';
import { type Scene, useScene } from '../support/scene.ts';
import { expectExactlyOnce } from '../support/verify.ts';

let scene: Scene;
useScene(71, (next) => {
  scene = next;
});

type Entry = Readonly<Record<string, unknown>> & { readonly insertId: string };

/** Nothing that says where the node is or who it is, and an endpoint that cannot be reached. */
function offlineWords(...outputs: string[]): string[] {
  const { kubelet, agent } = scene;
  return [
    'run',
    `--containers-dir=${kubelet.containersDir}`,
    `--log-root=${kubelet.podsDir}`,
    `--state-dir=${agent.stateDir}`,
    '--admin-address=off',
    '--flush-interval-ms=50',
    ...outputs.map((output) => `--output=${output}`),
  ];
}

function entriesOf(lines: readonly string[]): Entry[] {
  const isEntry = (line: string) => line.startsWith('{') && !line.startsWith('{"severity"');
  return lines.filter(isEntry).map((line) => JSON.parse(line) as Entry);
}

function readLines(file: string): string[] {
  const text = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  return text.split('\n').filter((line) => line !== '');
}

async function giveToEmulator(lines: readonly string[]): Promise<void> {
  for (let start = 0; start < lines.length; start += 1_000) {
    const answer = await fetch(`${scene.emulator.url}/v2/entries:write`, {
      method: 'POST',
      body: `{"entries":[${lines.slice(start, start + 1_000).join(',')}]}`,
    });
    expect(answer.status, await answer.text()).toBe(200);
  }
}

/** A process whose stdout is its own: `startCommand` would cut lines at U+2028. */
function spawnAgent(words: readonly string[]) {
  const main = path.resolve(import.meta.dirname, '../../src/main.ts');
  const child = spawn(process.execPath, [main, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  const texts = { stdout: '', stderr: '' };
  child.stderr.setEncoding('utf8').on('data', (text: string) => (texts.stderr += text));
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, texts };
}

function writePods(linesEach: number): void {
  for (const kind of ['text', 'json', 'klog', 'unicode'] as const) {
    const pod = scene.kubelet.startPod({
      namespace: 'shop',
      pod: `pod-${kind}`,
      containers: [{ name: 'main', kind }],
    });
    pod.container('main').writeNext(linesEach);
  }
}

test('stdout alone needs no project, cluster or credentials, and carries every line once', async () => {
  writePods(200);
  const { child, texts } = spawnAgent(offlineWords('stdout'));
  child.stdout.setEncoding('utf8').on('data', (text: string) => (texts.stdout += text));
  const linesOf = () => texts.stdout.split('\n').slice(0, -1);
  await until('all lines are printed', () => linesOf().length === 800);
  child.kill('SIGTERM');
  expect(await once(child, 'close')).toEqual([0, null]);
  const again = startCommand([...offlineWords('stdout'), '--once']);
  expect(await again.ended).toBe(0);
  expect(entriesOf(again.lines)).toEqual([]);
  expect(again.lines.join()).toContain('"entries":0');
  for (const entry of entriesOf(linesOf())) {
    expect(entry).toMatchObject({ resource: { type: 'k8s_container' } });
  }
  await giveToEmulator(linesOf());
  await expectExactlyOnce(scene);
});

test('a file beside the endpoint gets what the endpoint gets', async () => {
  writePods(100);
  const file = path.join(scene.scratch.path, 'copy of entries.ndjson');
  const agent = startAgentProcess({
    ...scene.agent,
    flags: ['--output', `endpoint,file:${file}`],
  });
  await expectExactlyOnce(scene);
  await agent.stop();
  const { distinctEntries } = await scene.emulator.stats();
  await giveToEmulator(readLines(file));
  // They are the same entries.
  expect(await scene.emulator.stats()).toMatchObject({ distinctEntries, entries: 800 });
  expect(fs.statSync(file).mode & 0o077).toBe(0);
});

test('a file that cannot be written does not hold up the endpoint', async () => {
  writePods(100);
  const agent = startAgentProcess({
    ...scene.agent,
    flags: ['--output=endpoint', '--output=file:/dev/full'],
  });
  await expectExactlyOnce(scene);
  expect(agent.warnings().join()).toContain('OUTPUT_UNWRITABLE');
});

test('a disk that is full holds the lines back, and nothing is torn, lost or doubled', async () => {
  const pod = scene.kubelet.startPod({ namespace: 'shop', pod: 'p', containers: ['c'] });
  const file = path.join(scene.scratch.path, 'entries.ndjson');
  const agent = startAgentProcess({ ...scene.agent, flags: ['--output', `file:${file}`] });
  await until('the file is open', () => fs.existsSync(file));
  execFileSync('prlimit', [`--pid=${agent.pid}`, '--fsize=300000:unlimited']);
  pod.container().writeNext(2_000);
  await until('it says so', () => /EFBIG.*OUTPUT_UNWRITABLE/.test(agent.warnings().join()));
  expect(fs.statSync(file).size).toBeLessThanOrEqual(300_000);
  expect(agent.isRunning()).toBe(true);
  execFileSync('prlimit', [`--pid=${agent.pid}`, '--fsize=unlimited:unlimited']);
  await until('the rest is written', () => readLines(file).length === 2_000);
  expect(await agent.stop()).toBe(0);
  await giveToEmulator(readLines(file));
  await expectExactlyOnce(scene);
});

test('after SIGKILLs each line of the file is an entry, and none is missing', async () => {
  const pod = scene.kubelet.startPod({ namespace: 'shop', pod: 'p', containers: ['c'] });
  const file = path.join(scene.scratch.path, 'entries.ndjson');
  const options = { ...scene.agent, flags: ['--output', `file:${file}`] };
  for (let round = 1; round <= 2; round += 1) {
    pod.container().writeNext(2_000);
    const agent = startAgentProcess(options);
    const wanted = round * 2_000 - 1_900;
    await until('some lines are written', () => readLines(file).length >= wanted, { everyMs: 1 });
    await agent.kill();
    // As if the kill had come in the middle of a write.
    fs.appendFileSync(file, '{"logName":"projects/acme-logs-42/lo');
  }
  const agent = startAgentProcess(options);
  const countIds = () => new Set(entriesOf(readLines(file)).map(({ insertId }) => insertId)).size;
  await until('all lines are written', () => {
    try {
      return countIds() === 4_000;
    } catch {
      return false; // A line that is being written.
    }
  });
  await agent.stop();
  await giveToEmulator(readLines(file));
  await expectExactlyOnce(scene);
});

test('a closed pipe ends the agent with a message, and the next one has every line', async () => {
  writePods(200);
  const { child, texts } = spawnAgent(offlineWords('stdout'));
  child.stdout.destroy();
  expect(await once(child, 'close')).toEqual([1, null]);
  expect(texts.stderr).toContain('"OUTPUT_UNWRITABLE"');
  expect(texts.stderr).not.toContain('    at ');
  const file = path.join(scene.scratch.path, 'entries.ndjson');
  const next = startCommand([...offlineWords(`file:${file}`), '--once']);
  expect(await next.ended).toBe(0);
  await giveToEmulator(readLines(file));
  await expectExactlyOnce(scene);
});

test('a reader that is slow holds the lines back, and a stop is quick all the same', async () => {
  writePods(3_000);
  const { child, texts } = spawnAgent([...offlineWords('stdout'), '--grace-ms=100']);
  await until('it has started', () => texts.stderr.includes('ships 4 containers'));
  child.kill('SIGTERM');
  child.stdout.resume();
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(texts.stderr).toMatch(/are left for the next run/);
});

test('with stdout as output the agent leaves its own log unread', async () => {
  for (const name of ['tailship-x1', 'other']) {
    const pod = scene.kubelet.startPod({ namespace: 'ns', pod: name, containers: ['c'] });
    pod.container().writeNext(10);
  }
  const words = [...offlineWords('stdout'), '--once', '--own-pod=tailship-x1'];
  const agent = startCommand(words);
  expect(await agent.ended).toBe(0);
  const pods = entriesOf(agent.lines).map(({ resource }) => JSON.stringify(resource));
  expect(pods).toHaveLength(10);
  expect(pods.join()).not.toContain('tailship-x1');
});

test.each(['nowhere', 'file:', 'file:/proc/none/x'])('--output %s is refused', async (output) => {
  const agent = startCommand(offlineWords(output));
  expect(await agent.ended).toBe(output.includes('proc') ? 1 : 2);
  expect(agent.lines.join('\n')).toMatch(/OUTPUT_UNWRITABLE|endpoint, stdout or file:PATH/);
});

test('`check` asks no endpoint where none is used', async () => {
  const words = offlineWords('stdout');
  const check = startCommand(['check', ...words.slice(1).filter((word) => !/flush/.test(word))]);
  await check.ended;
  expect(check.lines.join('\n')).toContain('no endpoint is asked');
});
