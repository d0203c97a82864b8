// The verifier must find each kind of trouble: entries are made by hand, one trouble at a time, and
// kept by the real emulator.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import type { FakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import { startEmulator } from '../../src/emulator/server/server.ts';
import type { Emulator } from '../../src/emulator/server/server.ts';
import { isExactlyOnce, verifyShipped } from '../../src/emulator/verify/verify-shipped.ts';

let root = '';
let emulator: Emulator;
let kubelet: FakeKubelet;

beforeEach(async () => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'verify-'));
  emulator = await startEmulator({ port: 0 });
  kubelet = createFakeKubelet({ root, seed: 21, startMs: Date.UTC(2024, 2, 5) });
});

afterEach(async () => {
  await emulator.close();
  fs.rmSync(root, { recursive: true, force: true });
});

type Entry = {
  logName: string;
  timestamp: string | undefined;
  insertId: string;
  textPayload: string;
  severity: string;
  split?: object;
  jsonPayload?: object;
};

/** The live file's lines as entries, which is right for kinds that are text. */
function entriesOf(container: { logPath: string }): Entry[] {
  const lines = fs.readFileSync(container.logPath, 'utf8').split('\n').slice(0, -1);
  return lines.map((line, index) => {
    const [timestamp, stream] = line.split(' ', 2);
    return {
      logName: `projects/p/logs/${stream}`,
      timestamp,
      insertId: String(index).padStart(8, '0'),
      textPayload: line.slice(line.indexOf(' F ') + 3),
      severity: stream === 'stderr' ? 'ERROR' : 'INFO',
    };
  });
}

async function ship(entries: readonly Partial<Entry>[], pod = 'cart'): Promise<void> {
  const labels = { namespace_name: 'shop', pod_name: pod, container_name: 'api' };
  const answer = await fetch(`${emulator.url}/v2/entries:write`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer test' },
    body: JSON.stringify({ resource: { type: 'k8s_container', labels }, entries }),
  });
  expect(await answer.text()).toBe('{}');
}

function written(count = 200) {
  const api = { name: 'api', kind: 'text' } as const;
  const pod = kubelet.startPod({ namespace: 'shop', pod: 'cart', containers: [api] });
  pod.container().writeNext(count);
  return pod.container();
}

const verify = () => verifyShipped(emulator.url, kubelet.account());
const clean = { lost: 0, lostByKubelet: 0, doubled: 0, outOfOrder: 0, altered: 0, unknown: 0 };

