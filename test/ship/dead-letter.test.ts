// The dead-letter file: whole lines, bounded, and no reason to stop.

import { appendFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { letterLines, parseLetter } from '../../src/ship/dead-letter-reader.ts';
import { DeadLetterFile } from '../../src/ship/dead-letter.ts';
import { FaultyFs } from '../support/faulty-fs.ts';
import { apiError, makeBatch } from './fake-api.ts';
import { makeStateDir, openApi, openShipper, readLetters } from './open-shipper.ts';

const letter = (id: string, bytes = 0): { reason: string; code: number; entry: Buffer } => ({
  reason: `bad "${id}"\n`,
  code: 3,
  entry: Buffer.from(JSON.stringify({ insertId: id, textPayload: 'x'.repeat(bytes) })),
});

function openFile(stateDir: string, bytesMax = 1_000_000): DeadLetterFile {
  return new DeadLetterFile({ stateDir, bytesMax, now: () => Date.UTC(2025, 0, 2, 3, 4, 5) });
}

test('holds time, reason, code and the raw entry, one line each, for its owner only', () => {
  const stateDir = makeStateDir();
  const counts = openFile(stateDir).append([letter('a'), letter('b')]);
  expect(counts).toEqual({ written: 2, unwritten: 0, dropped: 0, error: undefined });
  expect(readLetters(stateDir)).toEqual([
    {
      time: '2025-01-02T03:04:05.000Z',
      reason: 'bad "a"\n',
      code: 3,
      entry: { insertId: 'a', textPayload: '' },
    },
    expect.objectContaining({ entry: { insertId: 'b', textPayload: '' } }),
  ]);
  expect(statSync(path.join(stateDir, 'dead-letter.ndjson')).mode & 0o777).toBe(0o600);
});

test('is kept in a new directory when somebody has removed the old one', () => {
  const stateDir = makeStateDir();
  const file = openFile(stateDir);
  file.append([letter('a')]);
  rmSync(stateDir, { recursive: true });
  expect(file.append([letter('b')])).toMatchObject({ written: 1, unwritten: 0 });
  expect(readLetters(stateDir)).toMatchObject([{ entry: { insertId: 'b' } }]);
});

test('is rotated once, and counts what the rotation drops', () => {
  const stateDir = makeStateDir();
  const bytesMax = 4_000;
  let dropped = 0;
  let written = 0;
  for (let round = 0; round < 40; round += 1) {
    // Opened again each time, as after restarts.
    const counts = openFile(stateDir, bytesMax).append([
      letter(`a${round}`, 300),
      letter('b', 300),
    ]);
    dropped += counts.dropped;
    written += counts.written;
    expect(statSync(path.join(stateDir, 'dead-letter.ndjson')).size).toBeLessThanOrEqual(bytesMax);
  }
  const kept = ['dead-letter.ndjson', 'dead-letter.ndjson.1']
    .map((name) => readFileSync(path.join(stateDir, name), 'utf8').split('\n'))
    .flatMap((lines) => lines.filter((line) => line !== ''));
  expect(dropped).toBeGreaterThan(0);
  expect(kept.length + dropped).toBe(written);
  for (const line of kept) JSON.parse(line);
});

test('letters that are not kept are counted by container', () => {
  const stateDir = makeStateDir();
  const givenUp = { dead_letter_unwritten: new Map(), dead_letter_evicted: new Map() };
  const ofPod = (pod: string) => {
    const labels = { namespace_name: 'shop', pod_name: pod, container_name: 'api' };
    return { ...letter(pod, 300), defaults: JSON.stringify({ resource: { labels } }) };
  };
  const open = () => new DeadLetterFile({ stateDir, bytesMax: 1_200, now: () => 0, givenUp });
  open().append([ofPod('before'), ofPod('before')]);
  const file = open();
  for (const pod of ['cart', 'web', 'cart', 'web', 'cart', 'web']) file.append([ofPod(pod)]);
  // Whose letters a former process wrote is not remembered.
  expect(Object.fromEntries(givenUp.dead_letter_evicted)).toEqual({
    '': 2,
    'shop/cart/api': 1,
    'shop/web/api': 1,
  });
  rmSync(stateDir, { recursive: true });
  writeFileSync(stateDir, ''); // Not even root makes a directory of it.
  file.append([ofPod('web'), { ...letter('x'), entry: Buffer.from('{') }]);
  expect(Object.fromEntries(givenUp.dead_letter_unwritten)).toEqual({ 'shop/web/api': 1, '': 1 });
});

test('begins on a line of its own after a crash in mid-line', () => {
  const stateDir = makeStateDir();
  const file = path.join(stateDir, 'dead-letter.ndjson');
  appendFileSync(file, '{"time":"2025-01-01T');
  openFile(stateDir).append([letter('a')]);
  const lines = readFileSync(file, 'utf8').split('\n');
  expect(lines[0]).toBe('{"time":"2025-01-01T');
  expect(JSON.parse(lines[1] ?? '')).toMatchObject({ entry: { insertId: 'a' } });
});

test('buries many megabytes at once', () => {
  const stateDir = makeStateDir();
  const letters = Array.from({ length: 3_000 }, (_, index) => letter(`e${index}`, 1_000));
  expect(openFile(stateDir, 1e9).append(letters)).toMatchObject({ written: 3_000, unwritten: 0 });
  expect(readLetters(stateDir)).toHaveLength(3_000);
});

test('a disk that takes nothing is counted and told, and the agent goes on', async () => {
  const api = await openApi((_request, response) =>
    apiError(response, { code: 400, status: 'INVALID_ARGUMENT', message: 'bad' }),
  );
  // A path below a regular file can never be written, not even by root.
  const blocker = path.join(makeStateDir(), 'file');
  writeFileSync(blocker, '');
  const { shipper, lines } = await openShipper(api.url, { stateDir: path.join(blocker, 'state') });
  const outcomes = [await shipper.ship(makeBatch(2)), await shipper.ship(makeBatch(2))];
  expect(outcomes.map((outcome) => outcome.deadLettered)).toEqual([2, 2]);
  expect(shipper.counters).toMatchObject({
    deadLettersUnwritten: 4,
    deadLetteredByReason: { refused: 4 },
  });
  // As often as letters are refused: the log itself holds back what repeats.
  expect(new Set(lines.map((line) => `${line.level} ${line.code}`))).toEqual(
    new Set(['error STATE_UNWRITABLE', 'warn SHIP_REJECTED']),
  );
});

test('a disk that takes nothing any more is told, though refusals were told a moment ago', async () => {
  const api = await openApi((_request, response) =>
    apiError(response, { code: 400, status: 'INVALID_ARGUMENT', message: 'bad' }),
  );
  const stateDir = makeStateDir();
  const { shipper, lines } = await openShipper(api.url, { stateDir });
  await shipper.ship(makeBatch(2));
  expect(lines.map(({ code }) => code)).toEqual(['SHIP_REJECTED']);
  rmSync(stateDir, { recursive: true });
  writeFileSync(stateDir, ''); // Not even root makes a directory of it.
  await shipper.ship(makeBatch(2));
  expect(lines.map(({ code }) => code)).toContain('STATE_UNWRITABLE');
});

describe('on a disk that fills up', () => {
  const kinds = ['open', 'read', 'write', 'stat', 'name'] as const;
  const rounds = 6;
  const ofRound = (round: number) => [letter(`${round}a`, 300), letter(`${round}b`, 300)];

  /** Each line as its insertId; undefined when it was torn. */
  function keptIds(stateDir: string): (string | undefined)[] {
    return ['dead-letter.ndjson.1', 'dead-letter.ndjson']
      .map((name) => path.join(stateDir, name))
      .filter((file) => existsSync(file))
      .flatMap((file) => [...letterLines(file)])
      .map((line) => parseLetter(line)?.insertId);
  }

  test.each([
    { what: 'for one call', isLasting: false },
    { what: 'for good', isLasting: true },
  ])('$what, whichever it is, what counts as written is there', ({ isLasting }) => {
    for (let failAt = 1; ; failAt += 1) {
      const stateDir = makeStateDir();
      const file = openFile(stateDir, 2_000);
      const faulty = new FaultyFs({ failAt, kinds, code: 'ENOSPC', isLasting });
      const sums = { written: 0, unwritten: 0, dropped: 0 };
      const add = (counts: ReturnType<DeadLetterFile['append']>) => {
        for (const key of ['written', 'unwritten', 'dropped'] as const) sums[key] += counts[key];
        expect(counts.error === undefined).toBe(counts.unwritten === 0);
      };
      try {
        for (let round = 0; round < rounds; round += 1) add(file.append(ofRound(round)));
      } finally {
        faulty.restore();
      }
      const at = `call ${failAt}, ${faulty.failed}`;
      const during = { ...sums };
      expect({ at, sum: during.written + during.unwritten }).toEqual({ at, sum: 2 * rounds });
      if (faulty.failed !== undefined) expect({ at, during }).not.toMatchObject({ unwritten: 0 });
      // There is room again.
      add(file.append([letter('later')]));
      const ids = keptIds(stateDir).filter((id) => id !== undefined);
      expect({ at, last: ids.at(-1) }).toEqual({ at, last: 'later' });
      // A letter may be there whole though its append failed after it.
      expect(ids.length).toBeGreaterThanOrEqual(sums.written - sums.dropped);
      expect(new Set(ids).size).toBe(ids.length);
      if (faulty.failed === undefined) return;
    }
  });

  test('within a line that another process writes, the next letter is whole', () => {
    const stateDir = makeStateDir();
    const file = openFile(stateDir);
    file.append([letter('a')]);
    // As a command that writes letters back does, and finds no room.
    appendFileSync(path.join(stateDir, 'dead-letter.ndjson'), '{"time":"2025-01-01T');
    file.append([letter('b')]);
    expect(keptIds(stateDir)).toEqual(['a', undefined, 'b']);
  });
});
