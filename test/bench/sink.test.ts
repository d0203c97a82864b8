// A peer that does not get the answer it expects repeats, logs errors or stops, and its figures are
// those of a failure. So the running sink is asked here as each peer asks it.

import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { startSink } from '../../bench/sink-client.ts';

const sink = await startSink();
afterAll(() => sink.stop());
beforeEach(() => sink.reset(10));

/** What Fluent Bit sends with each question to the metadata server. */
const asking = { 'User-Agent': 'Fluent-Bit', 'Metadata-Flavor': 'Google' };

async function askMetadata(path: string) {
  const response = await fetch(`${sink.controlUrl}/computeMetadata/v1/${path}`, {
    headers: asking,
  });
  return { status: response.status, text: await response.text() };
}

test('the metadata server has what Fluent Bit asks at its start', async () => {
  // gce_metadata.c asks for these four, and skips three slashes of the zone.
  expect(await askMetadata('project/project-id')).toEqual({ status: 200, text: 'bench' });
  const zone = await askMetadata('instance/zone');
  expect(zone.status).toBe(200);
  expect(zone.text).toMatch(/^projects\/[^/]+\/zones\/[a-z0-9-]+$/);
  expect((await askMetadata('instance/id')).text).toMatch(/^\d+$/);
  const token = await askMetadata('instance/service-accounts/default/token');
  expect(JSON.parse(token.text)).toEqual({
    access_token: expect.any(String),
    expires_in: expect.any(Number),
    token_type: 'Bearer',
  });
});

test.each([
  ['instance/name', 'bench-node'],
  ['instance/attributes/cluster-name', 'bench'],
  ['instance/attributes/cluster-location', 'europe-west4'],
])('the metadata server answers %s with %s', async (path, text) => {
  expect(await askMetadata(path)).toEqual({ status: 200, text });
});

test('the metadata server refuses as the real one does', async () => {
  expect((await askMetadata('instance/attributes/nonsense')).status).toBe(404);
  const bare = await fetch(`${sink.controlUrl}/computeMetadata/v1/instance/zone`);
  expect(bare.status).toBe(403);
});

async function post(path: string, type: string, body: string | Buffer) {
  const headers = { 'content-type': type };
  const response = await fetch(sink.url + path, {
    method: 'POST',
    headers,
    body: new Uint8Array(Buffer.from(body)),
  });
  return { status: response.status, text: await response.text() };
}

test('a bulk request of rsyslog gets a status for each of its items', async () => {
  const lines = [1, 2, 3].map(
    (n) => `{"index":{"_index":"bench"}}\n{"text":"seq=000000000${n} x"}\n`,
  );
  const answer = await post('/_bulk', 'application/json', lines.join(''));
  const { errors, items } = JSON.parse(answer.text) as { errors: boolean; items: object[] };
  expect(errors).toBe(false);
  expect(items).toHaveLength(3);
  // omelasticsearch takes the first member of an item, and its `status`, which must be below 300.
  for (const item of items) expect(Object.values(item)[0]).toMatchObject({ status: 201 });
  expect(await sink.stats()).toMatchObject({ requests: 1, distinct: 3, unknown: 0 });
});

test('a health check of Elasticsearch is answered, and is no request that carries lines', async () => {
  for (const path of ['/', '/_cat/health?bytes=m']) {
    expect((await fetch(sink.url + path)).status).toBe(200);
  }
  expect(await sink.stats()).toMatchObject({ requests: 0, bodyBytes: 0 });
});

/** A PushRequest of Loki with one entry, in snappy as one literal. */
function lokiPush(line: string): Buffer {
  const field = (number: number, bytes: Buffer) =>
    Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
  const timestamp = field(1, Buffer.from([8, 1]));
  const entry = field(2, Buffer.concat([timestamp, field(2, Buffer.from(line))]));
  const stream = field(1, Buffer.concat([field(1, Buffer.from('{job="containers"}')), entry]));
  return Buffer.concat([Buffer.from([stream.length, 60 << 2, stream.length - 1]), stream]);
}

test('a push to Loki gets 204, and its lines are found behind the compression', async () => {
  const push = lokiPush('seq=0000000004 a line that promtail sends to Loki');
  const answer = await post('/loki/api/v1/push', 'application/x-protobuf', push);
  expect(answer).toEqual({ status: 204, text: '' });
  expect(await sink.stats()).toMatchObject({ requests: 1, distinct: 1, unknown: 0 });
});

test('a push to Loki that is damaged gets 400, and counts as nothing', async () => {
  const damaged = Buffer.from('0500', 'hex');
  const answer = await post('/loki/api/v1/push', 'application/x-protobuf', damaged);
  expect(answer.status).toBe(400);
  expect(answer.text).toContain('snappy');
  expect(await sink.stats()).toMatchObject({ requests: 0, distinct: 0 });
});

test.each([
  ['/v2/entries:write', 'application/json', '{"entries":[{"textPayload":"seq=0000000005 x"}]}'],
  ['/v1/logs', 'application/json', '{"resourceLogs":[{"body":"seq=0000000005 x"}]}'],
  ['/fluentd', 'application/x-ndjson', '{"message":"seq=0000000005 x"}\n'],
  ['/syslog-ng', 'application/json', '[{"text":"seq=0000000005 x"}]'],
])('a body posted to %s gets an empty object', async (path, type, body) => {
  expect(await post(path, type, body)).toEqual({ status: 200, text: '{}' });
  expect(await sink.stats()).toMatchObject({ requests: 1, distinct: 1, unknown: 0 });
});

test('a message of the forward protocol is acknowledged, and nonsense ends the connection', async () => {
  const { hostname, port } = new URL(sink.forwardUrl);
  const socket = connect(Number(port), hostname);
  const line = 'seq=0000000006 a line';
  const text = Buffer.concat([Buffer.from([0xa0 + line.length]), Buffer.from(line)]);
  const record = Buffer.concat([Buffer.from('\x81\xa3log', 'latin1'), text]);
  const entries = Buffer.concat([Buffer.from('9192ce65000000', 'hex'), record]);
  const option = Buffer.from('\x81\xa5chunk\xa2id', 'latin1');
  socket.write(Buffer.concat([Buffer.from('\x93\xa1t', 'latin1'), entries, option]));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(answer.toString('latin1')).toBe('\x81\xa3ack\xa2id');
  expect(await sink.stats()).toMatchObject({ requests: 1, distinct: 1, unknown: 0 });
  const ended = once(socket, 'close');
  socket.write('GET / HTTP/1.1\r\n\r\n');
  await ended;
});
