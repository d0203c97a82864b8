// A random walk over everything that can happen to log files, agent and endpoint, against one rule:
// every line that was written arrives once, in order and unchanged, but for what the kubelet
// deleted while the agent was away.
//
// Invariant: the walk depends on the seed alone, never on time; so a seed and a number of steps
// name it, and a failure says both and the last steps.

import assert from 'node:assert/strict';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import type { FakeKubelet, FakePod } from '../../src/emulator/kubelet/fake-kubelet.ts';
import type { FakeContainer } from '../../src/emulator/kubelet/fake-container.ts';
import { createRandom } from '../../src/emulator/kubelet/log-lines.ts';
import type { LineKind, Random } from '../../src/emulator/kubelet/log-lines.ts';
import { isExactlyOnce, verifyShipped } from '../../src/emulator/verify/verify-shipped.ts';
import {
  makeScratch,
  startAgentProcess,
  startEmulatorProcess,
  until,
} from '../support/agent-process.ts';
import type { AgentProcess, EmulatorProcess } from '../support/agent-process.ts';
import { takeStep, type Step } from './steps.ts';

export type ModelOptions = { readonly seed: number; readonly steps: number };

export type ModelResult = {
  readonly lines: number;
  /** Lines whose file was deleted while the agent was down or the endpoint failing. */
  readonly deletedMeanwhile: number;
  /** Those of them that were not read before. */
  readonly deletedUnread: number;
  readonly kills: number;
  readonly rotations: number;
};

type World = {
  readonly random: Random;
  readonly kubelet: FakeKubelet;
  readonly emulator: EmulatorProcess;
  readonly stateDir: string;
  readonly filesMax: number;
  /** Rotations that are begun and not finished. */
  readonly inGap: Set<FakeContainer>;
  readonly trail: string[];
  agent: AgentProcess | undefined;
  mayFail: boolean;
  tolerated: number;
  kills: number;
  rotations: number;
  podCount: number;
};

const trailMax = Number(process.env['TAILSHIP_TRAIL'] ?? 40);
const settleWithinMs = 40_000;
const podsMax = 6;
/** The CRI header and the newline; a long line has one for each 16 KiB. */
const lineFrameBytesMax = 64;
const kinds: readonly LineKind[] = ['mixed', 'mixed', 'text', 'json', 'trace', 'unicode'];

/** Walks; throws with seed and trail when a line is lost, doubled, out of order or altered. */
export async function runModel({ seed, steps }: ModelOptions): Promise<ModelResult> {
  const scratch = makeScratch();
  const random = createRandom(seed);
  const filesMax = random.pick([3, 5, 8]);
  const world: World = {
    random,
    kubelet: createFakeKubelet({
      root: path.join(scratch.path, 'log'),
      seed,
      style: random.pick(['containerd', 'crio']),
      utcOffsetMinutes: random.pick([0, 60, -210]),
      writeMode: random.pick(['line', 'batch']),
      filesMax,
    }),
    filesMax,
    emulator: await startEmulatorProcess(),
    stateDir: path.join(scratch.path, 'state'),
    inGap: new Set(),
    trail: [],
    agent: undefined,
    mayFail: false,
    tolerated: 0,
    kills: 0,
    rotations: 0,
    podCount: 0,
  };
  try {
    startPod(world);
    startPod(world);
    startAgent(world);
    for (let step = 1; step <= steps; step += 1) await takeStep(world, table, step);
    const deletedUnread = await settle(world);
    const lines = world.kubelet.account().containers.reduce((sum, each) => sum + each.lines, 0);
    const { tolerated: deletedMeanwhile, kills, rotations } = world;
    return { lines, deletedMeanwhile, deletedUnread, kills, rotations };
  } catch (error) {
    const log = world.agent?.log.slice(-5).join('\n') ?? 'down';
    const trail = world.trail.slice(-trailMax).join('\n');
    const again = `TAILSHIP_SEED=${seed} TAILSHIP_STEPS=${steps}`;
    throw new Error(`${again}\n${String(error)}\nlast steps:\n${trail}\nagent: ${log}`, {
      cause: error,
    });
  } finally {
    await world.agent?.kill();
    await world.emulator.stop();
    scratch.remove();
  }
}

