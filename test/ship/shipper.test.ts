// The ship stage against a real HTTP server: what it sends, and what it does with each answer.

import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { apiError, makeBatch, partialErrors } from './fake-api.ts';
import { openApi, openShipper, readLetters } from './open-shipper.ts';
import { eventually } from '../support/eventually.ts';

type Answer = [name: string, send: (response: ServerResponse) => void];

const unknownReason = JSON.stringify({
  error: {
    code: 400,
    message: 'no',
    status: 'INVALID_ARGUMENT',
    details: [{ reason: 'NOBODY_KNOWS_IT', domain: 'logging.googleapis.com' }],
  },
});

const range = (count: number): string[] => Array.from({ length: count }, (_, index) => `e${index}`);

/** A 200 as these bytes, then the end of the connection. */
function sendRaw(response: ServerResponse, header: string, body: string): void {
  response.socket?.end(`HTTP/1.1 200 OK\r\n${header}\r\n\r\n${body}`);
}

/** The same, with the connection broken off instead. */
function cutOff({ socket }: ServerResponse, header: string, body: string): void {
  socket?.write(`HTTP/1.1 200 OK\r\n${header}\r\n\r\n${body}`, () => socket.destroy());
}

function sendZipped(response: ServerResponse): void {
  response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{}'));
}

describe('a request', () => {
  test('carries the bytes of shared memory as they are, to entries:write under the base path', async () => {
    const api = await openApi();
    const { shipper } = await openShipper(new URL('gateway/logging/', api.url), {
      quotaProject: 'payer',
    });
    const batch = makeBatch(3);
    const outcome = await shipper.ship(batch);
    expect(outcome).toEqual({
      accepted: 3,
      deadLettered: 0,
      requests: 1,
      retries: 0,
      wireBytes: batch.body.length,
    });
    const [request] = api.requests;
    expect(request?.path).toBe('/gateway/logging/v2/entries:write');
    expect(request?.body).toBe(Buffer.from(batch.body).toString('utf8'));
    expect(request?.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': expect.stringMatching(/^tailship\/\d/),
      'x-goog-user-project': 'payer',
    });
    // Plain http on a loopback address: no token is exposed.
    expect(request?.headers).not.toHaveProperty('authorization');
    expect(request?.headers).not.toHaveProperty('content-encoding');
  });

  test('is compressed with gzip, and counted as it goes on the wire', async () => {
    const api = await openApi();
    const { shipper } = await openShipper(api.url, { gzip: true });
    const batch = makeBatch(500);
    const outcome = await shipper.ship(batch);
    expect(api.requests[0]?.headers['content-encoding']).toBe('gzip');
    expect(api.requests[0]?.body).toBe(Buffer.from(batch.body).toString('utf8'));
    expect(outcome.wireBytes).toBe(Number(api.requests[0]?.headers['content-length']));
    expect(outcome.wireBytes).toBeLessThan(batch.body.length / 4);
  });

  test('of several megabytes arrives whole', async () => {
    const api = await openApi();
    const { shipper } = await openShipper(api.url);
    const batch = makeBatch(5_000, (index) => `${index} `.padEnd(1_500, 'ü'));
    await shipper.ship(batch);
    expect(api.requests[0]?.body).toBe(Buffer.from(batch.body).toString('utf8'));
  });

  test('never has more than `connections` beside it', async () => {
    let most = 0;
    const held: (() => void)[] = [];
    const api = await openApi((request, response) => {
      held.push(() => api.accept(request, response));
      most = Math.max(most, held.length);
      // Each pair waits for its second, and then for a third that must not come.
      if (held.length < 2) return;
      setTimeout(() => {
        for (const answer of held.splice(0)) answer();
      }, 1);
    });
    const { shipper } = await openShipper(api.url, { connections: 2 });
    await Promise.all(Array.from({ length: 30 }, () => shipper.ship(makeBatch(2))));
    expect(most).toBe(2);
    expect(api.sockets.length).toBe(2);
  });
});

