import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { defaults, openEmulator } from './emulator-fixture.ts';
import { eventually } from '../support/eventually.ts';

async function openWithFaults(...rules: object[]) {
  const fixture = await openEmulator();
  const put = (json: unknown) =>
    fetch(`${fixture.emulator.url}/emulator/faults`, { method: 'PUT', body: JSON.stringify(json) });
  expect((await put(rules.length === 1 ? rules[0] : rules)).status).toBe(200);
  return { ...fixture, put };
}

const request = {
  partialSuccess: true,
  entries: [{ textPayload: 'good' }, { textPayload: 'poison "7"' }, { textPayload: 'fine' }],
};

describe('a status fault', () => {
  it.each([400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504])(
    'answers %i with a JSON body and stores nothing',
    async (status) => {
      const { write, emulator } = await openWithFaults({ mode: 'status', status });
      const answer = await write(request);
      expect(answer.status).toBe(status);
      expect(answer.json['error'].code).toBe(status);
      expect(emulator.stats()).toMatchObject({ requests: 1, entries: 0 });
    },
  );

  it('is a 503 by default, and may say when to come back', async () => {
    const { emulator } = await openWithFaults({ mode: 'status', retryAfterSeconds: 7 });
    const response = await fetch(`${emulator.url}/v2/entries:write`, {
      method: 'POST',
      body: '{}',
    });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('7');
    expect(await response.json()).toMatchObject({ error: { status: 'UNAVAILABLE' } });
  });

  it('with after stores the entries, and then says it failed', async () => {
    const { write, stored } = await openWithFaults({ mode: 'status', after: true });
    expect((await write(request)).status).toBe(503);
    expect(await stored()).toHaveLength(3);
  });

  it('with after loses the names of refused entries too', async () => {
    const { write, stored } = await openWithFaults({ mode: 'status', after: true });
    const entries = [...request.entries, { logName: 'bad' }];
    expect((await write({ ...request, entries })).status).toBe(503);
    expect(await stored()).toHaveLength(3);
  });

  it('ends with {}', async () => {
    const { write, put } = await openWithFaults({ mode: 'status' });
    expect((await write(request)).status).toBe(503);
    await put({});
    expect((await write(request)).status).toBe(200);
  });

  it('ends after forMs', async () => {
    const { write } = await openWithFaults({ mode: 'status', forMs: 300 });
    expect((await write(request)).status).toBe(503);
    await eventually(async () => expect((await write(request)).status).toBe(200));
  });

  it('ends after so many times', async () => {
    const { write } = await openWithFaults({ mode: 'status', times: 2 });
    const statuses = [await write(request), await write(request), await write(request)];
    expect(statuses.map(({ status }) => status)).toEqual([503, 503, 200]);
  });

  it('hits every n-th request', async () => {
    const { write } = await openWithFaults({ mode: 'status', everyNth: 3 });
    const statuses: number[] = [];
    for (let count = 0; count < 7; count += 1) statuses.push((await write(request)).status);
    expect(statuses).toEqual([200, 200, 503, 200, 200, 503, 200]);
  });

  it('hits a share of requests, the same ones for the same seed', async () => {
    const { write, put } = await openWithFaults({});
    const run = async (seed: number) => {
      await put({ mode: 'status', share: 0.5, seed });
      let bits = '';
      for (let count = 0; count < 40; count += 1) {
        bits += (await write({ entries: [] })).status === 503 ? '1' : '0';
      }
      return bits;
    };
    const [first, again, other] = [await run(1), await run(1), await run(2)];
    expect(first).toBe(again);
    expect(first).not.toBe(other);
    expect(first.replaceAll('0', '').length).toBeGreaterThan(8);
    expect(first.replaceAll('0', '').length).toBeLessThan(32);
  });

  it('with a pattern hits only requests that hold it', async () => {
    const { write } = await openWithFaults({ mode: 'status', pattern: 'poison "7"' });
    expect((await write(request)).status).toBe(503);
    expect((await write({ entries: [{ textPayload: 'good' }] })).status).toBe(200);
  });

  it('may be about reading', async () => {
    const { write, list } = await openWithFaults({ mode: 'status', on: 'list' });
    expect((await write(request)).status).toBe(200);
    expect((await list()).status).toBe(503);
  });
});

describe('a fault of the connection', () => {
  it.each([false, true])('resets it (after: %s)', async (after) => {
    const { write, emulator } = await openWithFaults({ mode: 'reset', after });
    await expect(write(request)).rejects.toThrow('fetch failed');
    expect(emulator.stats().entries).toBe(after ? 3 : 0);
  });

  it.each([false, true])('never answers (after: %s), and close() ends it', async (after) => {
    const { write, emulator } = await openWithFaults({ mode: 'hang', after });
    const hanging = write(request).then(
      () => 'answered',
      () => 'cut',
    );
    await eventually(() =>
      expect(emulator.stats()).toMatchObject({ requests: 1, entries: after ? 3 : 0 }),
    );
    expect(
      await Promise.race([hanging, new Promise((resolve) => setTimeout(resolve, 100, 'hanging'))]),
    ).toBe('hanging');
    await emulator.close();
    expect(await hanging).toBe('cut');
  });

  it('answers HTML', async () => {
    const { emulator } = await openWithFaults({ mode: 'html' });
    const response = await fetch(`${emulator.url}/v2/entries:write`, {
      method: 'POST',
      body: '{}',
    });
    expect([response.status, response.headers.get('content-type')]).toEqual([
      502,
      'text/html; charset=UTF-8',
    ]);
    expect(await response.text()).toMatch(/^<!DOCTYPE html>/);
  });

  it('answers and then closes its half without having said so', async () => {
    const { emulator } = await openWithFaults({ mode: 'halfClose' });
    const socket = connect(emulator.port, '127.0.0.1');
    socket.write('POST /v2/entries:write HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}');
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    expect(text).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(text.toLowerCase()).not.toContain('connection: close');
  });

  it('delays the answer, with or without a mode', async () => {
    const { write } = await openWithFaults({ delayMs: 200 }, { mode: 'status', delayMs: 100 });
    const start = performance.now();
    expect((await write(request)).status).toBe(503);
    expect(performance.now() - start).toBeGreaterThan(290);
  });
});

