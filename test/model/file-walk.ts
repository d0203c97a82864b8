// A random walk over logs whose files begin alike: blank, zeros, a banner, a first line longer than
// 256 bytes, or nothing special, in every format, turned over as the kubelet, docker, logrotate and
// careless scripts do it, while the agent is stopped, killed and started.
//
// Invariant: every numbered line is shown once. Only what was deleted while the agent was down or
// the endpoint failing may be missing; nothing is ever shown twice. The walk depends on the seed.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { createRandom, type Random } from '../../src/emulator/kubelet/log-lines.ts';
import {
  makeScratch,
  startCommand,
  startEmulatorProcess,
  stopAll,
  until,
  type CommandProcess,
  type EmulatorProcess,
} from '../support/agent-process.ts';

type Format = 'cri' | 'docker' | 'raw';
type Rotated = { suffix: string; readonly lines: readonly number[] };

type Log = {
  readonly name: string;
  readonly format: Format;
  readonly live: string;
  readonly scheme: 'kubelet' | 'dated' | 'seconds' | 'numbers';
  readonly beginning: string;
  /** Oldest first. */
  rotated: Rotated[];
  /** Numbers of the lines in the live file. */
  lines: number[];
  count: number;
};

type World = {
  readonly random: Random;
  readonly root: string;
  readonly emulator: EmulatorProcess;
  readonly isRaw: boolean;
  readonly isHasty: boolean;
  readonly logs: Log[];
  readonly trail: string[];
  /** Lines whose file went while nobody could read it. */
  readonly tolerated: Set<string>;
  agent: CommandProcess | undefined;
  mayFail: boolean;
  second: number;
  rotations: number;
  kills: number;
};

export type FileWalkResult = {
  readonly lines: number;
  readonly missing: number;
  readonly rotations: number;
  readonly kills: number;
};

const beginnings = ['', '\n', `${'\0'.repeat(64)}\n`, 'a banner\n', 'long', '\n'.repeat(300)];
/** Rotations may match, too. */
const rawPatterns = ['app.log', '*.log*'];
const rotatedMax = 4;
/** Longer than a copy takes, or half a line of it would be flushed. */
const partialFlushMs = 400;
/** With the longer one, a file that was rotated has ended before its last line is flushed. */
const partialFlushesMs = [partialFlushMs, 1_500];
const settleWithinMs = 40_000;

export async function walkFiles(options: {
  seed: number;
  steps: number;
  isRaw: boolean;
}): Promise<FileWalkResult> {
  const { seed, steps, isRaw } = options;
  const scratch = makeScratch();
  const random = createRandom(seed);
  const world: World = {
    random,
    root: scratch.path,
    emulator: await startEmulatorProcess(),
    isRaw,
    isHasty: seed % 2 === 1,
    logs: [],
    trail: [],
    tolerated: new Set(),
    agent: undefined,
    mayFail: false,
    second: 0,
    rotations: 0,
    kills: 0,
  };
  try {
    for (let index = 0; index < 4; index += 1) makeLog(world, index);
    for (let step = 1; step <= steps; step += 1) await takeStep(world, step);
    const missing = await settle(world);
    const lines = world.logs.reduce((sum, { count }) => sum + count, 0);
    return { lines, missing, rotations: world.rotations, kills: world.kills };
  } catch (error) {
    const again = `TAILSHIP_SEED=${seed} TAILSHIP_STEPS=${steps}`;
    const trail = world.trail.slice(-60).join('\n');
    const log = world.agent?.lines.slice(-8).join('\n') ?? 'down';
    const text = `${again}\n${String(error)}\nlast steps:\n${trail}\nagent: ${log}`;
    throw new Error(text, { cause: error });
  } finally {
    await stopAll();
    scratch.remove();
  }
}

