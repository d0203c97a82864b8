// Tokens: how long one is kept, what happens when the issuer is sick, and what a 401 does.

import type { ServerResponse } from 'node:http';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { AgentError } from '../../src/errors.ts';
import { CachedToken, createCredentials, needsNoToken } from '../../src/ship/credentials.ts';
import type { FetchToken } from '../../src/ship/key-file-token.ts';
import { createShipper } from '../../src/ship/shipper.ts';
import { makeBatch } from './fake-api.ts';
import { makeStateDir, openApi, openShipper } from './open-shipper.ts';
import { makeTestCertificate } from './test-certificate.ts';
import {
  issued,
  makeOptions,
  openServer,
  remote,
  tokenLimits,
  writeFederated,
} from './token-issuer.ts';
import type { Serve } from './token-issuer.ts';
import { callbackLog } from '../support/callback-log.ts';
import { eventually } from '../support/eventually.ts';

/** A token of `lifeMs`, with a clock that the test turns. */
function openToken(fetchToken: FetchToken): { token: CachedToken; advance: (ms: number) => void } {
  let nowMs = 0;
  const options = makeOptions({ nowMs: () => nowMs, random: () => 0 });
  const advance = (ms: number): void => {
    nowMs += ms;
  };
  return { token: new CachedToken(fetchToken, options), advance };
}

const settle = (): Promise<void> => new Promise((done) => setImmediate(done));

describe('a token', () => {
  test('is fetched once for all who wait, and serves until 80 % of its life', async () => {
    const fetchToken = vi.fn<FetchToken>(() => Promise.resolve({ token: 't', lifeMs: 10_000 }));
    const { token, advance } = openToken(fetchToken);
    expect(await Promise.all([token.token(), token.token()])).toEqual(['t', 't']);
    advance(7_999);
    await token.token();
    expect(fetchToken).toHaveBeenCalledTimes(1);
    advance(1);
    await token.token();
    expect(fetchToken).toHaveBeenCalledTimes(2);
  });

  test('in the last fifth of its life serves on while the next one is fetched', async () => {
    let finish: ((issued: { token: string; lifeMs: number }) => void) | undefined;
    let count = 0;
    const { token, advance } = openToken(() => {
      count += 1;
      if (count === 1) return Promise.resolve({ token: 'old', lifeMs: 10_000 });
      return new Promise((resolve) => {
        finish = resolve;
      });
    });
    await token.token();
    advance(9_000);
    expect(await token.token()).toBe('old');
    expect(await token.token()).toBe('old');
    expect(count).toBe(2);
    finish?.({ token: 'new', lifeMs: 10_000 });
    await settle();
    expect(await token.token()).toBe('new');
  });

  test('is kept while it is valid when its issuer fails, and the issuer is asked with back-off', async () => {
    let sick = false;
    let count = 0;
    const { token, advance } = openToken(() => {
      count += 1;
      if (sick) return Promise.reject(new AgentError('METADATA_UNAVAILABLE', 'sick'));
      return Promise.resolve({ token: `t${count}`, lifeMs: 1_000_000 });
    });
    expect(await token.token()).toBe('t1');
    sick = true;
    advance(800_000);
    for (let second = 0; second < 199; second += 1) {
      expect(await token.token()).toBe('t1');
      await settle();
      advance(1_000);
    }
    // With random() = 0 the back-off is nothing, so each of the calls may have asked, but none
    // twice.
    expect(count).toBeLessThanOrEqual(200);
    advance(1_000);
    await expect(token.token()).rejects.toMatchObject({ code: 'METADATA_UNAVAILABLE' });
    sick = false;
    expect(await token.token()).toMatch(/^t\d+$/);
  });

  test.each([0, -5, Number.NaN, 1, 59_000, 5_000])(
    'that lives %d ms is used, and renewed without a storm',
    async (lifeMs) => {
      const fetchToken = vi.fn<FetchToken>(() => Promise.resolve({ token: 't', lifeMs }));
      const { token, advance } = openToken(fetchToken);
      for (let step = 0; step < 1_000; step += 1) {
        expect(await token.token()).toBe('t');
        await settle();
        advance(100);
      }
      // 100 s in all; the shortest life counts as one second.
      expect(fetchToken.mock.calls.length).toBeLessThanOrEqual(126);
    },
  );

  test.each(['two\r\nlines', 'end\n', 'tökén', 'with space', 'x'.repeat(9_000), '\0'])(
    'that no header can carry is not kept: %j',
    async (bad) => {
      const tokens = [bad, 'good'];
      const { token } = openToken(() =>
        Promise.resolve({ token: tokens.shift() ?? '', lifeMs: 3_600_000 }),
      );
      const error: unknown = await token.token().catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'SHIP_UNAUTHENTICATED' });
      expect(String(error)).not.toContain(bad);
      expect(await token.token()).toBe('good');
    },
  );

  test('that was refused is replaced, unless it was replaced already', async () => {
    let count = 0;
    const { token } = openToken(() => {
      count += 1;
      return Promise.resolve({ token: `t${count}`, lifeMs: 10_000 });
    });
    expect(await token.token()).toBe('t1');
    token.refuse('t1');
    token.refuse('t1');
    expect(await Promise.all([token.token(), token.token()])).toEqual(['t2', 't2']);
    token.refuse('t1');
    expect(await token.token()).toBe('t2');
  });
});

