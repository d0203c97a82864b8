import { createServer } from 'node:http';
import { hostname } from 'node:os';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { startEmulator } from '../../src/emulator/server/server.ts';
import type { MetadataOptions } from '../../src/emulator/server/fake-metadata.ts';
import { findNodeIdentity } from '../../src/host/node-identity.ts';
import { callbackLog } from '../support/callback-log.ts';
import { makeConfig } from '../support/make-config.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const gke = {
  projectId: 'acme-logs-42',
  clusterName: ' blue\n',
  clusterLocation: 'europe-west4\n',
  zone: 'europe-west4-a',
  name: 'gke-blue-pool-1-7f3a',
} as const;

async function startMetadata(metadata: MetadataOptions): Promise<string> {
  const emulator = await startEmulator({ port: 0, metadata });
  closers.push(() => emulator.close());
  return new URL(emulator.url).host;
}

/** A server that answers each path as told, and remembers the paths. */
async function startServer(answer: (path: string) => { status: number; text: string } | 'reset') {
  const paths: string[] = [];
  const server = createServer((request, response) => {
    const path = (request.url ?? '').replace('/computeMetadata/v1/', '');
    paths.push(path);
    const told = answer(path);
    if (told === 'reset') request.socket.destroy();
    else response.writeHead(told.status, { 'metadata-flavor': 'Google' }).end(told.text);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  closers.push(() => server.close());
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, paths };
}

describe('findNodeIdentity()', () => {
  test('asks the metadata server for everything, without the white space around it', async () => {
    const metadataHost = await startMetadata(gke);
    expect(await findNodeIdentity(makeConfig({ metadataHost }))).toEqual({
      project: 'acme-logs-42',
      cluster: 'blue',
      location: 'europe-west4',
      node: 'gke-blue-pool-1-7f3a',
    });
  });

  test('takes the zone where there is no cluster-location, and no cluster on a plain machine', async () => {
    const { projectId, zone, name } = gke;
    const metadataHost = await startMetadata({ projectId, zone, name });
    expect(await findNodeIdentity(makeConfig({ metadataHost }))).toMatchObject({
      cluster: '',
      location: 'europe-west4-a',
    });
  });

  test.each([
    ['project', 'project/project-id'],
    ['cluster', 'instance/attributes/cluster-name'],
    ['location', 'instance/attributes/cluster-location'],
    ['node', 'instance/name'],
  ] as const)('lets the configuration win over the server for %s', async (key, path) => {
    const { host: metadataHost, paths } = await startServer(() => ({ status: 200, text: 'asked' }));
    const identity = await findNodeIdentity(makeConfig({ metadataHost, [key]: 'given' }));
    const asked = { project: 'asked', cluster: 'asked', location: 'asked', node: 'asked' };
    expect(identity).toEqual({ ...asked, [key]: 'given' });
    expect(paths).toHaveLength(3);
    expect(paths).not.toContain(path);
  });

  test('sends no request when everything is given', async () => {
    const { host: metadataHost, paths } = await startServer(() => 'reset');
    const given = { project: 'p', cluster: 'c', location: 'l', node: 'n' };
    expect(await findNodeIdentity(makeConfig({ metadataHost, ...given }))).toEqual(given);
    expect(paths).toEqual([]);
  });

  test('takes the name of the machine for the node elsewhere than at Google', async () => {
    const given = { project: 'p', cluster: 'c', location: 'l' };
    const identity = await findNodeIdentity(makeConfig({ metadataHost: '127.0.0.1:1', ...given }));
    expect(identity).toEqual({ ...given, node: hostname() });
  });

  test('asks again until the server of a young node answers, and says that it waits', async () => {
    let failures = 3;
    const { host: metadataHost } = await startServer(() => {
      failures -= 1;
      if (failures > 1) return 'reset';
      return failures > 0 ? { status: 503, text: '' } : { status: 200, text: 'late' };
    });
    const told: string[] = [];
    const log = callbackLog((_level, _code, text) => told.push(text));
    const identity = await findNodeIdentity(makeConfig({ metadataHost }), {
      retryForMs: 20_000,
      log,
    });
    expect(identity.project).toBe('late');
    expect(told).toHaveLength(1);
  });

  test('says what to give when there is no server', async () => {
    const config = makeConfig({ metadataHost: '127.0.0.1:1', project: 'p' });
    await expect(findNodeIdentity(config, { retryForMs: 300 })).rejects.toMatchObject({
      code: 'METADATA_UNAVAILABLE',
      message: expect.stringMatching(/^--location, --cluster, --node not given.*ECONNREFUSED/),
    });
  });

  test('believes nothing that does not say it is the metadata server', async () => {
    const server = createServer((_request, response) => response.end('captive portal'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    closers.push(() => server.close());
    const metadataHost = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    await expect(findNodeIdentity(makeConfig({ metadataHost }))).rejects.toThrow(
      /no metadata server/,
    );
  });

  test('ends the waiting when the agent is stopped', async () => {
    const stop = new AbortController();
    const found = findNodeIdentity(makeConfig({ metadataHost: '127.0.0.1:1' }), {
      retryForMs: 60_000,
      signal: stop.signal,
      log: callbackLog(() => stop.abort()),
    });
    await expect(found).rejects.toMatchObject({ code: 'METADATA_UNAVAILABLE' });
  });

  test('needs no metadata server for an emulator on this machine', async () => {
    expect(await findNodeIdentity(makeConfig({ endpoint: 'http://127.0.0.1:8085' }))).toMatchObject(
      {
        project: 'local-project',
      },
    );
  });
});
