// `tailship dead-letters` beside a real agent and the emulator: what was refused is listed with its
// container, shown as it was, sent again as the same entry, and never lost on the way.

import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { newestLetters, parseLetter } from '../../src/ship/dead-letter-reader.ts';
import { runOnce, startAgentProcess, startCommand, until } from '../support/agent-process.ts';
import { mayMount, underTmpfs, whyNoMounts } from '../support/own-mounts.ts';
import { useScene, type Scene } from '../support/scene.ts';
import { expectExactlyOnce } from '../support/verify.ts';

let scene: Scene;
useScene(77, (set) => {
  scene = set;
});

const file = () => path.join(scene.agent.stateDir, 'dead-letter.ndjson');

const main = path.resolve(import.meta.dirname, '../../src/main.ts');

type Ran = { readonly code: number | null; readonly out: string; readonly error: string };

function deadLetters(...words: readonly string[]): Ran {
  const flags = [`--state-dir=${scene.agent.stateDir}`];
  const isSending = words[0] === 'resend';
  if (isSending) flags.push(`--endpoint=${scene.emulator.url}`);
  const all = [main, 'dead-letters', ...words, ...flags];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, {
    encoding: 'utf8',
    env: {},
  });
  return { code: status, out: stdout, error: stderr };
}

type Listed = {
  readonly count: number;
  readonly unreadable: number;
  readonly letters: readonly { readonly id: string; readonly [key: string]: unknown }[];
};

function listed(): Listed {
  return JSON.parse(deadLetters('list', '--json').out) as Listed;
}

/** Two containers; three entries of each are refused. */
beforeEach(async () => {
  const pod = scene.kubelet.startPod({
    namespace: 'shop',
    pod: 'cart-0',
    containers: ['app', 'proxy'],
  });
  pod.container('app').writeNext(40);
  pod.container('proxy').writeNext(20);
});

async function refuse(pattern: string): Promise<void> {
  await scene.emulator.setFaults({ mode: 'partial', pattern });
  await runOnce(scene.agent);
  await scene.emulator.setFaults([]);
}

