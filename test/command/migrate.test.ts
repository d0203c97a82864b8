// The switch from fluentd and Fluent Bit: what they had read is not sent again, and all else is
// sent. Everything is real but the other agent's file, and with a fluentd on the PATH that too.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';

import { runCli } from '../../src/command/cli.ts';
import type { FakeContainer } from '../../src/emulator/kubelet/fake-container.ts';
import { createFakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import type { FakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import type { MigrationSummary } from '../../src/command/migrate.ts';
import {
  arrivedLines,
  findFluentd,
  lineNumbers,
  linkOf,
  positionOf,
  writeDatabase,
  writePosFile,
} from '../migrate-fixture.ts';
import {
  makeScratch,
  runOnce,
  startEmulatorProcess,
  stopAll,
  until,
} from '../support/agent-process.ts';
import type { EmulatorProcess } from '../support/agent-process.ts';
import { callbackLog } from '../support/callback-log.ts';

let scratch: ReturnType<typeof makeScratch>;
let emulator: EmulatorProcess;
let kubelet: FakeKubelet;

beforeEach(async () => {
  scratch = makeScratch();
  emulator = await startEmulatorProcess();
  kubelet = createFakeKubelet({ root: path.join(scratch.path, 'log'), seed: 1, filesMax: 9 });
});

afterEach(async () => {
  kubelet.close();
  await stopAll();
  scratch.remove();
});

function startContainers(...names: readonly string[]): FakeContainer[] {
  const containers = names.map((name) => ({ name, kind: 'text' }) as const);
  const pod = kubelet.startPod({ namespace: 'ns', pod: 'shop', containers });
  return names.map((name) => pod.container(name));
}

type Migrated = {
  readonly code: number;
  readonly error: string;
  readonly summary: MigrationSummary;
};

async function migrate(...words: readonly string[]): Promise<Migrated> {
  const out: string[] = [];
  const error: string[] = [];
  const flags = {
    'containers-dir': kubelet.containersDir,
    'log-root': kubelet.podsDir,
    'state-dir': path.join(scratch.path, 'state'),
  };
  const signal = new AbortController().signal;
  const code = await runCli({
    words: [
      'migrate',
      '--from',
      ...words,
      ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
    ],
    environment: {},
    signal,
    outputClosed: signal,
    terminalSize: () => undefined,
    isErrorTerminal: false,
    writeOut: (line) => void out.push(line),
    writeError: (line) => void error.push(line),
  });
  const summary = JSON.parse(out.at(-1) ?? '{}') as MigrationSummary;
  return { code, error: error.join('\n'), summary };
}

/** What the agent ships from the migrated state. */
async function shipped(): Promise<Record<string, number[]>> {
  const stateDir = path.join(scratch.path, 'state');
  const { code, stderr } = await runOnce({ kubelet, stateDir, endpoint: emulator.url });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return arrivedLines(emulator.url);
}

function scratchFile(name: string): string {
  return path.join(scratch.path, name);
}

describe('migrate --from fluentd', () => {
  test('goes on after the last line that was read, in files that have rotated since too', async () => {
    const [quiet, busy, rotated] = startContainers('quiet', 'busy', 'rotated') as [
      FakeContainer,
      FakeContainer,
      FakeContainer,
    ];
    for (const container of [quiet, busy, rotated]) {
      container.writeNext(50);
      await container.rotate();
      container.writeNext(50);
      await container.rotate();
      container.writeNext(50);
    }
    const posFile = scratchFile('containers.log.pos');
    writePosFile(
      posFile,
      [quiet, busy, rotated].map((one) => positionOf(kubelet, one)),
    );
    busy.writeNext(20);
    rotated.writeNext(20);
    await rotated.rotate();
    rotated.writeNext(5);
    const { code, error, summary } = await migrate('fluentd', posFile);
    expect({ code, error }).toEqual({ code: 0, error: '' });
    expect(summary).toMatchObject({
      containers: 3,
      containersTaken: 3,
      positions: 3,
      positionsWithoutFile: 0,
      filesResumed: 3,
      filesFinished: 6,
      movedBack: 0,
    });
    expect(await shipped()).toEqual({
      busy: lineNumbers(151, 170),
      rotated: lineNumbers(151, 175),
    });
  });

  // The names of rotations have the local time of the node, which is not that of this process.
  test.each(['UTC', 'Pacific/Kiritimati', 'America/Los_Angeles'])(
    'finds a position by the resolved path, of a former run, and after compression: %s',
    async (zone) => {
      vi.stubEnv('TZ', zone);
      onTestFinished(() => void vi.unstubAllEnvs());
      const [resolved, restarted, packed] = startContainers('resolved', 'restarted', 'packed') as [
        FakeContainer,
        FakeContainer,
        FakeContainer,
      ];
      for (const container of [resolved, restarted, packed]) container.writeNext(40);
      const positions = [
        { ...positionOf(kubelet, resolved), path: resolved.logPath },
        positionOf(kubelet, restarted),
        positionOf(kubelet, packed),
      ];
      const posFile = scratchFile('pos');
      writePosFile(posFile, positions);
      for (const container of [resolved, restarted, packed]) container.writeNext(10);
      const pod = kubelet.pods[0];
      pod?.restartContainer(restarted);
      restarted.writeNext(10);
      for (let round = 0; round < 3; round += 1) {
        await packed.rotate();
        packed.writeNext(10);
      }
      const { summary } = await migrate('fluentd', posFile);
      expect(summary).toMatchObject({ containersTaken: 3, positionsWithoutFile: 0 });
      expect(await shipped()).toEqual({
        resolved: lineNumbers(41, 50),
        restarted: lineNumbers(41, 60),
        packed: lineNumbers(41, 80),
      });
    },
  );

  test('goes back to the beginning of a line, and of a record of partial lines', async () => {
    const [cut, partial] = startContainers('cut', 'partial') as [FakeContainer, FakeContainer];
    cut.writeNext(10);
    const lines = positionOf(kubelet, cut);
    cut.writeNext(1);
    partial.writeNext(10);
    partial.write([{ text: 'x'.repeat(40_000), partial: true }]);
    const posFile = scratchFile('pos');
    writePosFile(posFile, [{ ...lines, offset: lines.offset + 9 }, positionOf(kubelet, partial)]);
    partial.write(['the end']);
    const { summary } = await migrate('fluentd', posFile);
    expect(summary.movedBack).toBe(2);
    expect(summary.movedBackBytes).toBeGreaterThan(40_000);
    expect(await shipped()).toEqual({ cut: [11], partial: [11] });
  });

  test('reads a file from its start whose inode was given out again', async () => {
    const [container] = startContainers('main') as [FakeContainer];
    container.writeNext(20);
    const posFile = scratchFile('pos');
    writePosFile(posFile, [positionOf(kubelet, container)]);
    // Its first line is from after the last word of the other agent.
    utimesSync(posFile, 1, 1);
    const { summary } = await migrate('fluentd', posFile);
    expect(summary).toMatchObject({ containersTaken: 0, positionsWithoutFile: 1 });
    expect(await shipped()).toEqual({ main: lineNumbers(1, 20) });
  });

  test('takes nothing from positions that are let go, too long, foreign or no positions', async () => {
    const [main, other] = startContainers('main', 'other') as [FakeContainer, FakeContainer];
    main.writeNext(10);
    other.writeNext(10);
    const [one, two] = [positionOf(kubelet, main), positionOf(kubelet, other)];
    const posFile = scratchFile('pos');
    writePosFile(posFile, [
      { ...one, offset: -1 },
      { ...two, offset: two.offset + 1 },
      { path: '/var/log/syslog', offset: 5, inode: one.inode },
    ]);
    appendFileSync(posFile, 'no position\n');
    const { code, summary } = await migrate('fluentd', posFile);
    expect(code).toBe(0);
    expect(summary).toMatchObject({
      positions: 2,
      positionsWithoutFile: 2,
      unwatched: 1,
      malformed: 1,
      containersTaken: 0,
    });
    expect(await shipped()).toEqual({ main: lineNumbers(1, 10), other: lineNumbers(1, 10) });
  });

  test('never moves a checkpoint back, so that it may run before each start', async () => {
    const [container] = startContainers('main') as [FakeContainer];
    container.writeNext(10);
    const posFile = scratchFile('pos');
    writePosFile(posFile, [positionOf(kubelet, container)]);
    container.writeNext(10);
    await migrate('fluentd', posFile);
    await shipped();
    const before = await emulator.stats();
    await migrate('fluentd', posFile);
    await shipped();
    expect(await emulator.stats()).toMatchObject({ entries: before.entries });
    expect(before.entries).toBe(10);
  });

  test('--dry-run says the same and saves nothing', async () => {
    const [container] = startContainers('main') as [FakeContainer];
    container.writeNext(10);
    const posFile = scratchFile('pos');
    writePosFile(posFile, [positionOf(kubelet, container)]);
    const { summary } = await migrate('fluentd', posFile, '--dry-run');
    expect(summary).toMatchObject({ dryRun: true, filesResumed: 1 });
    expect(await shipped()).toEqual({ main: lineNumbers(1, 10) });
  });

  test('finds the file in the configuration, also within a ConfigMap', async () => {
    const [container] = startContainers('main') as [FakeContainer];
    container.writeNext(10);
    const posFile = scratchFile('containers.pos');
    writePosFile(posFile, [positionOf(kubelet, container)]);
    const source = `<source>\n  @type tail\n  path /var/log/containers/*.log\n  pos_file ${posFile}\n</source>`;
    writeFileSync(scratchFile('in.conf'), source);
    writeFileSync(scratchFile('fluent.conf'), '@include in.conf\n');
    const text = `kind: ConfigMap\ndata:\n  in.conf: |\n${source.replaceAll(/^/gm, '    ')}\n`;
    writeFileSync(scratchFile('map.yaml'), text);
    for (const name of ['fluent.conf', 'map.yaml']) {
      const { code, summary } = await migrate('fluentd', scratchFile(name), '--dry-run');
      expect({ code, summary }).toMatchObject({ code: 0, summary: { filesResumed: 1 } });
    }
    writeFileSync(scratchFile('in.conf'), source.replace('containers.pos', 'wrong.pos'));
    const wrong = await migrate('fluentd', scratchFile('fluent.conf'));
    expect(wrong.code).toBe(2);
    expect(wrong.error).toMatch(/wrong\.pos does not exist; .* has containers\.pos/);
    writeFileSync(scratchFile('none.conf'), '<match **>\n  @type null\n</match>\n');
    const none = await migrate('fluentd', scratchFile('none.conf'));
    expect(none).toMatchObject({ code: 2 });
    expect(none.error).toContain('names no pos_file');
  });

  test('finds the database in the configuration of Fluent Bit, in both of its forms', async () => {
    const [container] = startContainers('main') as [FakeContainer];
    container.writeNext(10);
    const database = scratchFile('tail.db');
    writeDatabase(database, [positionOf(kubelet, container)]).close();
    const folder = path.dirname(database);
    const classic = `@SET dir=${folder}\n[INPUT]\n  Name tail\n  Path /var/log/containers/*.log\n  DB \${dir}/tail.db\n`;
    writeFileSync(scratchFile('fluent-bit.conf'), classic);
    const input = { name: 'tail', path: '/var/log/containers/*.log', db: database };
    const yaml = `pipeline: ${JSON.stringify({ inputs: [input] })}\n`;
    writeFileSync(scratchFile('fluent-bit.yaml'), yaml);
    for (const name of ['fluent-bit.conf', 'fluent-bit.yaml']) {
      const { code, summary, error } = await migrate('fluent-bit', scratchFile(name), '--dry-run');
      expect({ code, summary }, error).toMatchObject({ code: 0, summary: { filesResumed: 1 } });
    }
    writeFileSync(scratchFile('wrong.conf'), classic.replace('tail.db', 'none.db'));
    const wrong = await migrate('fluent-bit', scratchFile('wrong.conf'));
    expect(wrong.code).toBe(2);
    expect(wrong.error).toMatch(/none\.db does not exist; .* has tail\.db/);
    writeFileSync(scratchFile('computed.conf'), classic.replace('${dir}', '${ELSEWHERE}'));
    const computed = await migrate('fluent-bit', scratchFile('computed.conf'));
    expect(computed.code).toBe(2);
    expect(computed.error).toContain('names no DB of container logs, or one that is computed');
  });

  test('says that there is no file, and refuses one of another kind', async () => {
    writeFileSync(scratchFile('other.pos'), '');
    const missing = await migrate('fluentd', scratchFile('none'));
    expect(missing.code).toBe(2);
    expect(missing.error).toMatch(/CONFIG_INVALID: .*none does not exist; .* has other\.pos/);
    const allowed = await migrate('fluentd', scratchFile('none'), '--missing-ok');
    expect(allowed.code).toBe(0);
    expect(allowed.error).toContain('no position is taken over');
    const wrong = scratchFile('wrong');
    writeFileSync(wrong, '<source>\n  @type tail\n</source>\n');
    const refused = await migrate('fluentd', wrong);
    expect(refused.code).toBe(2);
    expect(refused.error).toContain('is no pos file of fluentd');
  });

  test.skipIf(findFluentd() === undefined)(
    'takes over from a real fluentd that was stopped (needs the gem fluentd)',
    async () => {
      const [main, rotated] = startContainers('main', 'rotated') as [FakeContainer, FakeContainer];
      main.writeNext(30);
      rotated.writeNext(30);
      const posFile = scratchFile('real.pos');
      const output = scratchFile('out');
      const config = scratchFile('fluent.conf');
      writeFileSync(
        config,
        `<source>
  @type tail
  path ${JSON.stringify(`${kubelet.containersDir}/*.log`)}
  pos_file ${JSON.stringify(posFile)}
  tag kubernetes.*
  read_from_head true
  refresh_interval 1
  <parse>
    @type none
  </parse>
</source>
<match **>
  @type file
  path ${JSON.stringify(output)}
  append true
  <buffer>
    flush_at_shutdown true
    flush_mode immediate
  </buffer>
</match>
`,
      );
      const fluentd = spawn('fluentd', ['-c', config, '--no-supervisor'], { stdio: 'ignore' });
      const ends = [main, rotated].map((one) => statSync(one.logPath).size.toString(16));
      await until('fluentd has read all', () => {
        const text = statSync(posFile, { throwIfNoEntry: false }) && readFileSync(posFile, 'utf8');
        return ends.every((end) => text?.includes(`\t${end.padStart(16, '0')}\t`)) || undefined;
      });
      fluentd.kill('SIGTERM');
      await once(fluentd, 'exit');
      main.writeNext(7);
      await rotated.rotate();
      rotated.writeNext(7);
      const { summary } = await migrate('fluentd', posFile);
      expect(summary).toMatchObject({ containersTaken: 2, positionsWithoutFile: 0, malformed: 0 });
      const after = lineNumbers(31, 37);
      expect(await shipped()).toEqual({ main: after, rotated: after });
    },
    60_000,
  );
});

describe('migrate --from fluent-bit', () => {
  test('reads rows that are only in the log beside the database', async () => {
    const [main, resolved] = startContainers('main', 'resolved') as [FakeContainer, FakeContainer];
    main.writeNext(30);
    resolved.writeNext(30);
    const file = scratchFile('flb.db');
    const open = writeDatabase(file, [
      positionOf(kubelet, main),
      { ...positionOf(kubelet, resolved), path: resolved.logPath },
    ]);
    expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
    main.writeNext(5);
    const { code, summary } = await migrate('fluent-bit', file);
    open.close();
    expect(code).toBe(0);
    expect(summary).toMatchObject({ positions: 2, containersTaken: 2, filesResumed: 2 });
    expect(await shipped()).toEqual({ main: lineNumbers(31, 35) });
  });

  test('reads a database that was closed, and does not change it', async () => {
    const [main] = startContainers('main') as [FakeContainer];
    main.writeNext(30);
    const file = scratchFile('flb.db');
    // The name that Fluent Bit gives a row when it saw the file being renamed.
    const position = positionOf(kubelet, main);
    main.writeNext(5);
    await main.rotate();
    const renamed = path.join(main.directory, main.rotatedNames()[0] ?? '');
    writeDatabase(file, [{ ...position, path: renamed }]).close();
    const before = readFileSync(file);
    main.writeNext(5);
    const { summary } = await migrate('fluent-bit', file);
    expect(summary).toMatchObject({ containersTaken: 1, filesResumed: 1 });
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(statSync(`${file}-wal`, { throwIfNoEntry: false })).toBeUndefined();
    expect(await shipped()).toEqual({ main: lineNumbers(31, 40) });
  });

  test('refuses a file that is no such database, and says when there is none', async () => {
    const text = scratchFile('text.db');
    writeFileSync(text, 'not a database, but long enough to be looked at as if it were one\n');
    expect((await migrate('fluent-bit', text)).error).toContain('is no database of Fluent Bit');
    expect((await migrate('fluent-bit', scratchFile('none'))).error).toContain('does not exist');
  });

  test('refuses to run beside the agent, which holds the state directory', async () => {
    const { openCheckpointStore } = await import('../../src/commit/checkpoint-store.ts');
    const [main] = startContainers('main') as [FakeContainer];
    main.writeNext(3);
    const posFile = scratchFile('pos');
    writePosFile(posFile, [{ ...positionOf(kubelet, main), path: linkOf(kubelet, main.logPath) }]);
    const store = openCheckpointStore(path.join(scratch.path, 'state'), callbackLog());
    const { code, error } = await migrate('fluentd', posFile);
    store.close();
    expect(code).toBe(1);
    expect(error).toContain('STATE_LOCKED');
  });
});
