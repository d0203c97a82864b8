// A random walk over logs whose files begin alike: blank, zeros, a banner, a first line longer than
// 256 bytes, or nothing special, in every format, turned over as the kubelet, docker, logrotate and
// careless scripts do it, while the agent is stopped, killed and started at any moment.
//
// Invariant: every numbered line is shown once, and nothing else but the beginnings. Missing may be
// only what was deleted while the agent was down or the endpoint failing. Twice may be shown only
// what a file kept when it was cut: all of it where the first record has no time, for no bytes tell
// it from another log; else what was flushed before its end came. The walk depends on the seed.

import assert from 'node:assert/strict';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRandom } from '../../src/emulator/kubelet/log-lines.ts';
import {
  makeScratch,
  startCommand,
  startEmulatorProcess,
  until,
  type CommandProcess,
  type EmulatorProcess,
} from '../support/agent-process.ts';
import { takeStep, type Step } from './steps.ts';
import {
  beginsTimed,
  cut,
  describeLog,
  destroy,
  dropOldest,
  isBeginning,
  makeLog,
  pack,
  rotate,
  textOf,
  write,
  writeHole,
  writeOpen,
  type Format,
  type Log,
  type Scene,
} from './walk-log.ts';

/** An agent reads either raw files or those of containers. */
export type Formats = 'raw' | 'cri and docker';

type World = Scene & {
  readonly emulator: EmulatorProcess;
  readonly isHasty: boolean;
  readonly logs: Log[];
  readonly trail: string[];
  /** Lines whose file went while nobody could read it. */
  readonly tolerated: Set<string>;
  /** How often a line may be shown, where that is more than once. */
  readonly shownMax: Map<string, number>;
  agent: CommandProcess | undefined;
  mayFail: boolean;
  kills: number;
};

export type FileWalkResult = {
  readonly lines: number;
  /** Lines whose file was deleted or cut while nobody could read it. */
  readonly deletedUnread: number;
  /** Lines that a cut file kept, and that were rightly shown again. */
  readonly shownAgain: number;
  readonly rotations: number;
  readonly kills: number;
};

const formatsOf: Record<Formats, readonly Format[]> = {
  raw: ['raw'],
  'cri and docker': ['cri', 'docker'],
};
/** Rotations may match, too. */
const rawPatterns = ['app.log', '*.log*'];
const rotatedMax = 4;
/** Longer than a copy takes, or half a line of it would be flushed. */
const partialFlushMs = 400;
/** With the longer one, a file that was rotated has ended before its last line is flushed. */
const partialFlushesMs = [partialFlushMs, 1_500];
const settleWithinMs = 40_000;
const trailMax = Number(process.env['TAILSHIP_TRAIL'] ?? 60);

export async function walkFiles(options: {
  seed: number;
  steps: number;
  formats: Formats;
}): Promise<FileWalkResult> {
  const { seed, steps, formats } = options;
  const scratch = makeScratch();
  const world = makeWorld(seed, scratch.path, await startEmulatorProcess());
  try {
    for (let index = 0; index < 4; index += 1) {
      world.logs.push(makeLog(world, index, formatsOf[formats]));
    }
    const ownTable = world.isHasty ? hastyTable : table;
    for (let step = 1; step <= steps; step += 1) await takeStep(world, ownTable, step);
    const balance = await settle(world);
    const lines = world.logs.reduce((sum, { count }) => sum + count, 0);
    const { rotations, kills } = world;
    return { lines, ...balance, rotations, kills };
  } catch (error) {
    const again = `TAILSHIP_SEED=${seed} TAILSHIP_STEPS=${steps} ${formats}`;
    const trail = world.trail.slice(-trailMax).join('\n');
    const log = world.agent?.lines.slice(-8).join('\n') ?? 'down';
    const text = `${again}\n${String(error)}\nlast steps:\n${trail}\nagent: ${log}`;
    throw new Error(text, { cause: error });
  } finally {
    await endAgent(world, 'SIGKILL');
    await world.emulator.stop();
    scratch.remove();
  }
}

function makeWorld(seed: number, root: string, emulator: EmulatorProcess): World {
  const random = createRandom(seed);
  const world: World = {
    random,
    root,
    emulator,
    isHasty: seed % 2 === 1,
    logs: [],
    trail: [],
    tolerated: new Set(),
    shownMax: new Map(),
    agent: undefined,
    mayFail: false,
    second: 0,
    rotations: 0,
    kills: 0,
    note: (text) => world.trail.push(`    ${text}`),
    pause: (msMax) => pause(world, msMax),
  };
  return world;
}

