// The tables that the kernel follows say of each line what the rules say.

import { expect, test } from 'vitest';

import { limits } from '../../src/config.ts';
import { traceLinesMax, traceLookBytes } from '../../src/encode/kernel/layout.ts';
import { lookBytes, traceRules, type TraceState } from '../../src/encode/traces/stack-trace.ts';
import { buildTraceTable, startEntrances } from '../../src/encode/traces/trace-table.ts';
import { seededRandom } from './line-generator.ts';
import { traceLines } from './trace-lines.ts';

const table = buildTraceTable();
const states = Object.keys(traceRules) as TraceState[];
const characters = Array.from('\t\r "#\'()-.:[]^`{}~0A_aé');

function endAt(entrance: number, line: Buffer): number {
  let step = table.entrances[entrance]!;
  for (const byte of line) {
    if (step < table.settledCount) break;
    step = table.steps[step]![table.classes[byte]!]!;
  }
  return table.ends[step]!;
}

/** The next state by the table. */
function tableNext(state: TraceState, line: Buffer): TraceState | undefined {
  const index = states.indexOf(state);
  const own = [startEntrances + index - 1];
  const starts = Array.from({ length: startEntrances }, (_, entrance) => entrance);
  const end = (index === 0 ? starts : own)
    .map((entrance) => endAt(entrance, line))
    .find((one) => one !== 0);
  return end === undefined ? undefined : states[end - 1];
}

function ruleNext(state: TraceState, line: Buffer): TraceState | undefined {
  return traceRules[state].find(([pattern]) => pattern.test(line.toString('latin1')))?.[1];
}

test('the tables lead where the rules lead, from each state by each line', () => {
  const random = seededRandom(1);
  const changed = (): string => {
    const line = random.pick(traceLines);
    const at = random.below(line.length + 1);
    const other = random.pick([...characters, random.pick(traceLines), '']);
    return line.slice(0, at) + other + line.slice(at + random.below(3));
  };
  const lines = [...traceLines, ...Array.from({ length: 1_500 }, changed)];
  for (const text of lines) {
    const line = Buffer.from(text.replaceAll('\n', ''));
    for (const state of states) {
      expect
        .soft([text, state, tableNext(state, line)])
        .toEqual([text, state, ruleNext(state, line)]);
    }
  }
});

test('the kernel has the limits of the reference', () => {
  expect([traceLinesMax, traceLookBytes]).toEqual([limits.traceLinesMax, lookBytes]);
});