describe('verifyShipped()', () => {
  test('finds nothing when every line is there once', async () => {
    await ship(entriesOf(written()));
    const verdict = await verify();
    const whole = { missingTextBytes: 0, lostBytesTold: 0, samples: [] };
    expect(verdict).toEqual({ ...clean, ...whole, written: 200, entries: 200 });
    expect(isExactlyOnce(verdict)).toBe(true);
  });

  test('counts a line that is not there, and tells whether the kubelet deleted it', async () => {
    const container = written();
    const entries = entriesOf(container).filter((_, index) => index !== 7 && index !== 8);
    await ship(entries);
    expect(await verify()).toMatchObject({ ...clean, lost: 2 });
    container.account.deleted.push({ start: 9, end: 10 });
    const verdict = await verify();
    expect(verdict).toMatchObject({ ...clean, lost: 1, lostByKubelet: 1 });
    expect(verdict.samples).toEqual([expect.stringContaining('lost: shop/cart/api seq=8')]);
    expect(isExactlyOnce(verdict)).toBe(false);
  });

  test('counts a line under two insertIds as doubled, under one as once', async () => {
    const entries = entriesOf(written());
    const [first] = entries;
    await ship([...entries, { ...(first as Entry) }]);
    expect(await verify()).toMatchObject(clean);
    await ship([{ ...(first as Entry), insertId: 'zz' }]);
    expect(await verify()).toMatchObject({ ...clean, doubled: 1 });
  });

  test('counts an entry that sorts before an earlier line', async () => {
    const entries = entriesOf(written());
    const [first, second] = entries as [Entry, Entry];
    first.timestamp = entries[2]?.timestamp;
    second.timestamp = entries[2]?.timestamp;
    second.insertId = '00000000';
    first.insertId = '00000001';
    await ship(entries);
    expect(await verify()).toMatchObject({ ...clean, outOfOrder: 1 });
  });

  test('counts entries of another text, severity or stream as altered', async () => {
    const entries = entriesOf(written());
    const [first, second, third] = entries as [Entry, Entry, Entry];
    first.textPayload += '!';
    second.severity = 'CRITICAL';
    third.logName = 'projects/p/logs/other';
    await ship(entries);
    expect(await verify()).toMatchObject({ ...clean, altered: 3 });
  });

  test('counts an altered entry though its file was deleted, but for a record in parts', async () => {
    const container = written();
    container.write([{ text: 'seen in part' }]);
    const entries = entriesOf(container);
    container.account.deleted.push({ start: 1, end: 202 });
    (entries[4] as Entry).textPayload += '!';
    (entries[200] as Entry).textPayload = 'seq=201 seen';
    await ship(entries);
    expect(await verify()).toMatchObject({ ...clean, altered: 1 });
  });

  test('adds up what is missing, and what the agent says it lost', async () => {
    const entries = entriesOf(written());
    const [missing] = entries.splice(3, 1) as [Entry];
    const jsonPayload = { message: 'tailship lost 40 bytes of 0.log', lostBytes: 40 };
    await ship(entries);
    const { textPayload, ...notice } = missing;
    await ship([{ ...notice, insertId: 'zz', jsonPayload }]);
    const missingTextBytes = Buffer.byteLength(textPayload);
    expect(await verify()).toMatchObject({
      ...clean,
      lost: 1,
      missingTextBytes,
      lostBytesTold: 40,
    });
  });

  test('counts entries of nobody as unknown', async () => {
    const entries = entriesOf(written());
    await ship([...entries, { ...(entries[0] as Entry), insertId: 'zz', textPayload: 'stray' }]);
    await ship([{ ...(entries[0] as Entry), insertId: 'yy' }], 'elsewhere');
    expect(await verify()).toMatchObject({ ...clean, unknown: 2 });
  });

  test('counts empty lines, which have no number', async () => {
    const api = { name: 'api', kind: 'blank' } as const;
    const pod = kubelet.startPod({ namespace: 'shop', pod: 'cart', containers: [api] });
    pod.container().writeNext(10);
    const entries = entriesOf(pod.container());
    await ship(entries.slice(0, 8));
    expect(await verify()).toMatchObject({ ...clean, lost: 2 });
    await ship([...entries.slice(8), { ...(entries[0] as Entry), insertId: 'zz' }]);
    expect(await verify()).toMatchObject({ ...clean, doubled: 1 });
  });

  test('joins a split text again, and reads a joined stack trace line by line', async () => {
    const api = { name: 'api', kind: 'trace' } as const;
    const pod = kubelet.startPod({ namespace: 'shop', pod: 'cart', containers: [api] });
    pod.container().writeNext(3);
    const [first, second, third] = entriesOf(pod.container()) as [Entry, Entry, Entry];
    const text = `${second.textPayload}\n${third.textPayload}`;
    const cutAt = 20;
    const { textPayload } = first;
    await ship([
      { ...first, textPayload: textPayload.slice(0, cutAt), split: { uid: 'u', totalSplits: 2 } },
      {
        ...first,
        insertId: `${first.insertId}1`,
        textPayload: textPayload.slice(cutAt),
        split: { uid: 'u', index: 1, totalSplits: 2 },
      },
      { ...second, textPayload: text },
    ]);
    expect(await verify()).toMatchObject({ ...clean, written: 3, entries: 3 });
  });
});