const table: readonly Step<World>[] = [
  [42, 'write', (world) => write(world, pick(world))],
  [3, 'write without a newline', writeUnfinished],
  [3, 'hole', (world) => writeHole(world, pick(world))],
  [6, 'rename', (world) => turnOver(world, 'rename')],
  [6, 'copytruncate', (world) => turnOver(world, 'copy')],
  [5, 'pack', (world) => pack(world, pick(world))],
  [2, 'truncate', (world) => takeAway(world, 'truncate')],
  [2, 'recreate', (world) => takeAway(world, 'recreate')],
  [2, 'cut', cutLive],
  [4, 'kill agent', (world) => endAgent(world, 'SIGKILL')],
  [1, 'stop agent', (world) => endAgent(world, 'SIGTERM')],
  [14, 'start agent', startAgent],
  [3, 'fault', setFault],
  [3, 'no fault', (world) => world.emulator.setFaults({})],
  [10, 'wait', (world) => sleep(world.random.below(world.isHasty ? 500 : 120))],
  [4, 'settle', (world) => settle(world).then(() => undefined)],
];
/** Of odd seeds: files are truncated while an agent starts and reads them for the first time. */
const hastyTable = table.map(([weight, name, take]): Step<World> => {
  const isFrequent = ['copytruncate', 'kill agent', 'start agent'].includes(name);
  return [isFrequent ? 3 * weight : weight, name, take];
});

function pick(world: World): Log {
  const log = world.random.pick(world.logs);
  world.trail.push(`${world.trail.pop()} ${describeLog(log)}`);
  return log;
}

/** Time passes within a step; now and then the agent goes or comes in it. */
async function pause(world: World, msMax: number): Promise<void> {
  const chance = world.random.next();
  if (chance < 0.1) await endAgent(world, 'SIGKILL');
  else if (chance < 0.2) startAgent(world);
  if (chance < 0.2) world.note(`the agent is ${world.agent === undefined ? 'killed' : 'up'}`);
  await sleep(world.random.below(msMax));
}

/** A last line without its newline; it may be flushed, and the agent killed before the answer. */
async function writeUnfinished(world: World, log = pick(world)): Promise<void> {
  const { random, emulator } = world;
  writeOpen(world, log);
  const isFlushed = random.next() < 0.5;
  world.note(`without a newline${isFlushed ? ', flushed' : ''}`);
  if (!isFlushed) return;
  if (random.next() < 0.5) {
    world.mayFail = true;
    await emulator.setFaults({ mode: 'status', status: 503, after: true });
  }
  await sleep(partialFlushMs + random.below(partialFlushMs));
  if (random.next() < 0.5) await endAgent(world, 'SIGKILL');
}

async function turnOver(world: World, how: 'rename' | 'copy'): Promise<void> {
  const log = pick(world);
  // Also a file of which there is nothing but its beginning.
  if (log.lines.length === 0 && world.random.next() < 0.7) return;
  if (log.rotated.length >= rotatedMax) {
    await makeRoom(world);
    tolerate(world, log, dropOldest(log));
  }
  if (world.random.next() < 0.2) await writeUnfinished(world, log);
  await rotate(world, log, how);
}

async function takeAway(world: World, how: 'truncate' | 'recreate'): Promise<void> {
  const log = pick(world);
  if (log.lines.length === 0) return;
  await makeRoom(world);
  tolerate(world, log, log.lines);
  destroy(world, log, how);
}

async function cutLive(world: World): Promise<void> {
  const log = pick(world);
  await makeRoom(world);
  const { lines } = log;
  const isTimed = beginsTimed(log);
  const kept = cut(world, log);
  tolerate(
    world,
    log,
    lines.filter((line) => !kept.includes(line)),
  );
  for (const line of kept) {
    if (isTimed && !log.openLines.has(line)) continue;
    const text = textOf(log, line);
    world.shownMax.set(text, (world.shownMax.get(text) ?? 1) + 1);
  }
}

function tolerate(world: World, { name }: Log, lines: readonly number[]): void {
  if (!isTolerant(world)) return;
  for (const line of lines) world.tolerated.add(textOf({ name }, line));
}

async function endAgent(world: World, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  if (world.agent === undefined) return;
  world.kills += signal === 'SIGKILL' ? 1 : 0;
  world.agent.signal(signal);
  await world.agent.ended;
  world.agent = undefined;
}