function makeLog(world: World, index: number): void {
  const { random, root, isRaw } = world;
  const format: Format = isRaw ? 'raw' : random.pick(['cri', 'docker']);
  const id = String(index).repeat(64);
  const directory = {
    cri: `pods/ns_pod-${index}_0b6f0c55-6a57-4d0e-9d0c-00000000000${index}/api`,
    docker: `docker/${id}`,
    raw: `logs/${index}`,
  }[format];
  const fileName = { cri: '0.log', docker: `${id}-json.log`, raw: 'app.log' }[format];
  const live = path.join(root, directory, fileName);
  fs.mkdirSync(path.dirname(live), { recursive: true });
  fs.mkdirSync(path.join(root, 'containers'), { recursive: true });
  if (!isRaw) fs.symlinkSync(live, path.join(root, `containers/pod-${index}_ns_api-${id}.log`));
  const schemes = ['dated', 'seconds', 'numbers', ...(format === 'cri' ? ['kubelet'] : [])];
  const log: Log = {
    name: 'abcd'[index]!,
    format,
    live,
    scheme: random.pick(schemes) as Log['scheme'],
    // A first line alone does not prove a copy: where it is no banner, it would be sent again.
    beginning: random.pick(isRaw ? beginnings.slice(1) : beginnings),
    rotated: [],
    lines: [],
    count: 0,
  };
  world.logs.push(log);
  fs.writeFileSync(live, beginningOf(world, log));
}

function beginningOf(world: World, log: Log): string {
  return log.beginning === 'long' ? lineOf(world, log, 'x'.repeat(340)) : log.beginning;
}

function lineOf(world: World, { format }: Log, text: string): string {
  world.second += 1;
  const time = new Date(Date.UTC(2026, 2, 5, 0, 0, world.second)).toISOString();
  const exact = time.replace('Z', '001Z');
  if (format === 'raw') return `${text}\n`;
  if (format === 'cri') return `${exact} stdout F ${text}\n`;
  return `${JSON.stringify({ log: `${text}\n`, stream: 'stdout', time: exact })}\n`;
}

type Step = readonly [weight: number, name: string, take: (world: World) => void | Promise<void>];

const table: readonly Step[] = [
  [45, 'write', (world) => write(world, pick(world))],
  [6, 'rename', (world) => rotate(world, 'rename')],
  [6, 'copytruncate', (world) => rotate(world, 'copy')],
  [5, 'pack', pack],
  [3, 'truncate', (world) => destroy(world, (log) => fs.truncateSync(log.live))],
  [3, 'recreate', (world) => destroy(world, recreate)],
  [4, 'kill agent', (world) => endAgent(world, 'SIGKILL')],
  [1, 'stop agent', (world) => endAgent(world, 'SIGTERM')],
  [14, 'start agent', startAgent],
  [3, 'fault', setFault],
  [3, 'no fault', (world) => world.emulator.setFaults({})],
  [10, 'wait', (world) => sleep(world.random.below(world.isHasty ? 500 : 120))],
  [4, 'settle', (world) => settle(world).then(() => undefined)],
];
/** Of odd seeds: files are truncated while an agent starts and reads them for the first time. */
const hastyTable = table.map(([weight, name, take]): Step => {
  const isFrequent = ['copytruncate', 'kill agent', 'start agent'].includes(name);
  return [isFrequent ? 3 * weight : weight, name, take];
});

async function takeStep(world: World, step: number): Promise<void> {
  const steps = world.isHasty ? hastyTable : table;
  const weightSum = steps.reduce((sum, [weight]) => sum + weight, 0);
  let place = world.random.below(weightSum);
  for (const [weight, name, take] of steps) {
    place -= weight;
    if (place >= 0) continue;
    world.trail.push(`${step} ${name}`);
    await take(world);
    return;
  }
}

function pick(world: World): Log {
  const log = world.random.pick(world.logs);
  const at = `${log.name} ${log.format} ${log.scheme} ${JSON.stringify(log.beginning.slice(0, 9))}`;
  world.trail.push(`${world.trail.pop()} ${at}`);
  return log;
}

function write(world: World, log: Log): void {
  let text = '';
  for (let left = world.random.below(8) + 1; left > 0; left -= 1) {
    log.count += 1;
    log.lines.push(log.count);
    text += lineOf(world, log, `${log.name}-${log.count}`);
  }
  fs.appendFileSync(log.live, text);
}