const table: readonly Step<World>[] = [
  [40, 'write', write],
  [10, 'write long', writeLong],
  [6, 'leave open', leaveOpen],
  [8, 'rotate', rotate],
  [3, 'begin rotation', beginRotation],
  [4, 'finish rotation', finishRotation],
  [3, 'truncate', (world) => destroy(world, (container) => container.copyTruncate())],
  [2, 'replace', (world) => destroy(world, (container) => container.replaceFile())],
  [4, 'restart container', restartContainer],
  [2, 'delete pod', deletePod],
  [4, 'start pod', startPod],
  [5, 'kill agent', killAgent],
  [1, 'stop agent', stopAgent],
  [20, 'start agent', startAgent],
  [4, 'fault', setFault],
  [4, 'no fault', endFault],
  [12, 'wait', (world) => sleep(world.random.below(150))],
  [4, 'settle', (world) => settle(world).then(() => undefined)],
];
function note({ trail }: World, text: string): void {
  trail.push(`${trail.pop()} ${text}`);
}

/** A container by chance; undefined when none fits. */
function pick(
  world: World,
  fits: (container: FakeContainer) => boolean,
): FakeContainer | undefined {
  const fitting = world.kubelet.containers.filter(fits);
  if (fitting.length === 0) return undefined;
  const container = world.random.pick(fitting);
  note(world, `${container.account.pod}/${container.name}/${container.restart}`);
  return container;
}

function write(world: World): void {
  const container = pick(world, () => true);
  const count = world.random.below(60) + 1;
  note(world, String(count));
  container?.writeNext(count);
}

function writeLong(world: World): void {
  const { random } = world;
  const container = pick(world, () => true);
  // Around the length at which the runtimes cut, and far beyond it.
  const length = random.pick([8_180, 16_372, 33_000, 100_000]) + random.below(16);
  const unit = random.pick(['x', 'é', '🚚', '{"a":']);
  const textOf = (bytes: number): string => unit.repeat(bytes / Buffer.byteLength(unit));
  const text = textOf(length);
  const other = { text: textOf(length >> 1), stream: 'stderr' as const };
  note(world, String(length));
  container?.writeNext(0);
  container?.write([{ text: `t ${text}` }, other], { interleave: random.next() < 0.5 });
}

function leaveOpen(world: World): void {
  const stream = world.random.pick(['stdout', 'stderr'] as const);
  pick(world, () => true)?.write([{ text: 'a part, ', stream, partial: true }]);
}

async function rotate(world: World): Promise<void> {
  const { random } = world;
  const options = { cutRecord: random.next() < 0.3, gzipPauseMs: random.pick([0, 0, 20]) };
  const container = pick(world, ({ isSteady }) => isSteady);
  if (container === undefined) return;
  await makeRoomToPrune(world, container);
  if (options.cutRecord) container.writeNext(0);
  await counted(world, () => container.rotate(options));
  world.rotations += 1;
}

async function beginRotation(world: World): Promise<void> {
  const container = pick(world, ({ isSteady }) => isSteady);
  if (container === undefined) return;
  await makeRoomToPrune(world, container);
  await counted(world, () => container.rotateStart());
  world.inGap.add(container);
  world.rotations += 1;
}

function finishRotation(world: World): void {
  const [container] = world.inGap;
  if (container === undefined) return;
  world.inGap.delete(container);
  if (container.isRunning) container.rotateFinish();
}

/**
 * Truncation and the like: an open record would lose its beginning, so it is ended before. And
 * where the end of a record is deleted unread, the next line takes its place by the rules of the
 * format.
 */
async function destroy(world: World, act: (container: FakeContainer) => void): Promise<void> {
  const container = pick(world, ({ isSteady }) => isSteady);
  if (container === undefined) return;
  container.writeNext(0);
  // Its beginning would wait for an end that nobody has any more.
  if (isTolerant(world) && container.isContinuing) return;
  await makeRoom(world);
  await counted(world, () => act(container));
}

function podOf(world: World, container: FakeContainer): FakePod {
  const pod = world.kubelet.pods.find(({ containers }) => containers.includes(container));
  assert(pod !== undefined, 'a container is of a pod');
  return pod;
}

async function restartContainer(world: World): Promise<void> {
  const container = pick(world, () => true);
  if (container === undefined) return;
  // What a dead run left open waits for its end as long as partials may, and here that is longer
  // than the test.
  container.writeNext(0);
  if (container.restart > 0) await makeRoom(world);
  world.inGap.delete(container);
  await counted(world, () => podOf(world, container).restartContainer(container));
}

async function deletePod(world: World): Promise<void> {
  const container = pick(world, () => true);
  if (container === undefined) return;
  await makeRoom(world);
  const pod = podOf(world, container);
  for (const each of pod.containers) {
    each.writeNext(0);
    world.inGap.delete(each);
  }
  await counted(world, () => pod.delete());
}

