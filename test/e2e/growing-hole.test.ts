// Holes that grow while the agent runs, and places that a writer reserves and fills later: no line
// is lost, doubled or altered, and nothing is told as truncated.

import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stopAll, until } from '../support/agent-process.ts';
import { Log, formats, makeNode, names, shown, startAgent, type Node } from './same-beginnings.ts';

let node: Node;
beforeEach(async () => {
  node = await makeNode();
});
afterEach(async () => {
  await stopAll();
  await node.remove();
});

const stepBytes = [1, 64, 5_000, 70_000, 300_000];
/**
 * Longer than the time between two looks, so that most steps are seen; the result is the same if
 * not.
 */
const stepMs = 70;

async function grow(file: string): Promise<void> {
  for (const bytes of stepBytes) {
    fs.truncateSync(file, fs.statSync(file).size + bytes);
    await sleep(stepMs);
  }
}

/** Writes at `offset`, as a program does that does not append. */
function writeAt(file: string, offset: number, text: string): void {
  const fd = fs.openSync(file, 'r+');
  fs.writeSync(fd, text, offset);
  fs.closeSync(fd);
}

test.each(formats)('%s: a hole that grows, and a place that is filled later', async (format) => {
  const log = new Log(node, format);
  fs.writeFileSync(log.live, '');
  const agent = startAgent(log);
  const expected: string[] = [];
  const written = (name: string): string => {
    expected.push(...names(name, 3));
    return log.lines(name, 3);
  };
  const arrived = () =>
    until(
      'the lines are there',
      async () => (await shown(node)).length >= expected.length || undefined,
    );
  await grow(log.live);
  fs.appendFileSync(log.live, written('first'));
  await arrived();
  await grow(log.live);
  fs.appendFileSync(log.live, written('second'));
  await arrived();
  for (const name of ['third', 'fourth']) {
    const end = fs.readFileSync(log.live).lastIndexOf(0x0a) + 1;
    await grow(log.live);
    writeAt(log.live, end, written(name));
    await arrived();
  }
  agent.signal('SIGTERM');
  expect(await agent.ended).toBe(0);
  expect(await shown(node)).toEqual(expected);
  expect(agent.lines.filter((line) => /FILE_TRUNCATED|LINES_LOST/.test(line))).toEqual([]);
});

test.each(formats)('%s: a place that was reserved before the agent started', async (format) => {
  const log = new Log(node, format);
  const first = log.lines('first', 3);
  fs.writeFileSync(log.live, first + '\0'.repeat(20_000));
  const agent = startAgent(log);
  await until('the first are there', async () => (await shown(node)).length === 3 || undefined);
  writeAt(log.live, first.length, log.lines('second', 3));
  await until('all are there', async () => (await shown(node)).length >= 6 || undefined);
  agent.signal('SIGTERM');
  expect(await agent.ended).toBe(0);
  expect(await shown(node)).toEqual([...names('first', 3), ...names('second', 3)]);
  expect(agent.lines.filter((line) => /FILE_TRUNCATED|LINES_LOST/.test(line))).toEqual([]);
});
