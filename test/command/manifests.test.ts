// `tailship manifests` prints what kustomize makes of deploy/, with the words of the command line
// in it.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';

import { runCli } from '../../src/command/cli.ts';
import { kustomize } from '../deploy/kustomize.ts';
import { testManifests } from '../deploy/manifest-demands.ts';
import { mountUnder, podsOf, startedBy } from '../deploy/manifest-pods.ts';
import type { Manifest } from '../deploy/manifest-types.ts';

const digest = `sha256:${'0'.repeat(64)}`;
const image = `europe-docker.pkg.dev/your-project/tailship/tailship@${digest}`;
const overlays = path.resolve(import.meta.dirname, '../../deploy/overlays');

async function call(...words: readonly string[]) {
  const out: string[] = [];
  const errors: string[] = [];
  const code = await runCli({
    words: ['manifests', ...words],
    environment: { TAILSHIP_PROJECT: 'of-the-shell' },
    signal: new AbortController().signal,
    outputClosed: new AbortController().signal,
    terminalSize: () => undefined,
    isErrorTerminal: false,
    writeOut: (line) => out.push(line),
    writeError: (line) => errors.push(line),
  });
  const text = out.join('\n');
  const manifests = parseAllDocuments(text).map((found) => found.toJS() as Manifest);
  return { code, text, manifests, error: errors.join('\n') };
}

function configOf(manifests: readonly Manifest[]): unknown {
  const map = manifests.find(({ kind }) => kind === 'ConfigMap');
  return parse(map?.data?.['tailship.yaml'] ?? '');
}

/** With the configuration as what it says, since the overlays have comments in it. */
function plain(manifests: readonly Manifest[]): Record<string, unknown> {
  return Object.fromEntries(
    manifests.map((one) => {
      const isMap = one.kind === 'ConfigMap';
      return [`${one.kind} ${one.metadata.name}`, isMap ? configOf([one]) : one];
    }),
  );
}

const gke = await call('--image', image, '--gke');
const place = [
  '--project',
  'your-project',
  '--cluster=your-cluster',
  '--location',
  'your-location',
];
const key = await call(
  '--image',
  image,
  '--key-secret',
  'tailship-key',
  ...place,
  '--node-logs=auto',
);
const takeOver = '--take-over=fluentd=/var/log/fluentd-containers.log.pos';
const fluentd = await call('--image', image, '--gke', takeOver);

describe('tailship manifests --gke', () => {
  testManifests(gke.manifests);

  test('is the overlay gke-workload-identity', () => {
    expect(plain(gke.manifests)).toEqual(
      plain(kustomize(path.join(overlays, 'gke-workload-identity'))),
    );
  });

  test('keeps the comments, for those who look before they apply', () => {
    expect(gke.text).toContain('# No CPU limit, on purpose');
  });
});

describe('tailship manifests --key-secret', () => {
  testManifests(key.manifests);

  test('is the overlay any-cluster-key', () => {
    const overlay = plain(kustomize(path.join(overlays, 'any-cluster-key')));
    const text = JSON.stringify(overlay).replaceAll(
      `registry.example.com/tailship@${digest}`,
      image,
    );
    expect(plain(key.manifests)).toEqual(JSON.parse(text));
  });
});

describe('tailship manifests --take-over', () => {
  testManifests(fluentd.manifests);

  test('migrates with the configuration of the agent, from a mount that is only read', () => {
    const [pod] = podsOf(fluentd.manifests);
    const [migrate] = pod?.initContainers ?? [];
    if (pod === undefined || migrate === undefined) throw new Error('nothing migrates');
    expect(migrate.args?.slice(1, 3)).toEqual(pod.containers[0]?.args?.slice(1));
    const file = migrate.args?.at(-1) ?? '';
    expect(path.basename(file)).toBe('fluentd-containers.log.pos');
    expect(mountUnder(pod, migrate, file)).toMatchObject({
      readOnly: true,
      volume: { hostPath: { path: '/var/log' } },
    });
  });
});

describe('tailship manifests', () => {
  test('puts options of run into the ConfigMap, the flags over the file, no variables', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'tailship-manifests-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const file = path.join(directory, 'tailship.yaml');
    writeFileSync(file, 'flushIntervalMs: 5000\nexclude: [noisy]\nworkers: 2\n');
    const flags = ['--workers', '1', '--join-stack-traces', '--exclude', 'loud/*/debug', '--gke'];
    const { manifests, error } = await call('--image', image, '--config', file, ...flags);
    expect(error).toBe('');
    const config = configOf(manifests) as { exclude: string[] };
    expect(config).toMatchObject({ flushIntervalMs: 5000, workers: 1, joinStackTraces: true });
    expect(config).not.toHaveProperty('project');
    expect(config.exclude.slice(-2)).toEqual(['noisy', 'loud/*/debug']);
    expect(config.exclude).toContain('kube-system');
    const [pod] = podsOf(manifests);
    const [agent] = pod?.containers ?? [];
    if (pod === undefined || agent === undefined) throw new Error('there is no agent');
    const { loaded } = await startedBy(manifests, pod, agent);
    expect(loaded.config).toMatchObject({ flushIntervalMs: 5000, workers: 1 });
  });

  test.each([
    ['no image', [], 'manifests needs --image NAME@sha256:'],
    ['a tag', ['--image', 'a/b:latest'], 'manifests needs --image NAME@sha256:'],
    ['an unknown flag', ['--image', image, '--gkee'], 'unknown flag --gkee'],
    ['a wrong value', ['--image', image, '--workers', '99'], '--workers is "99"'],
    ['a place', ['--image', image, '--state-dir', '/x'], '--state-dir is fixed by the manifests'],
    ['another agent', ['--image', image, '--take-over', 'vector=/a/b'], '--take-over is fluentd|'],
    ['no path', ['--image', image, '--take-over', 'fluentd=b'], 'with a whole path'],
    ['no name', ['--image', image, '--key-secret', 'a b'], '--key-secret is no name'],
  ])('refuses %s with one clear line', async (_, words, message) => {
    const { code, text, error } = await call(...words);
    expect({ code, text }).toEqual({ code: 2, text: '' });
    expect(error).toContain(message);
  });
});
