import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { ContainerName } from '../../src/discover/container-name.ts';
import { KubernetesApi } from '../../src/discover/pods/kubernetes-api.ts';
import {
  kubernetesApiOf,
  PodMetadata,
  type PodName,
} from '../../src/discover/pods/pod-metadata.ts';
import { makeTestCertificate } from '../ship/test-certificate.ts';
import {
  fakePod,
  FakeApiServer,
  type FakeApiServerOptions,
  type FakePod,
} from '../support/fake-api-server.ts';
import { callbackLog } from '../support/callback-log.ts';
import { eventually } from '../support/eventually.ts';
import { makeConfig } from '../support/make-config.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** Times of the tests; those of production would make them take minutes. */
const fast = {
  podRequestGapMs: 10,
  podWatchShortMs: 20,
  podBackoffBaseMs: 10,
  podBackoffMaxMs: 40,
} as const;

async function startServer(options: FakeApiServerOptions = {}, pods: FakePod[] = []) {
  const server = new FakeApiServer(options);
  closers.push(() => server.close());
  for (const pod of pods) server.put(pod);
  return { server, url: await server.listen() };
}

type Other = {
  readonly tokenFile?: string;
  readonly caFile?: string;
  readonly listMs?: number;
};

function openPods(url: string, options: { waitMs?: number } & Other = {}) {
  const { waitMs = 60_000, listMs = 60_000, tokenFile = '/nowhere', caFile = '/nowhere' } = options;
  const changed: PodName[] = [];
  const troubles: string[] = [];
  const api = new KubernetesApi({ url: new URL(url), tokenFile, caFile });
  const pods = new PodMetadata(
    api,
    { node: 'node-1', waitMs, limits: { ...fast, podListMs: listMs } },
    {
      changed: (pod) => changed.push(pod),
      log: callbackLog((_level, _code, text) => troubles.push(text)),
    },
  );
  closers.push(() => pods.close());
  return { pods, changed, troubles };
}

function nameOf({ metadata }: FakePod): ContainerName {
  const { namespace, name: pod, uid: podUid } = metadata;
  return { namespace, pod, podUid, container: 'app', restartCount: 0 };
}

function scratchFile(text: string): string {
  const file = join(mkdtempSync(join(tmpdir(), 'tailship-pods-')), 'file');
  writeFileSync(file, text);
  return file;
}