describe('dead-letters', () => {
  test.each(['list', 'show', 'clear', 'resend'])(
    '%s refuses a state directory that is none',
    (verb) => {
      const missing = deadLetters(verb);
      expect(missing).toMatchObject({ code: 2, out: '' });
      expect(missing.error).toContain(`CONFIG_INVALID: --state-dir ${scene.agent.stateDir} `);
      writeFileSync(scene.agent.stateDir, 'no directory');
      expect(deadLetters(verb)).toEqual(missing);
    },
  );

  test('of a node that has none are none', () => {
    mkdirSync(scene.agent.stateDir);
    const { code, out, error } = deadLetters('list');
    expect({ code, out, error }).toEqual({ code: 0, out: '0 dead letters, 0 B\n', error: '' });
    expect(listed()).toEqual({ count: 0, bytes: 0, unreadable: 0, letters: [] });
    expect(deadLetters('clear').out).toBe('0 dead letters cleared, 0 kept\n');
    expect(deadLetters('resend').out).toBe('0 entries resent, 0 refused again, 0 kept\n');
  });

  test('list names each with its container and reason, and no content', async () => {
    await refuse('insertId');
    const { count, letters } = listed();
    expect(count).toBe(60);
    expect(new Set(letters.map(({ container }) => container))).toEqual(
      new Set(['shop/cart-0/app', 'shop/cart-0/proxy']),
    );
    for (const letter of letters) {
      expect(letter).toMatchObject({ codeName: expect.stringMatching(/^[A-Z_]+$/) });
      expect(letter).not.toHaveProperty('entry');
    }
    const { out } = deadLetters('list');
    expect(out).toMatch(/^ID +TIME +CODE +CONTAINER +SIZE +REASON\n/);
    expect(out).toMatch(/\n60 dead letters, [\d.]+ kB\n$/);
  });

  test('show prints an entry as it was refused', async () => {
    await refuse('insertId');
    const [first] = listed().letters;
    const { out, code } = deadLetters('show', first?.id ?? '', '--json');
    expect(code).toBe(0);
    const shown = JSON.parse(out) as { entry: { insertId: string } };
    expect(shown.entry.insertId).toBe(first?.['insertId']);
    expect(readFileSync(file(), 'utf8')).toContain(/"entry":(\{.*\})\}\n$/.exec(out)?.[1] ?? 'no');
    expect(
      deadLetters('show')
        .out.split('\n')
        .filter((line) => /^\w{10} {2}/.test(line)),
    ).toHaveLength(10);
    const unknown = deadLetters('show', 'ffffffffff');
    expect(unknown.code).toBe(2);
    expect(unknown.error).toContain('no dead letter is named ffffffffff');
  });

  test('resend makes them the entries that they would have been, once each', async () => {
    await refuse('insertId');
    expect((await scene.emulator.stats()).entries).toBe(0);
    const { out, code } = deadLetters('resend');
    expect({ code, out }).toEqual({ code: 0, out: '60 entries resent, 0 refused again, 0 kept\n' });
    await expectExactlyOnce(scene);
    expect(listed().count).toBe(0);
    expect(readdirSync(scene.agent.stateDir).filter((name) => /resend|taken/.test(name))).toEqual(
      [],
    );
  });

  test('resend keeps what is refused again, and sends the rest', async () => {
    await refuse('insertId');
    await scene.emulator.setFaults({ mode: 'partial', pattern: '"container_name":"proxy"' });
    expect(deadLetters('resend', '--json')).toMatchObject({
      code: 1,
      out: '{"resent":40,"refusedAgain":20,"kept":0}\n',
    });
    await scene.emulator.setFaults([]);
    const { count, letters } = listed();
    expect(count).toBe(20);
    expect(letters.every(({ container }) => container === 'shop/cart-0/proxy')).toBe(true);
    deadLetters('resend');
    await expectExactlyOnce(scene);
  });

  test.skipIf(!mayMount)(
    `resend on a full disk keeps what is refused again${whyNoMounts}`,
    async () => {
      await refuse('insertId');
      const { letters } = listed();
      await scene.emulator.setFaults({ mode: 'partial', pattern: 'insertId' });
      const { stateDir } = scene.agent;
      const kept = path.join(scene.scratch.path, 'letters');
      copyFileSync(file(), kept);
      const [command = '', ...words] = underTmpfs(stateDir, 'size=256k');
      const script = `cp "$0" "$1/dead-letter.ndjson"
        dd if=/dev/zero of="$1/filler" bs=4k
        "$2" "$3" dead-letters resend --state-dir="$1" --endpoint="$4"
        rm "$1/filler"
        exec "$2" "$3" dead-letters list --json --state-dir="$1"`;
      const given = [kept, stateDir, process.execPath, main, scene.emulator.url];
      const { stdout } = spawnSync(command, [...words, 'sh', '-c', script, ...given], {
        encoding: 'utf8',
      });
      const left = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Listed;
      expect(left.letters).toEqual(letters);
    },
  );

  test('resend and clear of some leave the others', async () => {
    await refuse('insertId');
    const ids = listed().letters.map(({ id }) => id);
    expect(deadLetters('resend', ids[0] ?? '').out).toBe(
      '1 entry resent, 0 refused again, 59 kept\n',
    );
    expect(deadLetters('clear', ids[1] ?? '', ids[2] ?? '').out).toBe(
      '2 dead letters cleared, 57 kept\n',
    );
    const left = listed().letters.map(({ id }) => id);
    expect(left).toEqual(ids.slice(3));
    expect(deadLetters('clear').out).toBe('57 dead letters cleared, 0 kept\n');
    expect(listed().count).toBe(0);
  });

  test('of an API that is down stay where they are, also at a signal', async () => {
    await refuse('insertId');
    const before = listed().letters;
    await scene.emulator.setFaults({ mode: 'hang' });
    const words = ['dead-letters', 'resend', `--state-dir=${scene.agent.stateDir}`];
    const { requests } = await scene.emulator.stats();
    const command = startCommand([...words, `--endpoint=${scene.emulator.url}`]);
    await until('it sends', async () => (await scene.emulator.stats()).requests > requests);
    command.signal('SIGTERM');
    expect(await command.ended).toBe(1);
    expect(command.lines.at(-1)).toBe('0 entries resent, 0 refused again, 60 kept');
    expect(listed().letters).toEqual(before);
  });

  test('are read past lines that are torn, of another format, or foreign', async () => {
    await refuse('insertId');
    const rotated = `${file()}.1`;
    writeFileSync(rotated, '{"time":"2025-01-01T\n\n{"entry":1}\n{"entry":{},"more":[1]}\nplain\n');
    appendFileSync(file(), '{"time":"2026-01-01T00:00:00Z","reason":"x","code":3,"entry":{"ins');
    expect(listed()).toMatchObject({ count: 61, unreadable: 4 });
    // What is no letter stays for a person to look at.
    expect(deadLetters('resend').out).toMatch(/^60 entries resent, 1 refused again, 4 kept\n$/);
    expect(listed()).toMatchObject({ count: 1, unreadable: 4 });
    expect(existsSync(rotated)).toBe(false);
  });

  test('say which verbs there are', () => {
    const { code, error } = deadLetters('burn');
    expect(code).toBe(2);
    expect(error).toContain('needs list|show|resend|clear; got burn');
  });
});

