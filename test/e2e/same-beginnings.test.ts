// Each change in each format, the beginnings in turn. See same-beginnings.ts.

import { afterEach, beforeEach, test } from 'vitest';
import { stopAll } from '../support/agent-process.ts';
import {
  beginnings,
  changes,
  formats,
  makeNode,
  runRunning,
  runStopped,
  type Case,
  type Node,
} from './same-beginnings.ts';

let node: Node;
beforeEach(async () => {
  node = await makeNode();
});
afterEach(async () => {
  await stopAll();
  await node.remove();
});

const names = Object.keys(beginnings);
const cases = formats.flatMap((format, row) =>
  Object.keys(changes).map((change, column): Case => {
    const beginning = names[(row + column) % names.length]!;
    return { format, beginning, change };
  }),
);

test.each(cases)('agent stopped: $format, $beginning, $change', (each) => runStopped(node, each));
test.each(cases)('agent running: $format, $beginning, $change', (each) => runRunning(node, each));
