import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { limits } from '../../src/config.ts';
import { Chain } from '../../src/tail/chain.ts';
import { giveTurnBack, Planner, type Plan } from '../../src/tail/planner.ts';
import { TailedContainer } from '../../src/tail/tailed-container.ts';
import { noRule } from '../../src/tail/reading-rules.ts';
import { createTemplate } from '../../src/encode/entries/entry-template.ts';
import { makeTailSetup } from './tail-fixture.ts';

const nodeIdentity = { project: 'p', location: 'l', cluster: 'c', node: 'n' };
const context = {
  nodeIdentity,
  traceParent: 'projects/p',
  joinStackTraces: false,
  batchBytesMax: limits.batchBytesSoftMax,
  partialFlushMs: 5_000,
};
const line = `2024-03-05T14:07:00Z stdout F ${'x'.repeat(99)}\n`;
const nowMs = Date.now();
let root: string;
let planner: Planner;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'plan-'));
  planner = new Planner(context);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function makeContainer(name: string, bytes: number): TailedContainer {
  const directory = join(root, name);
  mkdirSync(directory);
  writeFileSync(join(directory, '0.log'), line.repeat(Math.ceil(bytes / line.length)));
  const setup = makeTailSetup(root);
  const chain = new Chain(
    { directory, liveName: '0.log', format: 'cri', podUid: name, container: 'c', restartCount: 0 },
    setup,
  );
  chain.addLink(name);
  chain.look(nowMs);
  const names = { namespace: 'ns', pod: name, container: 'c' };
  const template = createTemplate(nodeIdentity, names, directory);
  const log = { linkPath: name, directory, fileName: '0.log', format: 'cri' } as const;
  return new TailedContainer(chain, { ...log, name: undefined }, { template });
}

const podsOf = (plan: Plan | undefined): string[] =>
  plan?.parts.map(({ container }) => container.chain.location.podUid) ?? [];

/** As if a worker had taken the whole plan. */
function finish(plan: Plan | undefined): void {
  for (const { container, cut } of plan?.parts ?? []) {
    container.chain.advance(
      cut,
      { consumed: cut.segments.map(({ end }) => end), more: false },
      nowMs,
    );
  }
}

test('many small chains share a body, each with no more than a quantum', () => {
  const chains = ['a', 'b', 'c'].map((name) => makeContainer(name, 300_000));
  const plan = planner.take(chains, 0, nowMs);
  expect(podsOf(plan)).toEqual(['a', 'b', 'c']);
  for (const { cut } of plan?.parts ?? []) expect(cut.bytes).toBe(limits.quantumBytes);
});

test('the largest chain gives the request its resource, the others carry their own', () => {
  const chains = [makeContainer('small', 1_000), makeContainer('large', 9_000)];
  const plan = planner.take(chains, 0, nowMs);
  const head = JSON.parse(`${Buffer.from(plan?.task.head ?? []).toString()}]}`);
  expect(head).toMatchObject({
    partialSuccess: true,
    logName: 'projects/p/logs/stdout',
    resource: { type: 'k8s_container', labels: { pod_name: 'large', project_id: 'p' } },
    labels: { 'compute.googleapis.com/resource_name': 'n' },
  });
  const [small, large] = plan?.task.sources ?? [];
  expect(JSON.parse(`{${small?.resource.slice(0, -1)}}`)).toMatchObject({
    resource: { labels: { pod_name: 'small' } },
  });
  expect(large?.resource).toBe('');
  expect(large?.logName).toEqual({ stdout: '', stderr: '"logName":"projects/p/logs/stderr",' });
});

test('a flood does not starve the quiet: after each of its bodies everybody else has had a turn', () => {
  const flood = makeContainer('flood', 20 * limits.batchBytesSoftMax);
  const quiet = ['q1', 'q2', 'q3'].map((name) => makeContainer(name, 1_000));
  const served: string[][] = [];
  for (let turns = 0; turns < 3; turns += 1) {
    const plan = planner.take([flood, ...quiet], 0, nowMs);
    served.push(podsOf(plan));
    finish(plan);
  }
  expect(served).toEqual([['flood'], ['q1', 'q2', 'q3'], ['flood']]);
});

test('what a task had no time for comes first in the next plan', () => {
  const costly = makeContainer('costly', 200_000);
  const quiet = ['q1', 'q2'].map((name) => makeContainer(name, 1_000));
  const plan = planner.take([costly, ...quiet], 0, nowMs);
  expect(podsOf(plan)).toEqual(['costly', 'q1', 'q2']);
  for (const [index, part] of (plan?.parts ?? []).entries()) {
    const { container, cut } = part;
    const start = cut.segments[0]?.start ?? 0;
    const consumed = [index === 0 ? start + line.length : start];
    container.chain.advance(cut, { consumed, more: true }, nowMs);
    if (index > 0) giveTurnBack(part);
  }
  expect(podsOf(planner.take([costly, ...quiet], 0, nowMs))).toEqual(['q1', 'q2', 'costly']);
});

test('a flood that is always at risk does not starve the quiet either', () => {
  const flood = makeContainer('flood', 20 * limits.batchBytesSoftMax);
  const directory = flood.chain.location.directory;
  renameSync(join(directory, '0.log'), join(directory, '0.log.20240305-140721'));
  writeFileSync(join(directory, '0.log'), line);
  flood.chain.look(nowMs);
  expect(flood.chain.atRisk).toBe(true);
  const quiet = ['q1', 'q2', 'q3'].map((name) => makeContainer(name, 1_000));
  const served: string[][] = [];
  for (let turns = 0; turns < 3; turns += 1) {
    const plan = planner.take([flood, ...quiet], 0, nowMs);
    served.push(podsOf(plan));
    finish(plan);
  }
  expect(served.flat().toSorted()).toEqual(['flood', 'flood', 'q1', 'q2', 'q3']);
});

test('a chain with a pace is read no faster', () => {
  const chain = makeContainer('own', 300_000);
  chain.obey(noRule, chain.base, 10_000);
  const first = planner.take([chain], 0, nowMs);
  const bytes = first?.parts[0]?.cut.bytes ?? 0;
  finish(first);
  expect(planner.take([chain], 0, nowMs)).toBeUndefined();
  const dueMs = nowMs + (bytes / 10_000) * 1_000;
  expect(planner.take([chain], 0, dueMs - 1)).toBeUndefined();
  expect(podsOf(planner.take([chain], 0, dueMs))).toEqual(['own']);
});

test('a chain that is being drained is not planned again, and nothing to read is no plan', () => {
  const chain = makeContainer('a', 1_000);
  const plan = planner.take([chain], 0, nowMs);
  expect(planner.take([chain], 1, nowMs)).toBeUndefined();
  finish(plan);
  expect(planner.take([chain], 0, nowMs)).toBeUndefined();
});

test('a record that waits for its end is flushed once after the bound, not before', () => {
  const container = makeContainer('a', 1_000);
  const { chain } = container;
  const wait = (atMs: number) => {
    const plan = planner.take([container], 0, atMs);
    for (const { cut } of plan?.parts ?? []) {
      chain.advance(cut, { consumed: cut.segments.map(({ start }) => start), more: false }, atMs);
    }
    return plan?.task.sources[0]?.flushFirst;
  };
  expect(wait(nowMs)).toBe(false);
  expect(wait(nowMs + 4_999)).toBeUndefined();
  expect(wait(nowMs + 5_000)).toBe(true);
  expect(wait(nowMs + 9_999)).toBeUndefined();
});