describe('an answer', () => {
  test.each<Answer>([
    ['200 with a page', (response) => response.end('<html><title>Log in</title>')],
    ['200 with nothing', (response) => response.end()],
    ['200 with JSON of another service', (response) => response.end('{"status":"ok"}')],
    ['200 that is compressed', (response) => sendZipped(response)],
    ...['br', 'x-unknown', 'identity, br'].map((encoding): Answer => [
      `200 with {}, of which it says that it is ${encoding}`,
      (response) => response.writeHead(200, { 'content-encoding': encoding }).end('{}'),
    ]),
    ['200 that is cut by its length', (response) => sendRaw(response, 'content-length: 1', '{}')],
    ['200 whose end never comes', (response) => cutOff(response, 'content-length: 100', '{}')],
    [
      '200 whose last chunk never comes',
      (response) => cutOff(response, 'transfer-encoding: chunked', '2\r\n{}\r\n'),
    ],
    ['204', (response) => response.writeHead(204).end()],
    ['206', (response) => response.writeHead(206).end('{}')],
  ])('%s is not written: it is told, and sent again as it was', async (_name, answer) => {
    let isForeign = true;
    const api = await openApi((request, response) => {
      if (isForeign) answer(response);
      else api.accept(request, response);
    });
    const { shipper, lines, stateDir } = await openShipper(api.url);
    const shipped = shipper.ship(makeBatch(4));
    await eventually(() => expect(shipper.counters.consecutiveFailures).toBeGreaterThan(2));
    expect(shipper.counters).toMatchObject({ acceptedEntries: 0, lastSuccessMs: undefined });
    expect(lines[0]).toMatchObject({ level: 'error' });
    isForeign = false;
    expect(await shipped).toMatchObject({ accepted: 4, deadLettered: 0 });
    expect(new Set(api.requests.map((request) => request.body)).size).toBe(1);
    expect(() => readLetters(stateDir)).toThrow('ENOENT');
  });

  test('that is foreign has a code of its own', async () => {
    const api = await openApi((_request, response) => response.end('<html>'));
    const { shipper, lines } = await openShipper(api.url);
    const shipped = shipper.ship(makeBatch(1)).catch(() => undefined);
    await eventually(() => expect(lines.length).toBe(1));
    expect(lines[0]).toMatchObject({ level: 'error', code: 'SHIP_FOREIGN_ANSWER' });
    await shipper.stop(0);
    await shipped;
  });

  test('200 `{}` until the connection ends is a success', async () => {
    const api = await openApi((_request, response) => sendRaw(response, 'connection: close', '{}'));
    const { shipper } = await openShipper(api.url);
    expect(await shipper.ship(makeBatch(4))).toMatchObject({ accepted: 4, requests: 1 });
  });

  test.each([
    ['API_KEY_INVALID', 'googleapis.com'],
    ['CONSUMER_INVALID', 'googleapis.com'],
    ['SERVICE_DISABLED', 'googleapis.com'],
    ['BILLING_DISABLED', 'logging.googleapis.com'],
  ])('400 for %s keeps the entries, slowly', async (reason, domain) => {
    const api = await openApi((request, response) => {
      if (request.index > 3) return api.accept(request, response);
      const details = [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason, domain }];
      const message = 'API key not valid. Please pass a valid API key.';
      apiError(response, { code: 400, status: 'INVALID_ARGUMENT', message, details });
    });
    const { shipper, lines } = await openShipper(api.url);
    expect(await shipper.ship(makeBatch(3))).toMatchObject({ accepted: 3, deadLettered: 0 });
    expect(lines[0]).toMatchObject({ level: 'error', code: 'SHIP_FORBIDDEN' });
  });

  test.each([
    408, 409, 429, 500, 501, 502, 503, 504, 511, 401, 403, 404, 405, 407, 301, 302, 307, 418, 451,
  ])('%i without details is repeated with the same bytes until it succeeds', async (status) => {
    const api = await openApi((request, response) => {
      if (request.index < 3) response.writeHead(status).end();
      else api.accept(request, response);
    });
    const { shipper, stateDir } = await openShipper(api.url);
    const outcome = await shipper.ship(makeBatch(5));
    expect(outcome).toMatchObject({ accepted: 5, deadLettered: 0, requests: 4, retries: 3 });
    expect(new Set(api.requests.map((request) => request.body)).size).toBe(1);
    expect(shipper.counters.requestsByCode).toEqual({ [status]: 3, 200: 1 });
    expect(() => readLetters(stateDir)).toThrow('ENOENT');
  });

  test.each([
    ['an HTML page', 503, '<html><body>502 Bad Gateway</body></html>'],
    ['an HTML page with status 400', 400, '<html>Your client has issued a malformed request'],
    ['an empty body with status 400', 400, ''],
    ['cut JSON', 400, '{"error":{"code":400,"message":"Inv'],
    ['JSON of somebody else', 400, '{"fault":"no"}'],
  ])('%s is no word of the API and is repeated', async (_name, status, body) => {
    const api = await openApi((request, response) => {
      if (request.index < 2) response.writeHead(status).end(body);
      else api.accept(request, response);
    });
    const { shipper } = await openShipper(api.url);
    expect(await shipper.ship(makeBatch(5))).toMatchObject({ accepted: 5, deadLettered: 0 });
  });

  test('403 for lack of rights keeps the entries until the right is there', async () => {
    const api = await openApi((request, response) => {
      if (request.index < 4) {
        apiError(response, { code: 403, status: 'PERMISSION_DENIED', message: 'no right' });
      } else api.accept(request, response);
    });
    const { shipper, lines } = await openShipper(api.url);
    expect(await shipper.ship(makeBatch(2))).toMatchObject({ accepted: 2, deadLettered: 0 });
    expect(lines.map((line) => [line.level, line.code])).toEqual([
      ['error', 'SHIP_FORBIDDEN'],
      ['info', 'SHIP_FORBIDDEN'],
    ]);
  });
});

