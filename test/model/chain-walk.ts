// A random walk over one log, as file-walk.ts has it, in one thread and with a clock of its own:
// the chain, the spooler and the encoder are the real ones, the rest of the agent is a few lines.
// A thousand steps take seconds, so it meets what needs many coincidences.
//
// Invariant: every numbered line is shown once, under one id, and no two share one. Twice may be
// shown only what a file kept when it was cut. The walk depends on the seed alone.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';

import { limits } from '../../src/config.ts';
import type { Checkpoint } from '../../src/commit/checkpoint.ts';
import { createRandom } from '../../src/emulator/kubelet/log-lines.ts';
import { steadyNowMs } from '../../src/steady-clock.ts';
import { verifyCut, type ChainCut } from '../../src/tail/chain-cut.ts';
import { Chain } from '../../src/tail/chain.ts';
import { OpenFiles } from '../../src/tail/open-files.ts';
import type { DrainedRange } from '../../src/tail/position.ts';
import { Spooler } from '../../src/tail/spooler.ts';
import type { LogFile } from '../../src/tail/log-file.ts';
import type { TailSetup } from '../../src/tail/tail-setup.ts';
import { WakeList } from '../../src/tail/wake.ts';
import { drainHere, plainSource } from '../encode/drain-bench.ts';
import { makeScratch } from '../support/agent-process.ts';
import {
  checkLosses,
  lossesOf,
  describeCut,
  noteAnswered,
  noteSafe,
  packOneDamaged,
  show,
  tail,
  type Options,
} from './chain-checks.ts';
import { takeStep, type Step } from './steps.ts';
import type { DamagedPack } from './walk-damage.ts';
import { passTime, stampFiles, withClock } from './walk-clock.ts';
import {
  cut,
  describeLog,
  destroy,
  dropOldest,
  makeLog,
  pack,
  rotate,
  write,
  writeHole,
  writeOpen,
  type Format,
  type Log,
  type Scene,
} from './walk-log.ts';

type Range = { readonly file: LogFile; readonly drained: DrainedRange };
type Sent = { readonly entries: readonly string[]; readonly ranges: readonly Range[] };
type Agent = {
  readonly chain: Chain;
  readonly wakeList: WakeList;
  readonly spooler: Spooler;
  /** Bodies that there can be at once. */
  readonly slots: number;
  /** Sent, and not answered yet. */
  pending: Sent[];
  /** Finishes the task that was planned and has not read yet. */
  reading: (() => boolean) | undefined;
};
export type World = Scene & {
  readonly log: Log;
  readonly trail: string[];
  /** What is shown: text by id and time. */
  readonly shown: Map<string, string>;
  /** Where each numbered line is shown. */
  readonly keys: Map<number, Set<string>>;
  readonly shownMax: Map<number, number>;
  /** The store as it is in memory, and in its file. */
  stored: Map<string, Checkpoint>;
  saved: Map<string, Checkpoint>;
  agent: Agent | undefined;
  /** Told as lost; a notice that is told again by the next run is one. */
  readonly losses: Set<string>;
  readonly damaged: DamagedPack[];
  /** Lines whose answer was saved, in files that were seen under their present names. */
  readonly safe: Set<number>;
  readonly answered: Set<number>;
  isFailing: boolean;
};

const partialFlushMs = 400;
const tickMs = 50;
const rotatedMax = 4;
const settleTicksMax = 400;

export async function walkChain(options: Options) {
  return withClock(() => walk(options));
}