describe('the metadata server', () => {
  test('is asked for the default service account, with its header', async () => {
    const seen: unknown[] = [];
    const metadataHost = await openServer((request, response) => {
      seen.push(request.url, request.headers['metadata-flavor']);
      response.end(issued('ya29.x'));
    });
    const credentials = createCredentials(makeOptions({ metadataHost }));
    expect(await credentials.token()).toBe('ya29.x');
    expect(seen).toEqual(['/computeMetadata/v1/instance/service-accounts/default/token', 'Google']);
  });

  test.each([
    ['hangs', 'CREDENTIALS_MISSING', () => undefined],
    [
      'breaks off in mid-answer',
      'CREDENTIALS_MISSING',
      (response: ServerResponse) => {
        response.writeHead(200, { 'content-length': 100 });
        response.write('{', () => response.socket?.destroy());
      },
    ],
    [
      'knows no account',
      'CREDENTIALS_MISSING',
      (response: ServerResponse) => response.writeHead(404).end(),
    ],
    [
      'is overloaded',
      'METADATA_UNAVAILABLE',
      (response: ServerResponse) => response.writeHead(503).end(),
    ],
    ['speaks HTML', 'METADATA_UNAVAILABLE', (response: ServerResponse) => response.end('<html>')],
    ['gives nothing', 'METADATA_UNAVAILABLE', (response: ServerResponse) => response.end('{}')],
    ['says null', 'METADATA_UNAVAILABLE', (response: ServerResponse) => response.end('null')],
    [
      'is somebody else',
      'METADATA_UNAVAILABLE',
      (response: ServerResponse) => {
        response.removeHeader('metadata-flavor');
        response.end(issued('ya29.stolen'));
      },
    ],
    [
      'never ends',
      'CREDENTIALS_MISSING',
      (response: ServerResponse) => {
        const timer = setInterval(() => response.write('x'.repeat(8_192)), 1);
        response.on('close', () => clearInterval(timer));
      },
    ],
    [
      'drips',
      'CREDENTIALS_MISSING',
      (response: ServerResponse) => {
        const timer = setInterval(() => response.write('x'), 5);
        response.on('close', () => clearInterval(timer));
      },
    ],
  ] as const)('that %s is %s', async (_name, code, serve) => {
    const metadataHost = await openServer((_request, response) => void serve(response));
    const credentials = createCredentials(makeOptions({ metadataHost }));
    await expect(credentials.token()).rejects.toMatchObject({ code });
  });
});

describe('a key file', () => {
  test('that is missing or no JSON is told at the start', async () => {
    const file = path.join(makeStateDir(), 'key.json');
    const options = { endpoint: remote, project: 'p', gzip: false, connections: 1 };
    const open = (): Promise<unknown> =>
      createShipper(
        { ...options, stateDir: makeStateDir(), credentialsFile: file },
        { log: callbackLog() },
      );
    await expect(open()).rejects.toMatchObject({ code: 'CREDENTIALS_MISSING' });
    writeFileSync(file, 'not json');
    await expect(open()).rejects.toMatchObject({ code: 'CREDENTIALS_MISSING' });
  });

  test('of workload identity federation gives a token by google-auth-library', async () => {
    const host = await openServer((request, response) => {
      expect(request.url).toBe('/token');
      response.setHeader('content-type', 'application/json');
      response.end(issued('federated', 1_000));
    });
    const credentialsFile = writeFederated(`http://${host}/token`);
    const credentials = createCredentials(
      makeOptions({ credentialsFile, limits: tokenLimits(10_000) }),
    );
    expect(await credentials.token()).toBe('federated');
  });

  test('that its issuer does not know is a failure that is tried again', async () => {
    const credentialsFile = path.join(makeStateDir(), 'adc.json');
    writeFileSync(credentialsFile, '{"type":"external_account"}');
    const credentials = createCredentials(
      makeOptions({ credentialsFile, limits: tokenLimits(10_000) }),
    );
    await expect(credentials.token()).rejects.toMatchObject({ code: 'SHIP_UNAUTHENTICATED' });
  });
});