describe('a partial success', () => {
  test('sends the retryable entries alone, buries the bad ones, repeats no other', async () => {
    const api = await openApi((request, response) => {
      if (request.index === 0) {
        const codes = { 1: 8, 3: 3, 4: 14, 6: 13, 7: 4, 8: 10, 9: 1, 10: 5, 11: 9, 12: 11 };
        const details = [partialErrors(codes), { '@type': 'DebugInfo', detail: 'x' }];
        apiError(response, { code: 429, status: 'RESOURCE_EXHAUSTED', message: 'some', details });
        api.count(request.ids.filter((_, index) => !Object.hasOwn(codes, index)));
      } else api.accept(request, response);
    });
    const { shipper, stateDir, lines } = await openShipper(api.url);
    const batch = makeBatch(20);
    const outcome = await shipper.ship(batch);
    expect(outcome).toMatchObject({ accepted: 16, deadLettered: 4, requests: 2, retries: 1 });
    expect(api.requests[1]?.ids).toEqual(['e1', 'e4', 'e6', 'e7', 'e8', 'e9']);
    // The same bytes as before, so the same insertIds: an entry stored twice shows once.
    const line = (id: string): string => JSON.stringify({ insertId: id, textPayload: 'text of 4' });
    expect(api.requests[1]?.body).toContain(line('e4'));
    expect([...api.written.values()].every((count) => count === 1)).toBe(true);
    expect(readLetters(stateDir).map((letter) => [letter.entry.insertId, letter.code])).toEqual([
      ['e3', 3],
      ['e10', 5],
      ['e11', 9],
      ['e12', 11],
    ]);
    expect(shipper.counters).toMatchObject({
      acceptedEntries: 16,
      deadLetteredByReason: { refused: 4 },
      consecutiveFailures: 0,
    });
    expect(lines.map(({ code }) => code)).toEqual(['SHIP_REJECTED']);
  });

  test('keeps indexes right over several rounds', async () => {
    const api = await openApi((request, response) => {
      // Each round accepts the first entry, refuses the second for good and postpones the rest.
      const codes = Object.fromEntries(
        request.ids.map((_, index) => [index, index === 1 ? 3 : 14] as const).slice(1),
      );
      if (request.ids.length > 1) {
        const details = [partialErrors(codes)];
        apiError(response, { code: 503, status: 'UNAVAILABLE', message: 'some', details });
        api.count(request.ids.slice(0, 1));
      } else api.accept(request, response);
    });
    const { shipper, stateDir } = await openShipper(api.url);
    const outcome = await shipper.ship(makeBatch(9));
    expect(outcome).toMatchObject({ accepted: 5, deadLettered: 4, requests: 5 });
    expect([...api.written.keys()]).toEqual(['e0', 'e2', 'e4', 'e6', 'e8']);
    const buried = readLetters(stateDir).map((letter) => letter.entry.insertId);
    expect(buried).toEqual(['e1', 'e3', 'e5', 'e7']);
  });

  test('ignores indexes that are none of the request', async () => {
    const api = await openApi((request, response) => {
      if (request.index > 0) return api.accept(request, response);
      const details = [partialErrors({ 99: 3, '-1': 3, x: 3, 2: 3, 1.5: 3 })];
      apiError(response, { code: 400, status: 'INVALID_ARGUMENT', message: 'some', details });
    });
    const { shipper, stateDir } = await openShipper(api.url);
    expect(await shipper.ship(makeBatch(5))).toMatchObject({ accepted: 4, deadLettered: 1 });
    expect(readLetters(stateDir).map((letter) => letter.entry.insertId)).toEqual(['e2']);
  });

  test('an entry that is denied again and again is given up, one that is denied for a while is not', async () => {
    const api = await openApi((request, response) => {
      const codes: Record<string, number> = {};
      for (const [index, id] of request.ids.entries()) {
        if (id === 'e1' || (id === 'e2' && request.index < 3)) codes[index] = 7;
      }
      if (Object.keys(codes).length === 0) return api.accept(request, response);
      const details = [partialErrors(codes)];
      apiError(response, { code: 403, status: 'PERMISSION_DENIED', message: 'denied', details });
    });
    const { shipper } = await openShipper(api.url, { limits: { shipDeniedAttemptsMax: 6 } });
    const outcome = await shipper.ship(makeBatch(4));
    expect(outcome).toMatchObject({ accepted: 3, deadLettered: 1, requests: 6 });
    expect(shipper.counters.deadLetteredByReason).toEqual({ denied: 1 });
  });
});