/** A last line without its newline; it may be flushed, and the agent killed before the answer. */
async function writeUnfinished(world: World, log: Log): Promise<void> {
  const { random, emulator } = world;
  log.count += 1;
  log.lines.push(log.count);
  fs.appendFileSync(log.live, lineOf(world, log, `${log.name}-${log.count}`).slice(0, -1));
  const isFlushed = random.next() < 0.5;
  world.trail.push(`    without a newline${isFlushed ? ', flushed' : ''}`);
  if (!isFlushed) return;
  if (random.next() < 0.5) {
    world.mayFail = true;
    await emulator.setFaults({ mode: 'status', status: 503, after: true });
  }
  await sleep(partialFlushMs + random.below(partialFlushMs));
  if (random.next() < 0.5) await endAgent(world, 'SIGKILL');
}

/** What comes after the live file's end: the same beginning again, mostly with lines behind it. */
function begin(world: World, log: Log): void {
  fs.appendFileSync(log.live, beginningOf(world, log));
  log.lines = [];
  if (world.random.next() < 0.7) write(world, log);
}

async function rotate(world: World, how: 'rename' | 'copy'): Promise<void> {
  const log = pick(world);
  if (log.lines.length === 0) return;
  if (log.rotated.length >= rotatedMax) {
    await makeRoom(world);
    const [oldest] = log.rotated.splice(0, 1);
    if (oldest !== undefined) remove(world, log, oldest);
  }
  if (world.random.next() < 0.3) await writeUnfinished(world, log);
  if (log.scheme === 'numbers') shiftNumbers(log);
  world.rotations += 1;
  const suffix = suffixOf(log, world.rotations);
  if (how === 'copy') {
    // A shell that copies may be slower than a look.
    const bytes = fs.readFileSync(log.live);
    const half = world.random.next() < 0.3 ? bytes.length >> 1 : bytes.length;
    fs.writeFileSync(log.live + suffix, bytes.subarray(0, half));
    if (half < bytes.length) await sleep(world.random.below(100));
    fs.appendFileSync(log.live + suffix, bytes.subarray(half));
    if (world.random.next() < 0.3) await sleep(world.random.below(150));
    fs.truncateSync(log.live);
  } else {
    fs.renameSync(log.live, log.live + suffix);
    if (world.random.next() < 0.3) await sleep(world.random.below(100));
    fs.writeFileSync(log.live, '');
  }
  log.rotated.push({ suffix, lines: log.lines });
  begin(world, log);
}

function suffixOf({ scheme }: Log, count: number): string {
  const day = String(20_260_101 + count);
  if (scheme === 'numbers') return '.1';
  if (scheme === 'kubelet') return `.${day}-140705`;
  return scheme === 'dated' ? `-${day}` : `-${day}-${1_783_296_000 + count}`;
}

/** `.1` becomes `.2`, the oldest first. */
function shiftNumbers(log: Log): void {
  for (const each of log.rotated) {
    const [, number = '', gz = ''] = /^\.(\d+)(\.gz)?$/.exec(each.suffix) ?? [];
    const next = `.${Number(number) + 1}${gz}`;
    fs.renameSync(log.live + each.suffix, log.live + next);
    each.suffix = next;
  }
}

/** Packs a rotation; logrotate writes the `.gz` under its own name, the kubelet does not. */
async function pack(world: World): Promise<void> {
  const log = pick(world);
  const each = log.rotated.find(({ suffix }) => !suffix.endsWith('.gz'));
  if (each === undefined) return;
  const plain = log.live + each.suffix;
  const packed = gzipSync(fs.readFileSync(plain));
  const half = world.random.next() < 0.3 ? packed.length >> 1 : packed.length;
  const target = log.scheme === 'kubelet' ? `${plain}.tmp` : `${plain}.gz`;
  fs.writeFileSync(target, packed.subarray(0, half));
  if (half < packed.length) await sleep(world.random.below(100));
  fs.appendFileSync(target, packed.subarray(half));
  if (log.scheme === 'kubelet') fs.renameSync(target, `${plain}.gz`);
  fs.unlinkSync(plain);
  each.suffix += '.gz';
}

