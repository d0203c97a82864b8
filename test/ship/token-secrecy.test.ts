// Tokens and keys stay secret: not in an error, not on an unencrypted way, not in a long answer.

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { inspect } from 'node:util';
import { writeHeapSnapshot } from 'node:v8';
import { describe, expect, test } from 'vitest';
import { createCredentials } from '../../src/ship/credentials.ts';
import { makeBatch } from './fake-api.ts';
import { makeStateDir, openApi, openShipper } from './open-shipper.ts';
import { makeTestCertificate } from './test-certificate.ts';
import { issued, makeOptions, openServer, tokenLimits, writeFederated } from './token-issuer.ts';
import { eventually } from '../support/eventually.ts';

describe('an error', () => {
  test.each([
    'ya29.SECRET-of-the-issuer',
    '{"access_token":"ya29.SECRET',
    '{"access_token":"ya29.SECRET",}',
    '{"token":"SECRET"}',
  ])('does not repeat what the metadata server sent: %s', async (sent) => {
    const metadataHost = await openServer((_request, response) => response.end(sent));
    const error = await createCredentials(makeOptions({ metadataHost })).token().catch(String);
    expect(error).toContain('AgentError');
    expect(inspect(error, { depth: 9 })).not.toContain('SECRET');
  });

  test.each(['{"private_key":"SECRET', 'SECRET', '["SECRET"', '{"private_key":SECRET}'])(
    'does not repeat what a key file holds: %s',
    (text) => {
      const credentialsFile = path.join(makeStateDir(), 'key.json');
      writeFileSync(credentialsFile, text);
      try {
        createCredentials(makeOptions({ credentialsFile }));
        expect.unreachable();
      } catch (error) {
        expect(error).toMatchObject({ code: 'CREDENTIALS_MISSING' });
        expect(inspect(error, { depth: 9 })).not.toContain('SECRET');
      }
    },
  );

  test.each([
    [200, 'SECRET'],
    [200, '{"access_token":SECRET}'],
    [400, '{"error":"invalid_grant","error_description":"SECRET"}'],
    [500, '<html>SECRET'],
  ])('does not repeat what an issuer answers: %i %s', async (status, sent) => {
    const host = await openServer((_request, response) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(sent);
    });
    const credentialsFile = writeFederated(`http://${host}/token`);
    const options = makeOptions({ credentialsFile, limits: tokenLimits(10_000) });
    const error: unknown = await createCredentials(options)
      .token()
      .catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: 'SHIP_UNAUTHENTICATED' });
    expect(inspect(error, { depth: 9 })).not.toContain('SECRET');
  });

  /** Answers without an end, as fast as they are read. */
  function openEndless() {
    const poured = { bytes: 0, isClosed: false };
    const host = openServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const block = 'x'.repeat(16_384);
      const pour = (): void => {
        while (response.write(block)) poured.bytes += block.length;
      };
      response.on('drain', pour).on('close', () => {
        poured.isClosed = true;
      });
      pour();
    });
    return { poured, host };
  }

  test('of an issuer whose answer never ends comes after some KiB of it', async () => {
    const { poured, host } = openEndless();
    const credentialsFile = writeFederated(`http://${await host}/token`);
    const options = makeOptions({ credentialsFile, limits: tokenLimits(10_000) });
    await expect(createCredentials(options).token()).rejects.toMatchObject({
      code: 'SHIP_UNAUTHENTICATED',
    });
    await eventually(() => expect(poured.isClosed).toBe(true));
    expect(poured.bytes).toBeLessThan(16 * 1024 * 1024);
  });

  test('of a metadata server whose answer never ends comes after some KiB of it', async () => {
    const { poured, host } = openEndless();
    const options = makeOptions({ metadataHost: await host, limits: tokenLimits(10_000) });
    await expect(createCredentials(options).token()).rejects.toMatchObject({
      cause: expect.objectContaining({ message: 'the answer is too long' }),
    });
    await eventually(() => expect(poured.isClosed).toBe(true));
    expect(poured.bytes).toBeLessThan(16 * 1024 * 1024);
  });
});

describe('plain http', () => {
  const refused = { code: 'PLAIN_HTTP_REFUSED' };

  test.each(['http://10.0.0.1/', 'http://logging.example/', 'http://127.0.0.1.evil.example/'])(
    'to %s is refused before a token is asked for, unless the user insists',
    async (url) => {
      const endpoint = new URL(url);
      await expect(openShipper(endpoint)).rejects.toMatchObject(refused);
      await expect(openShipper(endpoint, { proxy: 'http://127.0.0.1:1' })).rejects.toMatchObject(
        refused,
      );
      await openShipper(endpoint, { allowPlainHttp: true });
    },
  );

  test.each([
    ['token_uri', { type: 'service_account', token_uri: 'http://issuer.example/token' }],
    ['token_url', { type: 'external_account', token_url: 'http://10.1.2.3/token' }],
    [
      'service_account_impersonation_url',
      { type: 'external_account', service_account_impersonation_url: 'http://iam.example/x' },
    ],
    ['url', { type: 'external_account', credential_source: { url: 'http://10.1.2.3/subject' } }],
    ['token_uri', { source_credentials: { token_uri: 'http://issuer.example/token' } }],
  ])('in %s of a key file is refused, unless the user insists', (name, key) => {
    const credentialsFile = path.join(makeStateDir(), 'key.json');
    writeFileSync(credentialsFile, JSON.stringify(key));
    expect(() => createCredentials(makeOptions({ credentialsFile }))).toThrow(
      expect.objectContaining({ ...refused, message: expect.stringContaining(name) }),
    );
    createCredentials(makeOptions({ credentialsFile, allowPlainHttp: true }));
  });

  test.each([
    { token_uri: 'http://127.0.0.1:1/token' },
    { token_uri: 'https://issuer.example/token' },
    { credential_source: { url: 'http://169.254.169.254/metadata/identity' } },
  ])('that stays on the machine, or https, is taken: %j', (key) => {
    const credentialsFile = path.join(makeStateDir(), 'key.json');
    writeFileSync(credentialsFile, JSON.stringify(key));
    createCredentials(makeOptions({ credentialsFile }));
  });
});

test('a heap dump holds two copies of the token in use, and none of earlier ones', async () => {
  const certificate = makeTestCertificate();
  const stateDir = makeStateDir();
  const caFile = path.join(stateDir, 'ca.pem');
  writeFileSync(caFile, certificate.cert);
  const api = await openApi((_request, response) => response.end('{}'), certificate);
  const tokenOf = (count: number): string => `ya29.${String(count).repeat(100)}`;
  let count = 0;
  const metadataHost = await openServer((_request, response) => {
    count += 1;
    response.end(issued(tokenOf(count), 1));
  });
  const { shipper } = await openShipper(api.url, { caFile, metadataHost });
  await eventually(async () => {
    await shipper.ship(makeBatch(1));
    expect(api.requests.at(-1)?.headers.authorization).toBe(`Bearer ${tokenOf(3)}`);
  });
  // What the server of this test has received is no copy of the agent's.
  api.requests.length = 0;
  const file = writeHeapSnapshot(path.join(stateDir, 'dump.heapsnapshot'));
  const { strings } = JSON.parse(readFileSync(file, 'utf8')) as { strings: string[] };
  const copies = (token: string): string[] => strings.filter((text) => text.includes(token));
  const last = tokenOf(3);
  expect(copies(last).toSorted()).toEqual([`Bearer ${last}`, last]);
  for (const old of [1, 2]) expect(copies(tokenOf(old))).toEqual([]);
});