describe('a 400 without details', () => {
  const refuseIf =
    (isPoison: (id: string) => boolean): Parameters<typeof openApi>[0] =>
    (request, response) => {
      if (request.ids.some(isPoison)) {
        const message = 'Invalid JSON payload received. Unknown name "f1"';
        apiError(response, { code: 400, status: 'INVALID_ARGUMENT', message });
      } else response.end('{}');
    };

  test('is bisected: the poison is alone in the end, at every position', async () => {
    for (const entryCount of [1, 2, 3, 5, 8]) {
      for (let poison = 0; poison < entryCount; poison += 1) {
        const api = await openApi(refuseIf((id) => id === `e${poison}`));
        const { shipper, stateDir } = await openShipper(api.url);
        const outcome = await shipper.ship(makeBatch(entryCount));
        expect(outcome).toMatchObject({ accepted: entryCount - 1, deadLettered: 1 });
        const [letter] = readLetters(stateDir);
        expect(letter).toMatchObject({ code: 3, entry: { insertId: `e${poison}` } });
        expect(letter?.reason).toContain('Unknown name "f1"');
      }
    }
  });

  test('finds every 997th of 5,000 entries with few requests', async () => {
    const api = await openApi(refuseIf((id) => Number(id.slice(1)) % 997 === 996));
    const { shipper, stateDir } = await openShipper(api.url);
    const outcome = await shipper.ship(makeBatch(5_000));
    expect(outcome).toMatchObject({ accepted: 4_995, deadLettered: 5 });
    // At most two requests a level and poison: 2 · log2(5000) · 5.
    expect(outcome.requests).toBeLessThan(125);
    expect(readLetters(stateDir)).toHaveLength(5);
  });

  test('about the size halves the body until it fits, and buries what alone is too large', async () => {
    const api = await openApi((request, response) => {
      if (request.body.length > 2_000) {
        const message = 'Request payload size exceeds the limit: 10485760 bytes.';
        apiError(response, { code: 400, status: 'INVALID_ARGUMENT', message });
      } else api.accept(request, response);
    });
    const { shipper } = await openShipper(api.url);
    const batch = makeBatch(40, (index) => 'x'.repeat(index === 17 ? 3_000 : 100));
    expect(await shipper.ship(batch)).toMatchObject({ accepted: 39, deadLettered: 1 });
    expect(shipper.counters.deadLetteredByReason).toEqual({ too_large: 1 });
    expect([...api.written.keys()].toSorted()).toEqual(
      range(40)
        .filter((id) => id !== 'e17')
        .toSorted(),
    );
  });

  test('413 is halved like it, even with an HTML body', async () => {
    const api = await openApi((request, response) => {
      if (request.ids.length > 3) response.writeHead(413).end('<html>too large');
      else api.accept(request, response);
    });
    const { shipper } = await openShipper(api.url);
    expect(await shipper.ship(makeBatch(10))).toMatchObject({ accepted: 10, deadLettered: 0 });
  });

  test.each([
    [400, 'SHIP_FOREIGN_ANSWER', '<html>blocked'],
    [413, 'SHIP_FOREIGN_ANSWER', '<html>blocked'],
    [400, 'SHIP_UNKNOWN_REASON', unknownReason],
  ])(
    '%i with %s isolates an entry and keeps it: only what the API says of it condemns it',
    async (status, code, text) => {
      let isBlocked = true;
      const api = await openApi((request, response) => {
        if (!isBlocked || !request.ids.includes('e2')) return api.accept(request, response);
        response.writeHead(status).end(text);
      });
      const { shipper, stateDir, lines } = await openShipper(api.url, {
        limits: { shipOddAnswersMax: 2 },
      });
      const shipped = shipper.ship(makeBatch(6));
      await eventually(() => expect(shipper.counters.acceptedEntries).toBe(5));
      const seen = api.requests.length;
      await eventually(() => expect(api.requests.length).toBeGreaterThan(seen + 5));
      expect(lines.map((line) => line.code)).toContain(code);
      expect(() => readLetters(stateDir)).toThrow('ENOENT');
      isBlocked = false;
      expect(await shipped).toMatchObject({ accepted: 6, deadLettered: 0 });
    },
  );

  test('413 from a proxy that takes nothing is an outage: kept, told, asked at the pace of one', async () => {
    let isSick = true;
    const api = await openApi((request, response) => {
      if (isSick) response.writeHead(413).end('<html>too large');
      else api.accept(request, response);
    });
    const { shipper, lines } = await openShipper(api.url);
    const shipped = shipper.ship(makeBatch(4));
    await eventually(() => expect(shipper.counters.consecutiveFailures).toBeGreaterThan(3));
    expect(lines.map(({ level, code }) => [level, code])).toContainEqual([
      'error',
      'SHIP_FOREIGN_ANSWER',
    ]);
    isSick = false;
    expect(await shipped).toMatchObject({ accepted: 4, deadLettered: 0 });
  });

  test('that is not the API’s for everything buries nothing', async () => {
    let sick = true;
    const api = await openApi((request, response) => {
      if (sick) response.writeHead(400).end('<html>bad gateway configuration');
      else api.accept(request, response);
    });
    const { shipper } = await openShipper(api.url, { limits: { shipOddAnswersMax: 2 } });
    const shipped = shipper.ship(makeBatch(4));
    await eventually(() => expect(api.requests.length).toBeGreaterThan(25));
    sick = false;
    expect(await shipped).toMatchObject({ accepted: 4, deadLettered: 0 });
  });

  test('for everything is slowed down, so that a wrong configuration costs few entries', async () => {
    const api = await openApi(refuseIf(() => true));
    const { shipper } = await openShipper(api.url, {
      limits: { shipRefusalStreakMax: 8, shipRefusalPaceMs: 60_000 },
    });
    void shipper.ship(makeBatch(64)).catch(() => undefined);
    await eventually(() => expect(shipper.counters.deadLetteredByReason).toEqual({ refused: 9 }));
    const { requests } = shipper.counters;
    await shipper.stop(0);
    expect(shipper.counters.requests).toBe(requests);
  });
});
