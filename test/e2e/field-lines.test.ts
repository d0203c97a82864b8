// Lines that real runtimes, file systems and clocks have written and that once did not arrive as
// they should, through the real agent and emulator.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { startEmulator, type Emulator } from '../../src/emulator/server/server.ts';
import { runOnceProcess } from '../support/run-once.ts';

let root: string;
let emulator: Emulator;
beforeEach(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'field-lines-'));
  mkdirSync(path.join(root, 'containers'));
  emulator = await startEmulator({ port: 0 });
});
afterEach(async () => {
  await emulator.close();
  rmSync(root, { recursive: true, force: true });
});

type Entry = {
  readonly textPayload?: string;
  readonly jsonPayload?: Readonly<Record<string, unknown>>;
  readonly timestamp: string;
  readonly severity?: string;
  readonly insertId: string;
  readonly logName: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly sourceLocation?: Readonly<Record<string, string>>;
};

const flags = ['--project=p', '--cluster=c', '--location=l', '--node=n'];
const timeOf = (second: number) => `2026-03-05T14:07:0${second}.00000000${second}Z`;

/** What arrives of one container's log, in the order of its lines, and the run's summary. */
async function ship(content: string, format: 'cri' | 'docker' = 'cri') {
  const id = 'd'.repeat(64);
  const [folder, name] =
    format === 'cri'
      ? [path.join(root, 'pods/ns_pod_0b6f0c55-6a57-4d0e-9d0c-0000000000aa/api'), '0.log']
      : [path.join(root, `docker/${id}`), `${id}-json.log`];
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, name), content);
  symlinkSync(path.join(folder, name), path.join(root, `containers/pod_ns_api-${id}.log`));
  const places = [
    `--containers-dir=${path.join(root, 'containers')}`,
    `--log-root=${path.join(root, format === 'cri' ? 'pods' : 'docker')}`,
  ];
  const run = () => runOnceProcess(root, emulator.url, [...flags, ...places]);
  const summary = await run();
  const text = await (await fetch(`${emulator.url}/emulator/entries`)).text();
  const lines = text.split('\n').filter(Boolean);
  const entries = lines.map((line) => JSON.parse(line) as Entry);
  entries.sort((one, other) => (one.insertId < other.insertId ? -1 : 1));
  return { entries, summary, run };
}

test('a tag that ends its line, as conmon closes a write without a newline', async () => {
  const { entries } = await ship(
    `${timeOf(1)} stdout P hola\n${timeOf(2)} stdout F\n${timeOf(3)} stdout F next line\n` +
      `${timeOf(4)} stderr P at the \n${timeOf(5)} stderr P end\n${timeOf(6)} stderr F`,
  );
  expect(entries.map(({ textPayload }) => textPayload)).toEqual([
    'hola',
    'next line',
    'at the end',
  ]);
});

test.each([64, 4_096, 3 * 1024 * 1024])('a hole of %i zeros', async (size) => {
  const good = `${timeOf(1)} stdout F good\n`;
  const after = `${timeOf(2)} stderr F {"severity":"CRITICAL","message":"after the gap"}\n`;
  const hole = '\0'.repeat(size);
  const { entries, summary } = await ship(hole + good + hole + after);
  expect(entries).toHaveLength(2);
  expect(entries[0]).toMatchObject({ textPayload: 'good', timestamp: timeOf(1) });
  expect(entries[1]).toMatchObject({
    textPayload: 'after the gap',
    severity: 'CRITICAL',
    timestamp: timeOf(2),
    logName: 'projects/p/logs/stderr',
  });
  expect(summary).toMatchObject({ lines: 2, entries: 2, deadLettered: 0 });
});

test("a hole in docker's json-file", async () => {
  const line = (second: number) =>
    `${JSON.stringify({ log: `${second}\n`, stream: 'stdout', time: timeOf(second) })}\n`;
  const { entries } = await ship(`${line(1)}${'\0'.repeat(100_000)}${line(2)}`, 'docker');
  expect(entries.map(({ textPayload, timestamp }) => [textPayload, timestamp])).toEqual([
    ['1', timeOf(1)],
    ['2', timeOf(2)],
  ]);
});

test.each(['', 'Welcome', '2026-03-05 14:07:00 an own time'])(
  'a first line without a time: %j',
  async (first) => {
    const { entries } = await ship(`${first}\n${timeOf(1)} stdout F one\n`);
    expect(entries.map(({ textPayload, timestamp }) => [textPayload, timestamp])).toEqual([
      [first, timeOf(1)],
      ['one', timeOf(1)],
    ]);
  },
);

test("glog with a year, and every letter of GKE's table", async () => {
  const letters = 'IWEFDNCA';
  const lines = Array.from(
    letters,
    (letter, index) =>
      `${timeOf(index)} stderr F ${letter}20240305 14:07:21.103990    12 store.cc:88] opened\n`,
  );
  const { entries } = await ship(lines.join(''));
  expect(entries.map(({ severity }) => severity)).toEqual([
    'INFO',
    'WARNING',
    'ERROR',
    'CRITICAL',
    'DEBUG',
    'NOTICE',
    'CRITICAL',
    'ALERT',
  ]);
  for (const entry of entries) {
    expect(entry.jsonPayload).toEqual({ pid: '12', message: 'opened' });
    expect(entry.sourceLocation).toEqual({ file: 'store.cc', line: '88' });
  }
});

test('labels of any type', async () => {
  const labels = '"logging.googleapis.com/labels":{"notify":true,"team":"core","n":7,"no":null}';
  const { entries } = await ship(`${timeOf(1)} stdout F {"message":"m",${labels}}\n`);
  expect(entries[0]?.labels).toMatchObject({ notify: 'true', team: 'core', n: '7', no: 'null' });
  expect(entries[0]?.textPayload).toBe('m');
});

test('a line of 2099: the time of reading, and the same insertId when it is sent again', async () => {
  const time = '2099-01-01T00:00:00Z';
  const { entries, summary, run } = await ship(
    `${time} stdout F tomorrow\n${time} stdout F {"time":"2099-02-01T00:00:00Z","k":1}\n`,
  );
  expect(summary).toMatchObject({ entries: 2, deadLettered: 0 });
  for (const [index, original] of [time, '2099-02-01T00:00:00Z'].entries()) {
    const entry = entries[index]!;
    expect(Math.abs(Date.parse(entry.timestamp) - Date.now())).toBeLessThan(60_000);
    expect(entry.labels).toMatchObject({ 'tailship.dev/original-time': original });
  }
  rmSync(path.join(root, 'state'), { recursive: true });
  await run();
  const text = await (await fetch(`${emulator.url}/emulator/entries`)).text();
  const ids = text
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as Entry).insertId);
  expect(new Set(ids)).toEqual(new Set(entries.map(({ insertId }) => insertId)));
});