describe('PodMetadata', () => {
  test('lists all pages, of its own node only, as metadata without spec and status', async () => {
    const own = Array.from({ length: 25 }, (_, n) => fakePod(n, { bodyBytes: 10_000 }));
    const other = fakePod(99, { node: 'node-2' });
    const { server, url } = await startServer({ pageMax: 10 }, [...own, other]);
    const { pods } = openPods(url);
    await pods.ready;
    expect(own.filter((pod) => pods.find(nameOf(pod)) === undefined)).toEqual([]);
    expect(pods.find(nameOf(other))).toBeUndefined();
    expect(server.counts).toMatchObject({ lists: 1, pages: 3 });
    expect(server.counts.sentBytes).toBeLessThan(100_000);
  });

  test('reads labels before and after managedFields, whatever is in those', async () => {
    const odd = [{ 'f:a"]\\': { ']': '[' } }, [], { text: '\\"managedFields\\":[' }];
    const uid = fakePod(1).metadata.uid;
    const before = { name: 'a', namespace: 'ns', labels: { note: '"managedFields":[' } };
    const metadata = { ...before, managedFields: odd, uid, ownerReferences: [] };
    const { url } = await startServer({}, [
      { metadata, spec: { nodeName: 'node-1' } },
      fakePod(2, { labels: { second: 'yes' } }),
    ]);
    const { pods } = openPods(url);
    await pods.ready;
    expect(pods.find({ ...nameOf(fakePod(1)) })?.labels).toBe(
      `"k8s-pod/note":${JSON.stringify('"managedFields":[')}`,
    );
    expect(pods.find(nameOf(fakePod(2)))?.labels).toContain('second');
  });

  test('hears of new pods and of changed labels, once, and not of changed states', async () => {
    const first = fakePod(1);
    const { server, url } = await startServer({}, [first]);
    const { pods, changed } = openPods(url);
    await eventually(() => expect(server.watchCount).toBe(1));
    server.put(fakePod(2));
    await eventually(() => expect(pods.find(nameOf(fakePod(2)))).toBeDefined());
    for (let round = 0; round < 10; round += 1) server.put({ ...first, status: { round } });
    server.put(fakePod(1, { labels: { app: 'other' } }));
    await eventually(() => expect(pods.find(nameOf(first))?.labels).toContain('"other"'));
    expect(changed.map(({ pod }) => pod)).toEqual([
      first.metadata.name,
      fakePod(2).metadata.name,
      first.metadata.name,
    ]);
  });

  test('keeps the labels of a deleted pod, and those of the pod that takes its name apart', async () => {
    const old = fakePod(1, { name: 'db-0', labels: { generation: 'old' } });
    const { server, url } = await startServer({}, [old]);
    const { pods } = openPods(url);
    await eventually(() => expect(server.watchCount).toBe(1));
    server.remove(old.metadata.uid);
    const young = fakePod(2, { name: 'db-0', labels: { generation: 'young' } });
    server.put(young);
    await eventually(() => expect(pods.find(nameOf(young))?.labels).toContain('young'));
    expect(pods.find(nameOf(old))?.labels).toContain('old');
  });

  test('knows a pod by its name where the path has only the id of a container', async () => {
    const pod = fakePod(1);
    const { url } = await startServer({}, [pod]);
    const { pods } = openPods(url);
    await pods.ready;
    const podUid = 'c'.repeat(64);
    expect(pods.find({ ...nameOf(pod), podUid })).toMatchObject({ pod: pod.metadata.name });
  });

  test.each(['reset', 'end'] as const)(
    'goes on where it was after the watch broke (%s), without a new list',
    async (how) => {
      const { server, url } = await startServer({}, [fakePod(1)]);
      const { pods } = openPods(url);
      await eventually(() => expect(server.watchCount).toBe(1));
      server.put(fakePod(2));
      await eventually(() => expect(pods.find(nameOf(fakePod(2)))).toBeDefined());
      const { version } = server;
      server.cut(how);
      server.put(fakePod(3));
      await eventually(() => expect(pods.find(nameOf(fakePod(3)))).toBeDefined());
      expect(server.counts.lists).toBe(1);
      expect(server.requests.at(-1)).toContain(`resourceVersion=${version}`);
    },
  );

  test('remembers the version of a bookmark, which saves the list after a quiet time', async () => {
    const { server, url } = await startServer({}, [fakePod(1)]);
    const { pods } = openPods(url);
    await eventually(() => expect(server.watchCount).toBe(1));
    server.forgetHistory();
    server.bookmark();
    await eventually(() => expect(pods.counters.events).toBe(1));
    server.cut('end');
    await eventually(() => expect(server.counts.watches).toBe(2));
    await eventually(() => expect(server.watchCount).toBe(1));
    expect(server.counts.lists).toBe(1);
  });

  test('lists again when the server has forgotten the version (410), and drops what is gone', async () => {
    const { server, url } = await startServer({}, [fakePod(1), fakePod(2)]);
    const { pods, troubles } = openPods(url);
    await eventually(() => expect(server.watchCount).toBe(1));
    for (let round = 1; round <= 3; round += 1) {
      server.cut('reset');
      server.put(fakePod(10 + round));
      server.forgetHistory();
      await eventually(() => expect(pods.find(nameOf(fakePod(10 + round)))).toBeDefined());
      await eventually(() => expect(server.watchCount).toBe(1));
      expect(server.counts.lists).toBe(1 + round);
    }
    server.expireWatches();
    await eventually(() => expect(server.counts.lists).toBe(5));
    expect(troubles.join('\n')).toContain('410');
  });

  test('asks for the whole list at once after a page was forgotten', async () => {
    const many = Array.from({ length: 30 }, (_, n) => fakePod(n));
    const { server, url } = await startServer({ pageMax: 10 }, many);
    server.fault = { kind: 'slow', delayMs: 20 };
    const { pods } = openPods(url);
    await eventually(() => expect(server.counts.pages).toBe(1));
    server.forgetHistory();
    await eventually(() => expect(pods.find(nameOf(fakePod(29)))).toBeDefined());
    expect(
      server.requests.some((path) => !path.includes('limit=') && !path.includes('continue')),
    ).toBe(true);
  });

  test('asks seldom while the server fails, and is up to date soon after', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.99);
    onTestFinished(() => void vi.restoreAllMocks());
    const { server, url } = await startServer({}, [fakePod(1)]);
    server.fault = { kind: 'status', status: 500 };
    const startedMs = performance.now();
    const { pods, troubles } = openPods(url);
    await eventually(() => expect(server.counts.refused).toBeGreaterThanOrEqual(10));
    // Between ten requests: 10, 20 and seven times 40 ms, and a gap of 10 ms each.
    expect(performance.now() - startedMs).toBeGreaterThan(350);
    expect(troubles[0]).toContain('500');
    server.fault = { kind: 'garbage' };
    await eventually(() => expect(troubles.join()).toContain('no JSON'));
    server.fault = { kind: 'none' };
    await pods.ready;
    expect(pods.find(nameOf(fakePod(1)))).toBeDefined();
  });

  test('waits as long as Retry-After asks', async () => {
    const { server, url } = await startServer({}, [fakePod(1)]);
    server.fault = { kind: 'status', status: 429, retryAfterSeconds: 1 };
    const startedMs = performance.now();
    openPods(url);
    await eventually(() => expect(server.counts.refused).toBe(1));
    server.fault = { kind: 'none' };
    await eventually(() => expect(server.counts.lists).toBe(1));
    expect(performance.now() - startedMs).toBeGreaterThan(950);
  });

  test('gives up a server that hangs, and tries again', async () => {
    const { server, url } = await startServer({}, [fakePod(1)]);
    server.fault = { kind: 'hang' };
    const { pods, troubles } = openPods(url, { listMs: 500 });
    await eventually(() => expect(troubles.join()).toContain('no complete answer'));
    server.fault = { kind: 'none' };
    await eventually(() => expect(pods.find(nameOf(fakePod(1)))).toBeDefined());
  });

  test('lets a pod wait for its labels once, for all its containers, then counts it', async () => {
    const { server, url } = await startServer();
    server.fault = { kind: 'hang' };
    const { pods, changed } = openPods(url, { waitMs: 50 });
    const name = nameOf(fakePod(1));
    expect(pods.holdBack(name)).toBe(true);
    expect(pods.holdBack({ ...name, container: 'sidecar' })).toBe(true);
    await eventually(() => expect(changed).toHaveLength(1));
    expect(pods.holdBack(name)).toBe(false);
    expect(pods.counters.withoutLabels).toBe(1);
    pods.setWait(0);
    expect(pods.holdBack(nameOf(fakePod(2)))).toBe(false);
  });

  test('ends the wait as soon as the labels come', async () => {
    const { server, url } = await startServer();
    const { pods, changed } = openPods(url, { waitMs: 60_000 });
    await eventually(() => expect(server.watchCount).toBe(1));
    expect(pods.holdBack(nameOf(fakePod(1)))).toBe(true);
    server.put(fakePod(1));
    await eventually(() => expect(changed).toHaveLength(1));
    expect(pods.holdBack(nameOf(fakePod(1)))).toBe(false);
    expect(pods.counters.withoutLabels).toBe(0);
  });

  test('reads the token again after it rotated, over TLS with the CA of the cluster', async () => {
    const certificate = makeTestCertificate();
    const tokens = new Set(['first']);
    const { server, url } = await startServer({ tokens, certificate }, [fakePod(1)]);
    const tokenFile = scratchFile('first\n');
    const caFile = scratchFile(certificate.cert);
    const { pods, troubles } = openPods(url, { tokenFile, caFile });
    await eventually(() => expect(server.watchCount).toBe(1));
    tokens.clear();
    tokens.add('second');
    server.cut('end');
    await eventually(() => expect(troubles.join()).toContain('401'));
    writeFileSync(tokenFile, 'second\n');
    await eventually(() => expect(server.watchCount).toBe(1));
    server.put(fakePod(2));
    await eventually(() => expect(pods.find(nameOf(fakePod(2)))).toBeDefined());
  });

  test('trusts no server whose certificate the CA has not signed', async () => {
    const { server, url } = await startServer({ certificate: makeTestCertificate() });
    const { troubles } = openPods(url, { caFile: scratchFile(makeTestCertificate().cert) });
    await eventually(() => expect(troubles.join()).toMatch(/certificate/i));
    expect(server.requests).toEqual([]);
  });
});

describe('kubernetesApiOf()', () => {
  const kubernetesTokenFile = scratchFile('token');
  const kubernetesApi = 'https://10.0.0.1:443';
  test.each([
    ['on in a cluster', { kubernetesApi, kubernetesTokenFile }, true],
    ['off by option', { kubernetesApi, kubernetesTokenFile, kubernetesMetadata: 'off' }, false],
    ['off without a token', { kubernetesApi, kubernetesTokenFile: '/nowhere' }, false],
    ['off outside of a cluster', { kubernetesTokenFile }, false],
    ['on without a token for plain http', { kubernetesApi: 'http://127.0.0.1:8001' }, true],
  ] as const)('is %s', (_case, overrides, isOn) => {
    expect(kubernetesApiOf(makeConfig(overrides)) !== undefined).toBe(isOn);
  });
});
