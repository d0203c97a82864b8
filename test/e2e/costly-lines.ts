// The worst that a container can write through its runtime, ten megabytes a second of it. Started
// as a process of its own: `costly-lines.ts <kind> <file> <seconds> <bytes per second>`.

import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const partBytes = 16_384;

/** What one write(2) of the container, or some of them, look like in the log; without the times. */
export const costlyKinds = {
  'an object with 20,000 keys': () =>
    split(`{${pairs(20_000, (index) => `"key${index}":${index}`)}}`),
  'an object with 20,000 labels': () =>
    split(
      `{"message":"x","logging.googleapis.com/labels":{${pairs(20_000, (index) => `"l${index}":"v"`)}}}`,
    ),
  'one key 20,000 times': () => split(`{${pairs(20_000, () => '"key":"value"')}}`),
  'invalid UTF-8': () => [`F ${'\u00ff\u00c0\u0080'.repeat(60)}`],
  'control characters': () => [`F ${'\u0001\u001b\u0007\u0000'.repeat(45)}`],
  'parts without an end': () => [`P ${'x'.repeat(partBytes)}`],
  'goroutine traces': () => [
    'F panic: runtime error: index out of range [5] with length 3',
    'F ',
    'F goroutine 1 [running]:',
    ...Array.from({ length: 60 }, (_, index) =>
      index % 2 === 0 ? `F main.f${index}(0xc000012345)` : `F \t/app/main.go:${index} +0x1d`,
    ),
  ],
  'lines of one byte': () => ['F x'],
  'lines that a pattern is slow on': () => [`F ${'ab1'.repeat(5_000)}@x`],
  'a megabyte that a pattern is slow on': () => split(`${randomLetters()} c`),
} as const satisfies Record<string, () => string[]>;

/** Of nearly as many steps as are taken: each looks far ahead at each character. */
export const slowPatterns = {
  'lines that a pattern is slow on': '[a-z0-9]{400}@x',
  'a megabyte that a pattern is slow on': '[ab]*a[ab]{550}c',
} as const satisfies Partial<Record<keyof typeof costlyKinds, string>>;

export type CostlyKind = keyof typeof costlyKinds;

/** No automaton has states enough for what follows of what. */
function randomLetters(): string {
  return Array.from({ length: 1_000_000 }, () => (Math.random() < 0.5 ? 'a' : 'b')).join('');
}

function pairs(count: number, pair: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => pair(index)).join(',');
}

/** As a runtime splits what is longer than its buffer. */
function split(text: string): string[] {
  const parts: string[] = [];
  for (let start = 0; start < text.length; start += partBytes) {
    const isLast = start + partBytes >= text.length;
    parts.push(`${isLast ? 'F' : 'P'} ${text.slice(start, start + partBytes)}`);
  }
  return parts;
}

async function write(words: readonly string[]): Promise<void> {
  const [kind = '', file = '', seconds = '', rate = ''] = words;
  const make = costlyKinds[kind as CostlyKind];
  const fd = fs.openSync(file, 'a');
  const startMs = performance.now();
  let written = 0;
  let count = 0;
  for (;;) {
    const elapsed = (performance.now() - startMs) / 1_000;
    // Half of it at least, on whatever machine.
    if (elapsed > Number(seconds) && written > (Number(seconds) * Number(rate)) / 2) return;
    const records: string[] = [];
    let bytes = 0;
    // No more than in the time it has: after a pause, the file system in memory has no room for it.
    while (written + bytes < Math.min(elapsed, Number(seconds)) * Number(rate)) {
      count += 1;
      const time = `2026-11-28T00:00:00.${String(count % 1e9).padStart(9, '0')}Z stdout `;
      for (const part of make()) {
        records.push(`${time}${part}\n`);
        bytes += time.length + part.length + 1;
      }
    }
    written += fs.writeSync(fd, Buffer.from(records.join(''), 'latin1'));
    await sleep(10);
  }
}

if (import.meta.main) await write(process.argv.slice(2));
