// SIGTERM at every stage of a run: whatever it waits for, it ends within the grace period, says
// what is left, and the next run ships the rest exactly once.

import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { runOnce, startAgentProcess, startCommand, until } from '../support/agent-process.ts';
import { useScene, type Scene } from '../support/scene.ts';
import { expectExactlyOnce } from '../support/verify.ts';

/** What a loaded machine may take beyond the grace period to end a process. */
const slackMs = 20_000;
const silent: Server[] = [];

let scene: Scene;
useScene(31, (set) => {
  scene = set;
});

afterEach(() => {
  for (const server of silent.splice(0)) server.close();
});

/** Takes connections and says nothing, or resets them at once. */
async function startSilent(isReset = false): Promise<{ port: number; asked: Promise<void> }> {
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    if (isReset) socket.resetAndDestroy();
    else socket.resume();
    resolve();
  });
  silent.push(server);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return { port: (server.address() as AddressInfo).port, asked };
}

function fill(lines = 200): void {
  const pod = scene.kubelet.startPod({ namespace: 'ns', pod: 'pod', containers: ['c'] });
  pod.container('c').writeNext(lines);
}

type Ending = { readonly code: number | null; readonly ms: number; readonly log: string };

async function stopped(agent: ReturnType<typeof startAgentProcess>): Promise<Ending> {
  const startMs = performance.now();
  const code = await agent.stop();
  return { code, ms: performance.now() - startMs, log: agent.log.join('\n') };
}

function summaryIn(log: string): Record<string, unknown> {
  const line = log.split('\n').find((each) => each.startsWith('{"files"'));
  return JSON.parse(line ?? '{}') as Record<string, unknown>;
}