test.each([
  ['http://127.0.0.1:8080/', true],
  ['http://127.3.2.1/', true],
  ['http://localhost:1/', true],
  ['http://[::1]:1/', true],
  ['https://127.0.0.1/', false],
  ['http://127.0.0.1.evil.example/', false],
  ['http://10.0.0.1/', false],
  ['https://logging.googleapis.com/', false],
])('%s needs no token: %s', (endpoint, none) => {
  expect(needsNoToken(new URL(endpoint))).toBe(none);
});

describe('the shipper', () => {
  /** An API behind TLS that takes only the tokens in `valid`, and an issuer that counts them up. */
  async function openSecured(seconds = 3600): Promise<{
    valid: Set<string>;
    issuedTokens: string[];
    serve: { metadata: Serve };
    open: () => ReturnType<typeof openShipper>;
    api: Awaited<ReturnType<typeof openApi>>;
  }> {
    const certificate = makeTestCertificate();
    const caFile = path.join(makeStateDir(), 'ca.pem');
    writeFileSync(caFile, certificate.cert);
    const valid = new Set<string>();
    const issuedTokens: string[] = [];
    const api = await openApi((request, response) => {
      const token = String(request.headers.authorization).replace('Bearer ', '');
      if (valid.has(token)) api.accept(request, response);
      else response.writeHead(401).end();
    }, certificate);
    const serve: { metadata: Serve } = {
      metadata: (_request, response) => {
        const token = `t${issuedTokens.length}`;
        issuedTokens.push(token);
        valid.add(token);
        response.end(issued(token, seconds));
      },
    };
    const metadataHost = await openServer((request, response) => serve.metadata(request, response));
    const open = (): ReturnType<typeof openShipper> =>
      openShipper(api.url, { caFile, metadataHost });
    return { valid, issuedTokens, serve, open, api };
  }

  test('takes a new token after a 401 and sends the same bytes again, once for all', async () => {
    const { valid, issuedTokens, open, api } = await openSecured();
    const { shipper } = await open();
    await shipper.ship(makeBatch(1));
    valid.clear();
    const outcomes = await Promise.all([shipper.ship(makeBatch(2)), shipper.ship(makeBatch(3))]);
    expect(outcomes.map(({ accepted }) => accepted)).toEqual([2, 3]);
    expect(issuedTokens).toEqual(['t0', 't1']);
    expect(shipper.counters.consecutiveFailures).toBe(0);
    expect(api.requests.at(-1)?.headers.authorization).toBe('Bearer t1');
  });

  test('keeps the entries while every token is refused, and asks the issuer at the gate’s pace', async () => {
    const { valid, issuedTokens, serve, open, api } = await openSecured();
    const issue = serve.metadata;
    serve.metadata = (request, response) => {
      issue(request, response);
      valid.clear();
    };
    const { shipper, lines } = await open();
    const shipped = shipper.ship(makeBatch(2));
    await eventually(() => expect(shipper.counters.consecutiveFailures).toBeGreaterThan(3));
    expect(issuedTokens.length).toBeLessThanOrEqual(api.requests.length + 1);
    serve.metadata = issue;
    expect(await shipped).toMatchObject({ accepted: 2 });
    expect(lines.map((line) => line.code)).toEqual([
      'SHIP_UNAUTHENTICATED',
      'SHIP_UNAUTHENTICATED',
    ]);
  });

  test('waits for a metadata server that comes up late, and says so', async () => {
    const { serve, open } = await openSecured();
    const issue = serve.metadata;
    serve.metadata = (request) => request.socket.destroy();
    const { shipper, lines } = await open();
    const shipped = shipper.ship(makeBatch(2));
    await eventually(() => expect(lines.length).toBe(1));
    expect(lines[0]).toMatchObject({ code: 'CREDENTIALS_MISSING', level: 'error' });
    expect(lines[0]?.text).toContain('no --credentials-file is given');
    serve.metadata = issue;
    expect(await shipped).toMatchObject({ accepted: 2, requests: 1 });
  });

  test('goes on over many short-lived tokens', async () => {
    const { valid, issuedTokens, serve, open } = await openSecured(1);
    const issue = serve.metadata;
    serve.metadata = (request, response) => {
      // Only the last two are good: one that is used past its end is refused.
      if (valid.size > 1) valid.delete([...valid][0] ?? '');
      issue(request, response);
    };
    const { shipper } = await open();
    await eventually(async () => {
      await shipper.ship(makeBatch(1));
      expect(issuedTokens.length).toBeGreaterThan(3);
    });
    expect(Object.keys(shipper.counters.requestsByCode)).toEqual(['200']);
  });

  test('stops at once while the issuer hangs', async () => {
    const { serve, open } = await openSecured();
    let asked = false;
    serve.metadata = () => {
      asked = true;
    };
    const { shipper } = await open();
    const shipped = shipper.ship(makeBatch(2)).catch((error: unknown) => error);
    await eventually(() => expect(asked).toBe(true));
    await shipper.stop(10);
    expect(await shipped).toMatchObject({ code: 'SHIP_STOPPED' });
  });
});