function remove(world: World, log: Log, { suffix, lines }: Rotated): void {
  fs.rmSync(log.live + suffix);
  tolerate(world, log, lines);
}

function tolerate(world: World, { name }: Log, lines: readonly number[]): void {
  if (!isTolerant(world)) return;
  for (const line of lines) world.tolerated.add(`${name}-${line}`);
}

/** Takes the content of a live file away. */
async function destroy(world: World, act: (log: Log) => void): Promise<void> {
  const log = pick(world);
  if (log.lines.length === 0) return;
  await makeRoom(world);
  tolerate(world, log, log.lines);
  act(log);
  begin(world, log);
}

function recreate(log: Log): void {
  fs.unlinkSync(log.live);
  fs.writeFileSync(log.live, '');
}

async function endAgent(world: World, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  if (world.agent === undefined) return;
  world.kills += signal === 'SIGKILL' ? 1 : 0;
  world.agent.signal(signal);
  await world.agent.ended;
  world.agent = undefined;
}

function startAgent(world: World): void {
  const { root, emulator, isRaw, random } = world;
  const dirs = ['pods', 'docker'].map((each) => `--log-root=${path.join(root, each)}`);
  const sources = isRaw
    ? ['--format=raw', `--raw-path=${path.join(root, 'logs/*', random.pick(rawPatterns))}`]
    : [`--containers-dir=${path.join(root, 'containers')}`, ...dirs];
  const flags = `--project=p --cluster=c --location=l --node=n --admin-address=off
    --flush-interval-ms=50 --grace-ms=500 --partial-flush-ms=${random.pick(partialFlushesMs)}
    --connections=${random.pick([1, 2, 4])}`.split(/\s+/);
  const state = [`--state-dir=${path.join(root, 'state')}`, `--endpoint=${emulator.url}`];
  world.agent ??= startCommand(['run', ...flags, ...state, ...sources]);
}

async function setFault(world: World): Promise<void> {
  const { random } = world;
  world.mayFail = true;
  const after = random.next() < 0.5;
  const status = random.pick([500, 503, 429]);
  await world.emulator.setFaults({ mode: 'status', status, after, share: 0.7, times: 6, seed: 1 });
}

async function makeRoom(world: World): Promise<void> {
  if (!isTolerant(world)) await settle(world);
}

function isTolerant({ agent, mayFail }: World): boolean {
  return agent === undefined || mayFail;
}

/** Waits until everything is there that must be; returns how many tolerated lines are not. */
async function settle(world: World): Promise<number> {
  await world.emulator.setFaults({});
  startAgent(world);
  let missing: string[] = [];
  const isThere = async (): Promise<boolean> => {
    const counts = await shownCounts(world);
    const doubled = [...counts].filter(([, count]) => count > 1).map(([text]) => text);
    assert.deepEqual(doubled, [], 'lines that are shown twice');
    missing = linesOf(world).filter((text) => !counts.has(text));
    return missing.every((text) => world.tolerated.has(text));
  };
  const waiting = until('all has arrived', isThere, { withinMs: settleWithinMs, everyMs: 60 });
  await waiting.catch((error: unknown) => {
    const lost = missing.filter((text) => !world.tolerated.has(text));
    throw new Error(`${String(error)}, missing: ${lost.slice(0, 20).join(' ')}`, { cause: error });
  });
  world.mayFail = false;
  return missing.length;
}

function linesOf({ logs }: World): string[] {
  return logs.flatMap(({ name, count }) =>
    Array.from({ length: count }, (_, index) => `${name}-${index + 1}`),
  );
}

async function shownCounts({ emulator }: World): Promise<Map<string, number>> {
  const text = await (await fetch(`${emulator.url}/emulator/entries`)).text();
  const counts = new Map<string, number>();
  for (const [, line = ''] of text.matchAll(/"textPayload":"([a-d]-\d+)"/g)) {
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  return counts;
}
