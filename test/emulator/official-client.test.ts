import type { Entry } from '@google-cloud/logging';
import { Logging } from '@google-cloud/logging';
import { OAuth2Client } from 'google-auth-library';
import { expect, it, vi } from 'vitest';
import { defaults, logName, openEmulator, resource } from './emulator-fixture.ts';

/** Google's own client, over REST as the emulator speaks it. */
function clientOf(port: number): Logging {
  // It asks the network where it runs, unless it is told not to.
  vi.stubEnv('METADATA_SERVER_DETECTION', 'none');
  const authClient = new OAuth2Client();
  authClient.setCredentials({ access_token: 'test', expiry_date: Date.now() + 3_600_000 });
  const options = {
    projectId: 'acme-logs-42',
    apiEndpoint: '127.0.0.1',
    port,
    protocol: 'http',
    fallback: true,
    authClient,
  };
  return new Logging(options);
}

const kinds: Readonly<Record<string, Record<string, unknown>>> = {
  text: { textPayload: 'hello ünï 😀' },
  json: { jsonPayload: { a: 1.5, b: [true, null, 'x'], c: { d: {} } } },
  severity: { textPayload: 'x', severity: 'WARNING' },
  labels: { textPayload: 'x', labels: { 'k8s-pod/app': 'web', a: '' } },
  httpRequest: {
    textPayload: 'x',
    httpRequest: {
      requestMethod: 'GET',
      requestUrl: 'http://x/y',
      requestSize: '9007199254740993',
      status: 404,
      responseSize: '17',
      userAgent: 'curl/8',
      remoteIp: '10.0.0.1:80',
      serverIp: '10.0.0.2',
      referer: 'r',
      latency: '3.500000001s',
      cacheLookup: true,
      cacheHit: true,
      cacheValidatedWithOriginServer: true,
      cacheFillBytes: '5',
      protocol: 'HTTP/1.1',
    },
  },
  operation: { textPayload: 'x', operation: { id: 'o', producer: 'p', first: true, last: true } },
  sourceLocation: {
    textPayload: 'x',
    sourceLocation: { file: 'a.go', line: '357', function: 'f' },
  },
  trace: {
    textPayload: 'x',
    trace: 'projects/p/traces/0123',
    spanId: '00f067aa0ba902b7',
    traceSampled: true,
  },
  split: { textPayload: 'x', split: { uid: 'u', index: 1, totalSplits: 3 } },
};

it('The official client reads back every kind of entry, field for field', async () => {
  const { write, emulator } = await openEmulator({ requireToken: 'test' });
  const entries = Object.entries(kinds).map(([kind, entry]) => ({
    ...entry,
    insertId: kind,
    timestamp: '2024-03-05T14:07:21.104582937Z',
  }));
  const written = await fetch(`${emulator.url}/v2/entries:write`, {
    method: 'POST',
    body: JSON.stringify({ ...defaults, entries }),
    headers: { authorization: 'Bearer test' },
  });
  expect(written.status).toBe(200);
  expect((await write({ entries: [] })).status).toBe(401);
  const [read] = await clientOf(emulator.port).getEntries({
    filter: 'timestamp>="2024-01-01"',
    orderBy: 'timestamp asc',
  });
  expect(read.map((entry: Entry) => entry.metadata.insertId)).toEqual(
    Object.keys(kinds).toSorted(),
  );
  for (const { metadata, data } of read) {
    const { textPayload, jsonPayload, httpRequest, ...rest } =
      kinds[String(metadata.insertId)] ?? {};
    expect(data).toEqual(textPayload ?? jsonPayload);
    expect(metadata).toMatchObject({ logName, resource, severity: 'DEFAULT', ...rest });
    if (httpRequest === undefined) continue;
    // The client shows a Duration in its parts.
    expect(metadata.httpRequest).toMatchObject({
      ...httpRequest,
      latency: { seconds: '3', nanos: 500_000_001 },
    });
  }
});

it('The official client writes entries that the emulator takes, and sees a refusal as an error', async () => {
  const { emulator, stored } = await openEmulator();
  const log = clientOf(emulator.port).log('my/log');
  await log.write([
    log.entry(
      {
        resource,
        insertId: 'a',
        severity: 'ERROR',
        timestamp: '2024-01-01T00:00:00.000000001Z',
        labels: { a: 'b' },
      },
      'text',
    ),
    log.entry(
      {
        resource,
        insertId: 'b',
        timestamp: '2024-01-01T00:00:00.000000002Z',
        httpRequest: { status: 200, latency: { seconds: 1, nanos: 5 } },
      },
      { a: [1, null] },
    ),
  ]);
  const ours = (await stored()).filter((entry) => ['a', 'b'].includes(entry['insertId']));
  expect(ours).toMatchObject([
    {
      logName: 'projects/acme-logs-42/logs/my%2Flog',
      resource,
      severity: 'ERROR',
      textPayload: 'text',
      labels: { a: 'b' },
      timestamp: '2024-01-01T00:00:00.000000001Z',
    },
    { jsonPayload: { a: [1, null] }, httpRequest: { status: 200, latency: '1.000000005s' } },
  ]);
  await expect(log.write(log.entry({ resource }, 'x'.repeat(300_000)))).rejects.toThrow(
    /exceeds maximum size of 256\.0K/,
  );
});