async function walk({ seed, steps, format, isDamaging = false }: Options) {
  const scratch = makeScratch();
  // Of a log without times it cannot always be known that its bytes are in a copy.
  const isKept = seed % 2 === 1 && format !== 'raw';
  const world = makeWorld({ seed, root: scratch.path, format, isKept });
  const barred = [...(isKept ? destroying : []), ...(isDamaging ? [] : ['damaged pack'])];
  const possible = table.filter(([, name]) => !barred.includes(name));
  try {
    for (let step = 1; step <= steps; step += 1) {
      await takeStep(world, possible, step);
      stamp(world);
    }
    await settle(world);
    if (isKept) checkLosses(world);
    return { lines: world.log.count, rotations: world.rotations };
  } catch (error) {
    const trail = [describeLog(world.log), ...world.trail.slice(-80)].join('\n');
    const text = `seed ${seed}, ${steps} steps, ${format}\n${String(error)}\n${trail}`;
    throw new Error(text, { cause: error });
  } finally {
    killAgent(world);
    scratch.remove();
  }
}

function makeWorld(options: {
  readonly seed: number;
  readonly root: string;
  readonly format: Format;
  readonly isKept: boolean;
}): World {
  const { seed, root, format, isKept } = options;
  const random = createRandom(seed);
  const trail: string[] = [];
  const note = (text: string) => trail.push(`    ${text}`);
  const scene = { random, root, second: 0, rotations: 0, isKept, note, pause: () => pause(world) };
  const world: World = {
    ...scene,
    log: makeLog({ ...scene, pause: async () => undefined }, 0, [format]),
    trail,
    shown: new Map(),
    keys: new Map(),
    shownMax: new Map(),
    stored: new Map(),
    saved: new Map(),
    losses: new Set(),
    damaged: [],
    safe: new Set(),
    answered: new Set(),
    agent: undefined,
    isFailing: false,
  };
  fs.mkdirSync(path.join(root, 'state'));
  return world;
}

const table: readonly Step<World>[] = [
  [30, 'write', (world) => write(world, world.log)],
  [6, 'write without a newline', (world) => writeOpen(world, world.log)],
  [4, 'hole', (world) => writeHole(world, world.log)],
  [6, 'rename', (world) => turnOver(world, 'rename')],
  [8, 'copytruncate', (world) => turnOver(world, 'copy')],
  [5, 'pack', (world) => pack(world, world.log)],
  [3, 'damaged pack', packOneDamaged],
  [2, 'truncate', (world) => takeAway(world, 'truncate')],
  [2, 'recreate', (world) => takeAway(world, 'recreate')],
  [2, 'cut', cutLive],
  [8, 'kill agent', killAgent],
  [12, 'start agent', startAgent],
  [6, 'fault', (world) => void (world.isFailing = true)],
  [6, 'no fault', (world) => void (world.isFailing = false)],
  [40, 'tick', tick],
  [4, 'release', ({ agent }) => agent?.chain.release({ unreadToo: true })],
  [6, 'half a second', (world) => wait(world, 500)],
  [3, 'three seconds', (world) => wait(world, 3_000)],
  [3, 'outage', outage],
  [3, 'settle', settle],
];

/** Steps that take bytes away, or make some that are none. */
const destroying = ['hole', 'truncate', 'recreate', 'cut'];

/** Nothing is answered, and little is written, until all slots are taken and the chain is quiet. */
async function outage(world: World): Promise<void> {
  world.isFailing = true;
  for (let writes = 1 + world.random.below(4); writes > 0; writes -= 1) {
    writeOpen(world, world.log);
    await wait(world, 500);
  }
  for (let ticks = world.random.below(10); ticks > 0; ticks -= 1) await wait(world, 500);
}

async function wait(world: World, ms: number): Promise<void> {
  passTime(ms);
  await tick(world);
}

/** Within an operation on files: time passes, and the agent does something. */
async function pause(world: World): Promise<void> {
  stamp(world);
  const chance = world.random.next();
  if (chance < 0.15) killAgent(world);
  else if (chance < 0.3) startAgent(world);
  if (chance < 0.3) world.note(`the agent is ${world.agent === undefined ? 'down' : 'up'}`);
  await tick(world);
}

/** What the step has written was written now. */
function stamp({ log }: World): void {
  passTime(5);
  stampFiles(path.dirname(log.live));
}