describe('/api/dead-letters', () => {
  async function ask(flags: readonly string[]): Promise<readonly Record<string, unknown>[]> {
    const agent = startAgentProcess({
      ...scene.agent,
      flags: ['--admin-address=127.0.0.1:0', ...flags],
    });
    const started = await until('it has started', () =>
      agent.log.find((line) => line.includes('"page":"http')),
    );
    const { page } = JSON.parse(started) as { page: string };
    const response = await fetch(`${page}api/dead-letters`);
    await agent.stop();
    return ((await response.json()) as { letters: Record<string, unknown>[] }).letters;
  }

  test('gives the newest ten, their content only with --admin-show-content', async () => {
    await refuse('insertId');
    const ids = listed().letters.map(({ id }) => id);
    const bare = await ask([]);
    expect(bare.map(({ id }) => id)).toEqual(ids.slice(0, 10));
    for (const letter of bare) {
      expect(Object.keys(letter)).toEqual(['id', 'time', 'codeName', 'container', 'entryBytes']);
    }
    const [letter] = await ask(['--admin-show-content']);
    expect(String(letter?.['entry'])).toContain('"insertId"');
    expect(letter?.['reason']).not.toBe('');
  });
});

describe('parseLetter()', () => {
  test('keeps the bytes of the entry, whatever is beside it', () => {
    const entry = '{"labels":{"entry":"{"},"n":12345678901234567890,"s":"\\"}","insertId":"i"}';
    const line = `{"reason":"\\",\\"entry\\":{","code":3,"defaults":{"labels":{"entry":"}"}},"entry":${entry}}`;
    const letter = parseLetter(Buffer.from(line));
    expect(letter?.entry.toString()).toBe(entry);
    expect(letter).toMatchObject({ insertId: 'i', codeName: 'INVALID_ARGUMENT' });
  });
});

describe('newestLetters()', () => {
  test('reads the end of the file only, newest first', async () => {
    await refuse('insertId');
    const all = listed().letters.map(({ id }) => id);
    const newest = newestLetters(scene.agent.stateDir, 10, 64 * 1024);
    expect(newest.map(({ id }) => id)).toEqual(all.slice(0, 10));
  });
});
