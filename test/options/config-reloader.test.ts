import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/options/config-loader.ts';
import { ConfigReloader, mergeHot } from '../../src/options/config-reloader.ts';
import { createLog } from '../../src/log.ts';
import type { Config } from '../../src/options/options.ts';
import { eventually } from '../support/eventually.ts';
import { makeConfig } from '../support/make-config.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

function scratch(): string {
  return mkdtempSync(join(tmpdir(), 'tailship-reload-'));
}

async function startReloader(file: string, settleMs = 0) {
  const applied: Config[] = [];
  const logged: string[] = [];
  const load = async (isReload: boolean) => {
    const input = { command: 'run', flags: { config: file }, environment: {}, isReload } as const;
    return (await loadConfig(input)).config;
  };
  const reloader = new ConfigReloader({
    config: await load(false),
    load: () => load(true),
    apply: (config) => applied.push(config),
    log: createLog({ level: 'info', write: (line) => logged.push(line) }),
    pollMs: 10,
    settleMs,
  });
  closers.push(() => reloader.close());
  return { reloader, applied, logged };
}

describe('mergeHot()', () => {
  test('takes what is hot, leaves and names what is not', () => {
    const current = makeConfig({ partialFlushMs: 1_000, connections: 2 });
    const next = makeConfig({ partialFlushMs: 2_000, connections: 4 });
    expect(mergeHot(current, next)).toEqual({
      config: { ...current, partialFlushMs: 2_000 },
      applied: ['partialFlushMs'],
      left: ['connections'],
    });
  });
});