function startAgent(world: World): void {
  if (world.agent !== undefined) return;
  const { log, root } = world;
  const keyOf = (each: Pick<Checkpoint, 'fingerprint' | 'instance'>) =>
    `${each.fingerprint}/${each.instance}`;
  world.stored = new Map(world.saved);
  const setup: TailSetup = {
    roots: [root],
    openFiles: new OpenFiles(100),
    from: () => 'start',
    listUntilMs: () => Number.POSITIVE_INFINITY,
    once: false,
    lookup: () => [...world.stored.values()],
    remember: (checkpoint) => world.stored.set(keyOf(checkpoint), checkpoint),
    forget: (_owner, key) => world.stored.delete(keyOf(key)),
    lost: ({ file, reason, bytes }) => {
      world.losses.add(`${reason} ${bytes} ${file.path} ${file.offset}`);
      world.note(`lost: ${reason} ${bytes}`);
    },
    missed: (file) => world.note(`missed: ${file.replaceAll(root, '')}`),
    trace: () => undefined,
    report: (code, text) => world.note(`${code} ${text.replaceAll(root, '')}`),
  };
  const directory = path.dirname(log.live);
  const place = { directory, liveName: path.basename(log.live), podUid: 'u', container: 'c' };
  const chain = new Chain({ ...place, restartCount: 0, format: log.format }, setup);
  chain.addLink('link');
  const report: TailSetup['report'] = (code, text) => setup.report(code, text);
  const spooler = new Spooler({ directory: path.join(root, 'state'), roots: [root], report });
  const container = tail(chain);
  const wakeList = new WakeList(tickMs, world.random.pick([1, 4]));
  wakeList.wake(container);
  const slots = world.random.pick([1, 2, 4]);
  world.agent = { chain, wakeList, spooler, slots, pending: [], reading: undefined };
}

function killAgent(world: World): void {
  world.agent?.wakeList.close();
  world.agent?.chain.close();
  world.agent = undefined;
}

/** What the agent does at each flush interval. */
async function tick(world: World): Promise<void> {
  stamp(world);
  passTime(tickMs);
  const { agent } = world;
  if (agent === undefined) return;
  const { wakeList, spooler } = agent;
  answer(world, agent);
  wakeList.tick(steadyNowMs(), partialFlushMs);
  await spooler.start(wakeList.busy(), steadyNowMs());
  for (let times = 0; times < 3 && send(world, agent); times += 1);
  // A kill may come before it is saved.
  if (world.random.next() < 0.9) {
    world.saved = new Map(world.stored);
    noteSafe(world);
  }
}

/** The answers to what was sent come, in any order. */
function answer(world: World, agent: Agent): void {
  const { random } = world;
  const late = world.isFailing ? 1 : random.pick([0, 0, 0.5]);
  const waiting: Sent[] = [];
  for (const sent of agent.pending) {
    if (random.next() < late) {
      waiting.push(sent);
      continue;
    }
    show(world, sent.entries); // If it was not before.
    noteAnswered(world, sent.entries);
    for (const { file, drained } of sent.ranges) {
      const bytes = agent.chain.acknowledge(file, drained);
      if (bytes > 0 && agent.chain.ownsPosition(file)) remember(world, file);
    }
  }
  agent.pending = waiting;
}

function remember(world: World, file: LogFile): void {
  const checkpoint = file.checkpoint();
  world.stored.set(`${checkpoint.fingerprint}/${checkpoint.instance}`, checkpoint);
}

