import { expect, test } from 'vitest';
import { WrittenLines } from '../../src/tail/written-lines.ts';

const shape = { lines: 1, bytes: 200 };
const none = { bytes: 0, shape };

test('a guess gives way to the count, however wrong it was', () => {
  for (const lineBytes of [20, 200, 2_000]) {
    const lines = new WrittenLines();
    for (let sample = 0; sample < 10; sample += 1) lines.sample({ bytes: 100_000, shape });
    expect(lines.sum(none)).toBe(5_000);
    lines.read({ bytes: 400_000, lines: 400_000 / lineBytes }, 0);
    expect(lines.sum(none)).toBeCloseTo(3_000 + 400_000 / lineBytes);
    lines.sample(none);
    lines.read({ bytes: 600_000, lines: 600_000 / lineBytes }, 0);
    expect(lines.sum(none)).toBe(1_000_000 / lineBytes);
    // Read before the next sample has seen it.
    lines.read({ bytes: lineBytes, lines: 1 }, 0);
    expect(lines.sum({ bytes: lineBytes, shape })).toBe(1_000_000 / lineBytes + 1);
    lines.sample({ bytes: lineBytes, shape });
    expect(lines.sum(none)).toBe(1_000_000 / lineBytes + 1);
  }
});

test('a backlog is not written, and what is lost stays guessed', () => {
  const lines = new WrittenLines();
  lines.sample({ bytes: 10_000, shape });
  lines.read({ bytes: 50_000, lines: 5_000 }, 60_000);
  expect(lines.sum(none)).toBe(50);
  lines.read({ bytes: 12_000, lines: 12 }, 10_000);
  expect(lines.sum(none)).toBe(2 + 40);
  lines.sample(none);
  lines.read({ bytes: 4_000, lines: 1 }, 0);
  expect(lines.sum(none)).toBe(3 + 20);
  for (let sample = 0; sample < 3; sample += 1) {
    lines.sample({ bytes: 0, shape: { lines: 1, bytes: 9 } });
  }
  expect(lines.sum(none)).toBe(3 + 20);
});

test('a read that was seen before its growth is not guessed on top', () => {
  const lines = new WrittenLines();
  lines.read({ bytes: 1_000, lines: 100 }, 0);
  lines.sample(none);
  expect(lines.sum(none)).toBe(100);
  lines.sample({ bytes: 1_000, shape });
  expect(lines.sum(none)).toBe(100);
});
