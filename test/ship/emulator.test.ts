// The shipper against the emulator, which judges entries as the API does: what is stored in the end
// is every entry once, whatever goes wrong on the way.

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Emulator } from '../../src/emulator/server/server.ts';
import { startEmulator } from '../../src/emulator/server/server.ts';
import { openShipper, readLetters } from './open-shipper.ts';

let emulator: Emulator;

beforeAll(async () => {
  emulator = await startEmulator({ port: 0 });
});
afterAll(() => emulator.close());
beforeEach(async () => {
  emulator.setFaults({});
  await fetch(`${emulator.url}/emulator/entries`, { method: 'DELETE' });
});

const head =
  '{"partialSuccess":true,"logName":"projects/p/logs/stdout",' +
  '"resource":{"type":"k8s_container","labels":{"project_id":"p"}},"entries":[';

/** Entries `e0`, `e1`, …; the ones in `broken` have a field that the API does not know. */
function makeBatch(
  entryCount: number,
  broken: readonly number[] = [],
): { body: Uint8Array; entryCount: number } {
  const entries = Array.from({ length: entryCount }, (_, index) => {
    const entry = {
      insertId: `e${String(index).padStart(4, '0')}`,
      timestamp: '2025-01-02T03:04:05.000000006Z',
      textPayload: `line ${index % 10} of ten`,
    };
    return JSON.stringify(broken.includes(index) ? { ...entry, f1: 1 } : entry);
  });
  const bytes = Buffer.from(`${head}${entries.join(',\n')}]}`);
  const body = new Uint8Array(new SharedArrayBuffer(bytes.length));
  body.set(bytes);
  return { body, entryCount };
}

async function storedIds(): Promise<string[]> {
  const answer = await fetch(`${emulator.url}/emulator/entries`);
  const lines = (await answer.text()).split('\n').filter((line) => line !== '');
  return lines.map((line) => (JSON.parse(line) as { insertId: string }).insertId);
}

const idsBut = (entryCount: number, without: readonly number[]): string[] =>
  Array.from({ length: entryCount }, (_, index) => index)
    .filter((index) => !without.includes(index))
    .map((index) => `e${String(index).padStart(4, '0')}`);

test('a healthy batch is stored whole', async () => {
  const { shipper } = await openShipper(new URL(emulator.url));
  expect(await shipper.ship(makeBatch(100))).toMatchObject({ accepted: 100, requests: 1 });
  expect(await storedIds()).toEqual(idsBut(100, []));
});

test.each([
  { mode: 'status', status: 503, share: 0.5, forMs: 300 },
  { mode: 'status', status: 429, share: 1, forMs: 200 },
  { mode: 'status', status: 403, share: 1, forMs: 200 },
  { mode: 'reset', share: 0.5, forMs: 300 },
  { mode: 'html', share: 0.5, forMs: 300 },
  { mode: 'halfClose', share: 0.5, forMs: 300 },
  { mode: 'partial', pattern: 'line', code: 8, times: 3 },
  { mode: 'partial', pattern: 'line 7', code: 14, times: 3 },
  { mode: 'partial', pattern: 'line 7', code: 7, times: 3 },
  // Written, but the answer is lost: sent again, and the same entry all the same.
  { mode: 'reset', after: true, times: 2 },
  { mode: 'status', status: 504, after: true, times: 2 },
])('a fault $mode $status costs time and no entry', async (fault) => {
  const { shipper } = await openShipper(new URL(emulator.url));
  emulator.setFaults(fault);
  const outcomes = await Promise.all([shipper.ship(makeBatch(50)), shipper.ship(makeBatch(120))]);
  expect(outcomes.map(({ accepted }) => accepted)).toEqual([50, 120]);
  expect(await storedIds()).toEqual(idsBut(120, []));
});

test('a hanging endpoint is left after its deadline', async () => {
  const { shipper } = await openShipper(new URL(emulator.url), { limits: { shipRequestMs: 150 } });
  emulator.setFaults({ mode: 'hang', share: 1, forMs: 300 });
  expect(await shipper.ship(makeBatch(20))).toMatchObject({ accepted: 20 });
  expect(await storedIds()).toEqual(idsBut(20, []));
});

test('entries that a partial success refuses are dead-lettered, the others stored once', async () => {
  const { shipper, stateDir } = await openShipper(new URL(emulator.url));
  emulator.setFaults({ mode: 'partial', pattern: 'line 3 of ten', share: 1 });
  const outcome = await shipper.ship(makeBatch(100));
  const refused = Array.from({ length: 10 }, (_, index) => index * 10 + 3);
  expect(outcome).toMatchObject({ accepted: 90, deadLettered: 10 });
  expect(await storedIds()).toEqual(idsBut(100, refused));
  expect(readLetters(stateDir)).toHaveLength(10);
});

test('entries that break the whole body are found by bisection', async () => {
  const { shipper, stateDir } = await openShipper(new URL(emulator.url));
  const outcome = await shipper.ship(makeBatch(1_000, [0, 517, 999]));
  expect(outcome).toMatchObject({ accepted: 997, deadLettered: 3 });
  expect(await storedIds()).toEqual(idsBut(1_000, [0, 517, 999]));
  expect(readLetters(stateDir)[0]?.reason).toContain('f1');
});