function startPod(world: World): void {
  const { random, kubelet } = world;
  const kind = random.pick(kinds);
  const isAgain = random.next() < 0.3;
  if (kubelet.pods.length >= podsMax) return;
  // Sometimes a name that was there before, as a StatefulSet's.
  if (!isAgain) world.podCount += 1;
  const pod = `pod-${world.podCount}`;
  if (kubelet.pods.some((each) => each.pod === pod)) return;
  const containers = [{ name: 'a', kind }, 'b'].slice(0, random.below(2) + 1);
  kubelet.startPod({ namespace: 'ns', pod, containers });
}

async function killAgent(world: World): Promise<void> {
  if (world.agent !== undefined) world.kills += 1;
  await world.agent?.kill();
  world.agent = undefined;
}

async function stopAgent(world: World): Promise<void> {
  const code = await world.agent?.stop();
  assert.equal(code ?? 0, 0, 'SIGTERM ends it with 0');
  world.agent = undefined;
}

function startAgent(world: World): void {
  const { kubelet, stateDir, emulator, random } = world;
  const flags = [
    `--batch-bytes-max=${random.pick(['4Ki', '64Ki', '2Mi'])}`,
    `--connections=${random.pick([1, 2, 4])}`,
    // A record may stay open over many steps here; its time is not over.
    '--partial-flush-ms=600000',
    '--grace-ms=500',
  ];
  world.agent ??= startAgentProcess({ kubelet, stateDir, endpoint: emulator.url, flags });
}

async function setFault(world: World): Promise<void> {
  const { random } = world;
  const mode = random.pick(['status', 'reset', 'html'] as const);
  const status = random.pick([500, 503, 429, 401]);
  const fault = mode === 'status' ? { mode, status } : { mode };
  const after = random.next() < 0.5;
  note(world, `${mode} ${status}${after ? ' after' : ''}`);
  world.mayFail = true;
  await world.emulator.setFaults({
    ...fault,
    after,
    share: 0.7,
    times: 6,
    seed: random.below(1e6),
  });
}

async function endFault(world: World): Promise<void> {
  await world.emulator.setFaults({});
}

/**
 * Before something is deleted: with agent and endpoint well, everything must have arrived, and
 * nothing is tolerated; otherwise what is deleted unread is nobody's fault but the kubelet's.
 */
async function makeRoom(world: World): Promise<void> {
  if (!isTolerant(world)) await settle(world);
}

/** A rotation deletes only when there are more files than shall be kept. */
async function makeRoomToPrune(world: World, container: FakeContainer): Promise<void> {
  if (container.rotatedNames().length > world.filesMax - 2) await makeRoom(world);
}

function isTolerant({ agent, mayFail }: World): boolean {
  return agent === undefined || mayFail;
}

/** Runs what deletes, and adds what it deleted to what may be missing. */
async function counted(world: World, act: () => void | Promise<void>): Promise<void> {
  const before = deletedLines(world.kubelet);
  await act();
  if (isTolerant(world)) world.tolerated += deletedLines(world.kubelet) - before;
}

function deletedLines(kubelet: FakeKubelet): number {
  const ranges = kubelet.account().containers.flatMap(({ deleted }) => deleted);
  return ranges.reduce((sum, { start, end }) => sum + end - start, 0);
}

/**
 * Ends faults, starts the agent if it is down, and waits until everything has arrived as it should.
 */
async function settle(world: World): Promise<number> {
  const { kubelet, emulator } = world;
  await endFault(world);
  startAgent(world);
  // An open record is rightly not shipped: end them all.
  for (const container of kubelet.containers) container.writeNext(0);
  let verdict = await verifyShipped(emulator.url, kubelet.account());
  const isThere = async (): Promise<boolean | undefined> => {
    assert(world.agent?.isRunning(), 'the agent runs');
    verdict = await verifyShipped(emulator.url, kubelet.account());
    return verdict.lost === 0 || undefined;
  };
  await until('everything has arrived', isThere, { withinMs: settleWithinMs, everyMs: 100 }).catch(
    (error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify(verdict, undefined, 1)}`, {
        cause: error,
      });
    },
  );
  // The rest of a record whose beginning was deleted unread is alone.
  const unknown = world.tolerated > 0 ? 0 : verdict.unknown;
  assert(isExactlyOnce({ ...verdict, unknown }), JSON.stringify(verdict, undefined, 1));
  assert(
    verdict.lostByKubelet <= world.tolerated,
    `${verdict.lostByKubelet} lines were lost with their files, ${world.tolerated} might have been`,
  );
  const { lostBytesTold } = verdict;
  const lostBytesMax = verdict.missingTextBytes * 1.02 + verdict.lostByKubelet * lineFrameBytesMax;
  assert(
    lostBytesTold <= lostBytesMax,
    `${lostBytesTold} bytes are said to be lost, at most ${lostBytesMax} are`,
  );
  world.mayFail = false;
  return verdict.lostByKubelet;
}
