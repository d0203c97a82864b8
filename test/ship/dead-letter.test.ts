// The dead-letter file: whole lines, bounded, and no reason to stop.

import { appendFileSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { DeadLetterFile } from '../../src/ship/dead-letter.ts';
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
  expect(lines.map((line) => [line.level, line.code])).toEqual([
    ['warn', 'SHIP_REJECTED'],
    ['error', 'STATE_UNWRITABLE'],
  ]);
});