describe('run --once at SIGTERM', () => {
  const graceMs = 1_000;
  const flags = ['--once', `--grace-ms=${graceMs}`];

  async function expectRestShipped(): Promise<void> {
    await scene.emulator.setFaults([]);
    expect((await runOnce(scene.agent)).code).toBe(0);
    await expectExactlyOnce(scene);
  }

  test.each([
    ['answers 503', { mode: 'status', status: 503 }],
    [
      'answers 429 and asks for ten minutes',
      { mode: 'status', status: 429, retryAfterSeconds: 600 },
    ],
    ['never answers', { mode: 'hang' }],
    ['resets', { mode: 'reset' }],
  ] as const)('ends in time while the API %s, with what is left', async (_, fault) => {
    fill();
    await scene.emulator.setFaults(fault);
    const agent = startAgentProcess({ ...scene.agent, flags });
    await until('it sends', async () => (await scene.emulator.stats()).requests > 0);
    const { code, ms, log } = await stopped(agent);
    expect(ms).toBeLessThan(graceMs + slackMs);
    expect(code).toBe(1);
    const summary = summaryIn(log);
    expect(summary).toMatchObject({ files: 1, stoppedBy: 'SIGTERM' });
    expect(summary['leftBytes']).toBeGreaterThan(0);
    expect(log).toContain('SHIP_STOPPED');
    await expectRestShipped();
  });

  test('ends in time while nobody listens at the endpoint', async () => {
    fill();
    const endpoint = 'http://127.0.0.1:1';
    const agent = startAgentProcess({ ...scene.agent, endpoint, flags });
    await until('it failed', () => agent.log.some((line) => line.includes('SHIP_UNREACHABLE')));
    const { code, ms, log } = await stopped(agent);
    expect({ code, isInTime: ms < graceMs + slackMs }).toEqual({ code: 1, isInTime: true });
    expect(summaryIn(log)['stoppedBy']).toBe('SIGTERM');
    await expectRestShipped();
  });

  test('ends in time while it waits for the labels of the pods', async () => {
    fill();
    const { port, asked } = await startSilent();
    const token = path.join(scene.scratch.path, 'token');
    writeFileSync(token, 'token');
    const api = [`--kubernetes-api=http://127.0.0.1:${port}`, `--kubernetes-token-file=${token}`];
    const agent = startAgentProcess({ ...scene.agent, flags: [...flags, ...api] });
    await asked;
    const { code, ms, log } = await stopped(agent);
    expect({ code, isInTime: ms < graceMs + slackMs }).toEqual({ code: 1, isInTime: true });
    expect(summaryIn(log)).toMatchObject({ lines: 0, stoppedBy: 'SIGTERM' });
  });

  test('ends in time while it unpacks', async () => {
    fill();
    const directory = path.join(
      scene.kubelet.podsDir,
      'ns_old_11111111-2222-3333-4444-555555555555/c',
    );
    mkdirSync(directory, { recursive: true });
    const line = (index: number) =>
      `2026-03-05T14:07:21.${String(index).padStart(9, '0')}Z stdout F line ${index}\n`;
    const text = Array.from({ length: 1_000_000 }, (_, index) => line(index)).join('');
    writeFileSync(path.join(directory, '0.log.20260305-140721.gz'), gzipSync(text, { level: 1 }));
    writeFileSync(path.join(directory, '0.log'), line(1_000_001));
    const link = path.join(scene.kubelet.containersDir, `old_ns_c-${'a'.repeat(64)}.log`);
    symlinkSync(path.join(directory, '0.log'), link);
    await scene.emulator.setFaults({ mode: 'hang' });
    const agent = startAgentProcess({ ...scene.agent, flags: ['--once', '--grace-ms=0'] });
    await until('it unpacks', () => unpacks(agent.pid), { everyMs: 2 });
    const { code, ms } = await stopped(agent);
    expect({ code, isInTime: ms < slackMs }).toEqual({ code: 1, isInTime: true });
  });

  test('does not wait at a second one', async () => {
    fill();
    await scene.emulator.setFaults({ mode: 'hang' });
    const agent = startAgentProcess({ ...scene.agent, flags: ['--once', '--grace-ms=600000'] });
    await until('it sends', async () => (await scene.emulator.stats()).requests > 0);
    process.kill(agent.pid, 'SIGINT'); // Two of one kind could arrive as one.
    const { code, ms } = await stopped(agent);
    expect({ code, isInTime: ms < slackMs }).toEqual({ code: 1, isInTime: true });
    await expectRestShipped();
  });
});

/** Whether the process has a file without a name in its state directory. */
function unpacks(pid: number): boolean {
  try {
    const names = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    return names.some((name) => name.includes('spool') && name.endsWith('(deleted)'));
  } catch {
    return false; // A descriptor that was closed since it was listed.
  }
}

/** A command line; empty when the process has ended. */
function wordsOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

describe('SIGTERM while it starts', () => {
  const stateHas = (name: string) => existsSync(path.join(scene.agent.stateDir, name));
  const moments: Record<string, (pid: number) => boolean> = {
    'it is started': () => true,
    'it has become itself with its flags': (pid) => wordsOf(pid).includes('--max-semi-space-size'),
    'its directory is there': () => stateHas(''),
    'its positions are there': () => stateHas('') && readdirSync(scene.agent.stateDir).length > 0,
  };
  const inBetween = [20, 90, 160];

  async function expectQuietEnd(isTime: (pid: number) => boolean | Promise<boolean>) {
    fill();
    const agent = startAgentProcess(scene.agent);
    await until('the moment', () => isTime(agent.pid), { everyMs: 1 });
    const { code, ms } = await stopped(agent);
    // Before its first line has run, the signal itself ends it.
    expect([0, null]).toContain(code);
    expect(ms).toBeLessThan(slackMs);
    for (const line of agent.log) expect(JSON.parse(line)).toMatchObject({ severity: 'INFO' });
    const names = stateHas('') ? readdirSync(scene.agent.stateDir) : [];
    expect(names.filter((name) => /tmp|corrupt|spool/.test(name))).toEqual([]);
    expect((await runOnce(scene.agent)).code).toBe(0);
    await expectExactlyOnce(scene);
  }

  test.each(Object.entries(moments))('ends it quietly when %s', async (_, isTime) => {
    await expectQuietEnd(isTime);
  });

  test.each(inBetween)('ends it quietly after %i ms, wherever it is by then', async (ms) => {
    await expectQuietEnd(() => sleep(ms, true));
  });
});