describe('ConfigReloader', () => {
  test('takes over a file that is written again, and says what changed', async () => {
    const file = join(scratch(), 'tailship.yaml');
    writeFileSync(file, 'joinStackTraces: false\n');
    const { applied, logged } = await startReloader(file);
    writeFileSync(file, 'joinStackTraces: true\nconnections: 4\n');
    await eventually(() =>
      expect(applied).toMatchObject([{ joinStackTraces: true, connections: 2 }]),
    );
    expect(logged.join('\n')).toContain('--join-stack-traces true');
    expect(logged.join('\n')).toContain('next start only for --connections');
  });

  test('takes over a ConfigMap, whose directory the kubelet swaps', async () => {
    const volume = scratch();
    const write = (generation: string, text: string) => {
      mkdirSync(join(volume, generation));
      writeFileSync(join(volume, generation, 'tailship.yaml'), text);
      symlinkSync(generation, join(volume, '..data_tmp'));
      renameSync(join(volume, '..data_tmp'), join(volume, '..data'));
    };
    write('..2026_1', 'partialFlushMs: 1000\n');
    symlinkSync('..data/tailship.yaml', join(volume, 'tailship.yaml'));
    const { applied } = await startReloader(join(volume, 'tailship.yaml'));
    write('..2026_2', 'partialFlushMs: 2000\n');
    await eventually(() => expect(applied).toMatchObject([{ partialFlushMs: 2_000 }]));
  });

  test.each([
    ['an unknown key', 'joinStacktrace: true\n'],
    ['a value that is not allowed', 'joinStackTraces: perhaps\n'],
    ['no YAML', '{ ]'],
  ])('refuses %s, says so, and keeps what it has', async (_what, text) => {
    const file = join(scratch(), 'tailship.yaml');
    writeFileSync(file, 'partialFlushMs: 1000\n');
    const { reloader, applied, logged } = await startReloader(file);
    writeFileSync(file, `partialFlushMs: 2000\n${text}`);
    await eventually(() => expect(reloader.counters.refused).toBe(1));
    expect(applied).toEqual([]);
    expect(logged.join('\n')).toMatch(/CONFIG_INVALID/);
    expect(logged.join('\n')).toContain('stays as it was');
    writeFileSync(file, 'partialFlushMs: 3000\n');
    await eventually(() => expect(applied).toMatchObject([{ partialFlushMs: 3_000 }]));
  });

  test('keeps what it has when the file becomes a link to itself, and says so', async () => {
    const file = join(scratch(), 'tailship.yaml');
    writeFileSync(file, 'partialFlushMs: 1000\n');
    const { reloader, applied, logged } = await startReloader(file);
    rmSync(file);
    symlinkSync('tailship.yaml', file);
    await eventually(() => expect(reloader.counters.refused).toBe(1));
    expect(logged.join('\n')).toContain('ELOOP');
    rmSync(file);
    writeFileSync(file, 'partialFlushMs: 3000\n');
    await eventually(() => expect(applied).toMatchObject([{ partialFlushMs: 3_000 }]));
  });

  test('never reads a file that is being written', async () => {
    const file = join(scratch(), 'tailship.yaml');
    const write = (text: string, time: Date) => {
      writeFileSync(file, text);
      utimesSync(file, time, time);
    };
    const past = new Date(Date.now() - 60_000);
    const whole = 'partialFlushMs: 1000\nredact: [shop=secret]\n';
    write(whole, past);
    const { reloader, applied } = await startReloader(file, 30_000);
    await eventually(() => expect(reloader.counters.accepted).toBe(1));
    write('partialFlushMs: 2000\n', new Date()); // As far as it got.
    await setTimeout(100); // Ten looks.
    write(whole.replace('1000', '2000'), past);
    await eventually(() => expect(applied).toMatchObject([{ partialFlushMs: 2_000 }]));
    expect(applied).toEqual([expect.objectContaining({ redact: ['shop=secret'] })]);
  });

  test('reads a pipe only once, and never waits for one', async () => {
    const file = join(scratch(), 'tailship.yaml');
    writeFileSync(file, 'partialFlushMs: 1000\n');
    const { reloader, applied, logged } = await startReloader(file);
    rmSync(file);
    execFileSync('mkfifo', [file]);
    await reloader.reload();
    expect(reloader.counters.refused).toBe(1);
    expect(logged.join('\n')).toContain('can be read only once');
    await setTimeout(100); // Ten looks.
    expect(applied).toEqual([]);
    expect(reloader.counters.refused).toBe(1);
  });

  test('finds a change that was made between the start and the first look', async () => {
    const file = join(scratch(), 'tailship.yaml');
    writeFileSync(file, 'partialFlushMs: 1000\n');
    const { config } = await loadConfig({
      command: 'run',
      flags: { config: file },
      environment: {},
    });
    writeFileSync(file, 'partialFlushMs: 2000\n');
    const applied: Config[] = [];
    const log = createLog({ level: 'error', write: () => undefined });
    const load = async () =>
      (await loadConfig({ command: 'run', flags: { config: file }, environment: {} })).config;
    const apply = (next: Config) => applied.push(next);
    const reloader = new ConfigReloader({ config, load, apply, log, pollMs: 10, settleMs: 0 });
    closers.push(() => reloader.close());
    await eventually(() => expect(applied).toMatchObject([{ partialFlushMs: 2_000 }]));
  });

  test('reads once more, and no more than that, when it is asked while it reads', async () => {
    const asked: PromiseWithResolvers<Config>[] = [];
    const load = () => {
      asked.push(Promise.withResolvers<Config>());
      return asked.at(-1)!.promise;
    };
    const applied: Config[] = [];
    const log = createLog({ level: 'error', write: () => undefined });
    const apply = (config: Config) => applied.push(config);
    const reloader = new ConfigReloader({ config: makeConfig(), load, apply, log });
    const over = reloader.reload();
    for (let round = 0; round < 5; round += 1) void reloader.reload();
    asked[0]?.resolve(makeConfig({ partialFlushMs: 1_000 }));
    await eventually(() => expect(asked).toHaveLength(2));
    asked[1]?.resolve(makeConfig({ partialFlushMs: 2_000 }));
    await over;
    expect(asked).toHaveLength(2);
    expect(applied.map(({ partialFlushMs }) => partialFlushMs)).toEqual([1_000, 2_000]);
  });
});
