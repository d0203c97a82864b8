// `tailship tail` beside a running agent: what a container writes, as it is shipped, and no more.

import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { splitTailWords } from '../../src/command/command-words.ts';
import { createFakeKubelet, type FakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import {
  makeScratch,
  startCommand,
  stopAll,
  until,
  type CommandProcess,
} from '../support/agent-process.ts';

let scratch: ReturnType<typeof makeScratch>;
let kubelet: FakeKubelet;

beforeEach(() => {
  scratch = makeScratch();
  kubelet = createFakeKubelet({ root: path.join(scratch.path, 'log'), seed: 4 });
  for (const pod of ['cart-0', 'vault-0']) {
    kubelet.startPod({ namespace: 'shop', pod, containers: [{ name: 'api', kind: 'text' }] });
  }
});

afterEach(async () => {
  await stopAll();
  scratch.remove();
});

function write(index: number, ...texts: string[]): void {
  kubelet.containers[index]?.write(texts.map((text) => ({ text, isForeign: true })));
}

type Tail = Omit<CommandProcess, 'lines'> & { readonly lines: string[] };

async function tailOf(target: string, ...flags: string[]): Promise<Tail> {
  const words = [
    'tail',
    target,
    ...flags,
    `--containers-dir=${kubelet.containersDir}`,
    `--log-root=${kubelet.podsDir}`,
    `--state-dir=${path.join(scratch.path, 'state')}`,
    '--flush-interval-ms=50',
    '--exclude=shop/vault-*',
    '--redact=*=secret-\\d+',
  ];
  const tail = startCommand(words, { TMPDIR: temporary() }) as unknown as Tail;
  const { lines } = tail;
  await until('it shows what is written', () => {
    write(0, 'a probe: timeout');
    return lines.some((line) => line.includes('a probe'));
  });
  return tail;
}

/** Made for one test, and removed with it. */
function temporary(): string {
  const directory = path.join(scratch.path, 'tmp');
  fs.mkdirSync(directory, { recursive: true });
  return directory;
}

test('shows new lines of what is named, redacted, filtered, and nothing that is excluded', async () => {
  write(0, 'long ago: timeout');
  const { lines } = await tailOf('shop/*', '--filter', '(?i)timeout|ERROR:');
  write(1, 'timeout of secret-99 in the vault');
  write(0, 'all is well', 'Error: secret-12345 is no password\u001b[2J');
  await until('the match came', () => lines.some((line) => line.includes('Error:')));
  expect(lines.find((line) => line.includes('Error:'))).toMatch(
    /^\d{4}-\d\d-\d\dT[\d:.]+Z [A-Z]+ shop\/cart-0\/api Error: \[REDACTED\] is no password\?\[2J$/,
  );
  const all = lines.join('\n');
  for (const text of ['long ago', 'all is well', 'vault', 'secret-']) {
    expect(all).not.toContain(text);
  }
});

test('writes nothing beside the state directory of the agent', async () => {
  const listing = (): string[] => fs.readdirSync(scratch.path, { recursive: true }).map(String);
  temporary();
  const before = listing();
  const { lines } = await tailOf('cart-0/api', '--json');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ textPayload: 'a probe: timeout' });
  const fresh = listing().filter((name) => !before.includes(name));
  expect(fresh.filter((name) => !name.startsWith('tmp/tailship-tail-'))).toEqual([]);
});

test('what a killed tail leaves is removed by the next, and that of one that runs is not', async () => {
  const left = (): string[] => fs.readdirSync(temporary());
  const running = await tailOf('cart-0/api');
  const [own = ''] = left();
  const killed = await tailOf('cart-0/api');
  expect(left()).toHaveLength(2);
  killed.signal('SIGKILL');
  await killed.ended;
  expect(left()).toHaveLength(2);
  const next = await tailOf('cart-0/api');
  expect(left()).toHaveLength(2);
  expect(left()).toContain(own);
  for (const { signal, ended } of [running, next]) {
    signal('SIGTERM');
    await ended;
  }
  expect(left()).toEqual([]);
});

test.each([
  ['cart-0', ['*/cart-0']],
  ['shop/cart-0', ['*/shop/cart-0', 'shop/cart-0']],
  ['shop/cart-0/api', ['shop/cart-0/api']],
])('%s means %j', (target, globs) => {
  const { own, rest } = splitTailWords([target, '--filter=x', '--log-level=warn']);
  expect(own.globs).toEqual(globs);
  expect(rest).toEqual(['--log-level=warn']);
});

test.each([[[]], [['--filter=x']], [['a/b/c/d']], [['cart-0', '--filter=(']]])(
  'refuses %j',
  (words: string[]) => {
    expect(() => splitTailWords(words)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
  },
);