describe('as the first process of a container', () => {
  const under = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const isAllowed = spawnSync(under[0] ?? '', [...under.slice(1), 'true']).status === 0;

  function firstChildOf(pid: number): number | undefined {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
    return Number(first) || undefined;
  }

  /** By then it has a handler: at first it is Node's own. */
  function handlesSigterm(pid: number): boolean {
    const [, caught = '0'] =
      /^SigCgt:\s+([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return (BigInt(`0x${caught}`) & (1n << 14n)) !== 0n;
  }

  // Needs root, for a namespace of processes.
  test.skipIf(!isAllowed)('it hears a SIGTERM that comes before its first line runs', async () => {
    fill();
    const cache = path.join(scene.scratch.path, 'cache');
    const agent = startAgentProcess({
      ...scene.agent,
      // As in the image; without it, it becomes itself again once.
      under: ['env', `NODE_COMPILE_CACHE=${cache}`, ...under],
    });
    const pid = await until('it is forked', () => firstChildOf(agent.pid), { everyMs: 1 });
    await until('Node starts', () => wordsOf(pid).includes('main.ts') && handlesSigterm(pid), {
      everyMs: 1,
    });
    process.kill(pid, 'SIGTERM');
    await until('it has ended', () => !agent.isRunning(), { withinMs: slackMs });
    expect(agent.warnings()).toEqual([]);
    expect((await runOnce(scene.agent)).code).toBe(0);
    await expectExactlyOnce(scene);
  });
});

describe('SIGTERM while the metadata server is waited for', () => {
  test.each([
    ['run', [], 0],
    ['run --once', ['--once'], 1],
  ] as const)('ends %s at once', async (_, more, expected) => {
    const { port } = await startSilent(true);
    const agent = startWithoutIdentity([`--metadata-host=127.0.0.1:${port}`, ...more]);
    await until('it waits', () =>
      agent.lines.some((line) => line.includes('METADATA_UNAVAILABLE')),
    );
    const startMs = performance.now();
    agent.signal('SIGTERM');
    expect(await agent.ended).toBe(expected);
    expect(performance.now() - startMs).toBeLessThan(slackMs);
    expect(agent.lines.join('\n')).toContain('stopped by SIGTERM before anything was read');
  });

  test('ends a question that is not answered', async () => {
    const { port, asked } = await startSilent();
    const agent = startWithoutIdentity([`--metadata-host=127.0.0.1:${port}`]);
    await asked;
    const startMs = performance.now();
    agent.signal('SIGTERM');
    expect(await agent.ended).toBe(0);
    expect(performance.now() - startMs).toBeLessThan(slackMs);
  });
});

describe('without a metadata server', () => {
  test('run fails as fast as check when its name is not found', async () => {
    const startMs = performance.now();
    const agent = startWithoutIdentity(['--metadata-host=metadata.invalid']);
    expect(await agent.ended).toBe(1);
    expect(performance.now() - startMs).toBeLessThan(slackMs);
    expect(agent.lines.join('\n')).toMatch(
      /--project, .* not given.*"code":"METADATA_UNAVAILABLE"/,
    );
  });
});

/** An agent for a real endpoint that is told nothing of where it runs. */
function startWithoutIdentity(flags: readonly string[]) {
  const state = `--state-dir=${path.join(scene.scratch.path, 'state')}`;
  const directory = `--containers-dir=${scene.kubelet.containersDir}`;
  const words = ['run', '--endpoint=https://127.0.0.1:1', '--admin-address=off', state, directory];
  return startCommand([...words, ...flags]);
}

describe('run says', () => {
  test('once what it does at its start, and what is left when it is stopped', async () => {
    fill();
    const flags = ['--admin-address=127.0.0.1:0'];
    const agent = startAgentProcess({ ...scene.agent, flags });
    await expectExactlyOnce(scene);
    const first = await stopped(agent);
    expect(first.code).toBe(0);
    const starts = agent.log
      .map(parsed)
      .filter(({ message = '' }) => / ships 1 container /.test(message));
    expect(starts).toEqual([
      expect.objectContaining({
        severity: 'INFO',
        version: JSON.parse(readFileSync('package.json', 'utf8')).version,
        endpoint: scene.emulator.url,
        project: 'acme-logs-42',
        cluster: 'blue',
        location: 'europe-west4',
        node: 'gke-blue-pool-1-7f3a',
        containers: 1,
        positions: 0,
        page: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/$/),
      }),
    ]);
    const stops = agent.log
      .map(parsed)
      .filter(({ message = '' }) => message.startsWith('stopped by'));
    expect(stops.map(({ message }) => message)).toEqual([
      'stopped by SIGTERM: nothing was in flight; positions are saved; nothing is left',
    ]);
    const again = startAgentProcess({ ...scene.agent, flags });
    await until('it started', () =>
      again.log.some((line) => line.includes(', 1 saved position taken up')),
    );
    await again.stop();
  });

  test('what was in flight when nothing answers', async () => {
    fill();
    await scene.emulator.setFaults({ mode: 'hang' });
    const agent = startAgentProcess({ ...scene.agent, flags: ['--grace-ms=200'] });
    await until('it sends', async () => (await scene.emulator.stats()).requests > 0);
    const { code, log } = await stopped(agent);
    expect(code).toBe(0);
    expect(log).toMatch(
      /stopped by SIGTERM: [\d.]+ kB of requests were in flight, 0 B of log were acknowledged since; positions are saved; [\d.]+ kB are left/,
    );
  });
});

type LogLine = { readonly severity?: string; readonly code?: string; readonly message?: string };

function parsed(line: string): LogLine {
  return line.startsWith('{') ? (JSON.parse(line) as LogLine) : {};
}

describe('a containers directory that is', () => {
  const cases = [
    ['missing', () => path.join(scene.scratch.path, 'nowhere'), /nowhere does not exist/],
    ['empty', () => scene.kubelet.containersDir, /containers holds no log/],
    [
      'full of links that lead nowhere',
      () => {
        const name = `pod_ns_c-${'b'.repeat(64)}.log`;
        symlinkSync('/var/log/pods/not/there/0.log', path.join(scene.kubelet.containersDir, name));
        return scene.kubelet.containersDir;
      },
      /has 1 link, but none leads to a log under /,
    ],
  ] as const;

  test.each(cases)('%s is warned of at once', async (_, directory, reason) => {
    const agent = startAgentProcess({ ...scene.agent, flags: [`--containers-dir=${directory()}`] });
    const line = await until('it warns', () =>
      agent.log.map(parsed).find(({ code }) => code === 'CONTAINERS_MISSING'),
    );
    expect(line).toMatchObject({ severity: 'WARNING', message: expect.stringMatching(reason) });
    expect(await agent.stop()).toBe(0);
  });

  test.each(cases.slice(0, 2))('%s ends run --once with the code', async (_, directory, reason) => {
    const { code, summary, stderr } = await runOnce({
      ...scene.agent,
      flags: [`--containers-dir=${directory()}`],
    });
    expect({ code, files: summary['files'] }).toEqual({ code: 1, files: 0 });
    expect(stderr).toContain('"code":"CONTAINERS_MISSING"');
    expect(stderr).toMatch(reason);
  });
});