function startAgent(world: World): void {
  const { root, emulator, random, logs } = world;
  if (world.agent !== undefined) return;
  const dirs = ['pods', 'docker'].map((each) => `--log-root=${path.join(root, each)}`);
  const isRaw = logs.some(({ format }) => format === 'raw');
  const raw = ['--format=raw', `--raw-path=${path.join(root, 'logs/*', random.pick(rawPatterns))}`];
  const flags = `--project=p --cluster=c --location=l --node=n --admin-address=off
    --flush-interval-ms=50 --quiet-every=${random.pick([1, 4])} --grace-ms=500 --partial-flush-ms=${random.pick(partialFlushesMs)}
    --connections=${random.pick([1, 2, 4])}`.split(/\s+/);
  const state = [`--state-dir=${path.join(root, 'state')}`, `--endpoint=${emulator.url}`];
  const sources = isRaw ? raw : [`--containers-dir=${path.join(root, 'containers')}`, ...dirs];
  world.agent = startCommand(['run', ...flags, ...state, ...sources]);
}

async function setFault(world: World): Promise<void> {
  const { random } = world;
  world.mayFail = true;
  const after = random.next() < 0.5;
  const status = random.pick([500, 503, 429]);
  await world.emulator.setFaults({ mode: 'status', status, after, share: 0.7, times: 6, seed: 1 });
}

/** Before bytes go: mostly they are read first, or else few lines would be left to be missed. */
async function makeRoom(world: World): Promise<void> {
  if (!isTolerant(world) || world.random.next() < 0.6) await settle(world);
}

function isTolerant({ agent, mayFail }: World): boolean {
  return agent === undefined || mayFail;
}

type Balance = Pick<FileWalkResult, 'deletedUnread' | 'shownAgain'>;

/**
 * Waits until everything is there that must be; returns what is missing or doubled all the same.
 */
async function settle(world: World): Promise<Balance> {
  await world.emulator.setFaults({});
  startAgent(world);
  let missing: string[] = [];
  let shownAgain = 0;
  const isThere = async (): Promise<boolean> => {
    const shown = await shownLines(world);
    const twice = [...shown].filter(([, rows]) => rows.length > 1);
    const wrong = twice.filter(([text, rows]) => rows.length > (world.shownMax.get(text) ?? 1));
    assert.deepEqual(wrong, [], 'lines that are shown too often');
    missing = linesOf(world).filter((text) => !shown.has(text));
    shownAgain = twice.length;
    return missing.every((text) => world.tolerated.has(text));
  };
  const waiting = until('all has arrived', isThere, { withinMs: settleWithinMs, everyMs: 60 });
  await waiting.catch((error: unknown) => {
    const lost = missing.filter((text) => !world.tolerated.has(text));
    throw new Error(`${String(error)}, missing: ${lost.slice(0, 20).join(' ')}`, { cause: error });
  });
  world.mayFail = false;
  return { deletedUnread: missing.length, shownAgain };
}

function linesOf({ logs }: World): string[] {
  return logs.flatMap(({ name, count }) =>
    Array.from({ length: count }, (_, index) => textOf({ name }, index + 1)),
  );
}

/** The ids under which each line is shown. */
async function shownLines(world: World): Promise<Map<string, string[]>> {
  const text = await (await fetch(`${world.emulator.url}/emulator/entries`)).text();
  const numbers = new Map(world.logs.map(({ name, count }) => [name, count]));
  const shown = new Map<string, string[]>();
  const altered: string[] = [];
  for (const row of text.split('\n')) {
    if (row === '') continue;
    const { textPayload, jsonPayload, insertId, timestamp } = JSON.parse(row) as Shown;
    const line = textPayload ?? '';
    const [, name = '', number = ''] = /^([a-d])-(\d+)$/.exec(line) ?? [];
    if (Number(number) > 0 && Number(number) <= (numbers.get(name) ?? 0)) {
      shown.set(line, [...(shown.get(line) ?? []), `${insertId} ${timestamp}`]);
    } else if (!isBeginning(line) && !isNotice(jsonPayload)) altered.push(row.slice(0, 400));
  }
  assert.deepEqual(altered, [], 'entries that nobody has written');
  return shown;
}

type Shown = {
  readonly insertId: string;
  readonly timestamp: string;
  readonly textPayload?: string;
  readonly jsonPayload?: Record<string, unknown>;
};

/** Tells of lost bytes. */
function isNotice(payload: Shown['jsonPayload']): boolean {
  return payload?.['lostBytes'] !== undefined;
}