/** As the pipeline does it; false when nothing was read. */
function send(world: World, agent: Agent): boolean {
  const { chain } = agent;
  const nowMs = steadyNowMs();
  if (agent.reading !== undefined) return agent.reading();
  if (agent.wakeList.busyCount === 0) return false;
  if (agent.pending.length >= agent.slots || chain.readable(nowMs) === 0) return false;
  if (chain.waiting && !chain.isFlushDue(nowMs, partialFlushMs)) return false;
  const part = chain.cut(1e9, nowMs);
  if (part.bytes === 0) return false;
  chain.startDrain();
  const flushFirst = chain.isFlushDue(nowMs, partialFlushMs) && chain.beginsStuck(part);
  if (flushFirst) chain.noteFlush(nowMs);
  const finish = () => finishTask(world, agent, { part, flushFirst });
  if (world.random.next() >= 0.3) return finish();
  // An encoder may be slow: files change, and are looked at, before it reads.
  agent.reading = () => {
    agent.reading = undefined;
    return finish();
  };
  return false;
}

/** The encoder reads what was cut; false when it read nothing. */
function finishTask(
  world: World,
  agent: Agent,
  { part, flushFirst }: { part: ChainCut; flushFirst: boolean },
): boolean {
  const { chain } = agent;
  const { format } = world.log;
  const { segments, ended } = part;
  const source = { ...plainSource, labels: '', segments, ended, flushFirst, format };
  const { result, entries } = drainHere([source], { at: Date.now() });
  const [drained] = result.sources;
  if (drained === undefined || !verifyCut(part)) {
    chain.discardDrain();
    world.note('what was read is another log');
    return true;
  }
  chain.advance(part, drained, steadyNowMs());
  world.note(describeCut(part, { drained, flushFirst }));
  const ranges: Range[] = [];
  for (const [at, file] of part.files.entries()) {
    const segment = segments[at];
    if (segment === undefined || file.offset <= segment.start) continue;
    ranges.push({ file, drained: file.begin(segment, flushFirst) });
  }
  if (entries.length > 0) {
    const timed = ranges.filter(({ file }) => file.position.readTimes.length > 0);
    for (const { file } of timed) remember(world, file);
    if (timed.length > 0) world.saved = new Map(world.stored);
    // What fails may have arrived all the same.
    if (!world.isFailing || world.random.next() < 0.5) show(world, entries);
  }
  agent.pending.push({ entries, ranges });
  return ranges.length > 0;
}

/** Runs the agent until everything is there. */
async function settle(world: World): Promise<void> {
  world.isFailing = false;
  startAgent(world);
  const { count } = world.log;
  let missing: number[] = [];
  for (let ticks = 0; ticks < settleTicksMax; ticks += 1) {
    await tick(world);
    missing = Array.from({ length: count }, (_, at) => at + 1).filter((n) => {
      return !world.keys.has(n) && !world.damaged.some(({ lacking }) => lacking.includes(n));
    });
    const isTold = !world.isKept || world.losses.size >= lossesOf(world).length;
    const isQuiet =
      isTold && world.agent?.pending.length === 0 && world.agent.chain.behindBytes === 0;
    if (missing.length === 0 && isQuiet) return;
    if (ticks > 40) passTime(limits.relistMs);
    if (missing.length === 0 && ticks > 100) return; // A hole that may be filled.
  }
  assert.fail(`lines are missing: ${missing.slice(0, 20).join(' ')}`);
}

async function turnOver(world: World, how: 'rename' | 'copy'): Promise<void> {
  const { log, random } = world;
  if (log.lines.length === 0 && random.next() < 0.7) return;
  if (log.rotated.length >= rotatedMax) {
    await settle(world);
    dropOldest(log);
  }
  if (random.next() < 0.2) writeOpen(world, log);
  await rotate(world, log, how);
  // What is planned of the new one may be turned over before it is read.
  if (random.next() >= 0.2) return;
  await tick(world);
  await rotate(world, log, how);
}

async function takeAway(world: World, how: 'truncate' | 'recreate'): Promise<void> {
  await settle(world);
  destroy(world, world.log, how);
}

async function cutLive(world: World): Promise<void> {
  await settle(world);
  for (const line of cut(world, world.log)) {
    world.shownMax.set(line, (world.shownMax.get(line) ?? 1) + 1);
  }
}