describe('a partial fault', () => {
  it('refuses the entries that hold its pattern and writes the others', async () => {
    const { write, stored } = await openWithFaults({
      mode: 'partial',
      pattern: 'poison "7"',
      code: 7,
    });
    const { status, json } = await write(request);
    expect(status).toBe(403);
    expect(json['error'].details[0].logEntryErrors).toEqual({
      1: { code: 7, message: 'Emulated fault: entry refused.' },
    });
    expect((await stored()).map((entry) => entry['textPayload'])).toEqual(['good', 'fine']);
  });

  it('has no details when every entry is refused', async () => {
    const { write } = await openWithFaults({ mode: 'partial', pattern: 'poison', code: 14 });
    const { status, json } = await write({ ...request, entries: [{ textPayload: 'poison' }] });
    expect(status).toBe(503);
    expect(json['error']).not.toHaveProperty('details');
  });

  it('writes nothing for a request without partialSuccess', async () => {
    const { write, emulator } = await openWithFaults({ mode: 'partial', pattern: 'poison' });
    expect((await write({ ...request, partialSuccess: false })).status).toBe(400);
    expect(emulator.stats().entries).toBe(0);
  });

  it('joins the entries that are bad by themselves, and gives the first one’s status', async () => {
    const { write } = await openWithFaults({ mode: 'partial', pattern: 'poison', code: 7 });
    const { status, json } = await write({
      ...request,
      entries: [...request.entries, { logName: 'bad' }],
    });
    expect(status).toBe(403);
    expect(Object.keys(json['error'].details[0].logEntryErrors)).toEqual(['1', '3']);
  });

  it('without details refuses the whole request with a bare 400, until the poison is alone', async () => {
    const { write, stored } = await openWithFaults({
      mode: 'partial',
      pattern: 'poison',
      details: false,
    });
    const { status, json } = await write(request);
    expect([status, json['error'].details]).toEqual([400, undefined]);
    expect(await stored()).toEqual([]);
    expect((await write({ entries: [request.entries[0]] })).status).toBe(200);
    expect((await write({ entries: [request.entries[1]] })).status).toBe(400);
  });
});

describe('rules', () => {
  it('that make no sense are refused and change nothing', async () => {
    const { put, emulator } = await openWithFaults({ mode: 'html' });
    for (const bad of [
      { mode: 'explode' },
      { share: '1' },
      { unknown: 1 },
      5,
      [null],
      { status: 99 },
      { delayMs: -1 },
      { on: 'x' },
    ]) {
      expect((await put(bad)).status, JSON.stringify(bad)).toBe(400);
    }
    const broken = await fetch(`${emulator.url}/emulator/faults`, { method: 'PUT', body: '{' });
    expect(broken.status).toBe(400);
    expect(await (await fetch(`${emulator.url}/emulator/faults`)).json()).toEqual([
      { mode: 'html' },
    ]);
  });

  it('may be given at the start', async () => {
    const { write } = await openEmulator({ faults: [{ mode: 'status', status: 429, times: 1 }] });
    expect([(await write(request)).status, (await write(request)).status]).toEqual([429, 200]);
    await expect(openEmulator({ faults: { mode: 'explode' } })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });

  it('lose an answer but no entry of a file store', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tailship-faults-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const { write, stored } = await openEmulator({
      dataFile: join(folder, 'x.db'),
      faults: { mode: 'reset', after: true, times: 1 },
    });
    const entries = [{ ...defaults, insertId: 'i', timestamp: '2024-01-01T00:00:00Z' }];
    await expect(write({ entries })).rejects.toThrow();
    expect((await write({ entries })).status).toBe(200);
    expect(await stored()).toHaveLength(1);
  });
});

describe('an odd answer', () => {
  const ask = (url: string) => fetch(`${url}/v2/entries:write`, { method: 'POST', body: '{}' });

  it('is the body that is asked for, and nothing else', async () => {
    const { emulator } = await openWithFaults({ mode: 'body', status: 206, body: '{"a":1}' });
    const response = await ask(emulator.url);
    expect([response.status, await response.text()]).toEqual([206, '{"a":1}']);
  });

  it('may be compressed', async () => {
    const { emulator } = await openWithFaults({ mode: 'body', body: '{}', gzip: true });
    const response = await ask(emulator.url);
    expect(response.headers.get('content-encoding')).toBe('gzip');
    expect(await response.text()).toBe('{}');
  });

  it('may break off before its end', async () => {
    const { emulator } = await openWithFaults({ mode: 'cut', body: '{}' });
    await expect(ask(emulator.url).then((response) => response.text())).rejects.toThrow();
  });

  it.each(['endless', 'drip'])('may be %s', async (mode) => {
    const { emulator } = await openWithFaults({ mode, body: 'ab' });
    const response = await ask(emulator.url);
    let text = '';
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk as Uint8Array).toString();
      if (text.length >= 4) break;
    }
    expect(text).toMatch(/^(?:ab){2}/);
  });

  it('may blame the caller', async () => {
    const { write } = await openWithFaults({ mode: 'status', status: 400, reason: 'KEY' });
    const { error } = (await write(request)).json;
    expect(error.details).toMatchObject([{ reason: 'KEY', domain: 'googleapis.com' }]);
  });
});
