// Every beginning with every change, in every format. See same-beginnings.ts.

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

const cases = formats.flatMap((format) =>
  Object.keys(beginnings).flatMap((beginning) =>
    Object.keys(changes).map((change): Case => ({ format, beginning, change })),
  ),
);

test.each(cases)('agent stopped: $format, $beginning, $change', (each) => runStopped(node, each));
test.each(cases)('agent running: $format, $beginning, $change', (each) => runRunning(node, each));
