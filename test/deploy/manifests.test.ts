// Renders every overlay of deploy/ as `kubectl apply -k` does, and holds the result to the API's
// types and to this code: its flags, paths, ports and limits.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseAllDocuments } from 'yaml';

import { startAdmin } from '../../src/admin/admin-server.ts';
import { parseFlags } from '../../src/command/argv.ts';
import { limits } from '../../src/config.ts';
import { loadConfig, type LoadedConfig } from '../../src/options/config-loader.ts';
import { createLog } from '../../src/log.ts';
import { linuxConntrack } from '../../src/host/node-pressure.ts';
import { splitMigrationWords } from '../../src/command/migration-source.ts';
import { type Command, commands } from '../../src/options/options.ts';
import { memoryWarning, slotCountFor } from '../../src/host/sizing.ts';
import { createSampleSource } from '../admin/status-fixture.ts';
import { faultsOf } from './kubernetes-schema.ts';
import type { Container, Manifest, PodSpec } from './manifest-types.ts';

const overlaysDir = path.resolve(import.meta.dirname, '../../deploy/overlays');
const overlays = readdirSync(overlaysDir).toSorted();
const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0;
const ourImage = /\/tailship@sha256:/;

function render(overlay: string): Manifest[] {
  const text = execFileSync('kubectl', ['kustomize', path.join(overlaysDir, overlay)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return parseAllDocuments(text).map((found) => found.toJS() as Manifest);
}

function podsOf(manifests: readonly Manifest[]): PodSpec[] {
  return manifests.flatMap(({ spec }) =>
    spec?.template === undefined ? [] : [spec.template.spec],
  );
}

function containersOf(pod: PodSpec): Container[] {
  return [...(pod.initContainers ?? []), ...pod.containers];
}

/** The text that a container finds at a path, from the ConfigMap that is mounted there. */
function mountedText(
  manifests: readonly Manifest[],
  pod: PodSpec,
  container: Container,
  file: string,
): string | undefined {
  const mount = container.volumeMounts?.find(({ mountPath }) => mountPath === path.dirname(file));
  const volume = pod.volumes?.find(({ name }) => name === mount?.name);
  const map = manifests.find(
    ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === volume?.configMap?.name,
  );
  return map?.data?.[path.basename(file)];
}

type Started = { readonly command: Command; readonly loaded: LoadedConfig };

/** What the command line of a container, its variables and its ConfigMap make of the options. */
async function startedBy(
  manifests: readonly Manifest[],
  pod: PodSpec,
  container: Container,
): Promise<Started> {
  const [word, ...words] = container.args ?? [];
  const command = commands.find((known) => known === word);
  if (command === undefined) throw new Error(`${String(word)} is no command`);
  const directory = mkdtempSync(path.join(tmpdir(), 'tailship-deploy-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const flagWords = command === 'migrate' ? splitMigrationWords(words).rest : words;
  const local = flagWords.map((flag, index) => {
    if (flagWords[index - 1] !== '--config') return flag;
    const text = mountedText(manifests, pod, container, flag);
    expect(text, `${flag} is in a mounted ConfigMap`).toBeDefined();
    const file = path.join(directory, path.basename(flag));
    writeFileSync(file, text ?? '');
    return file;
  });
  const environment = Object.fromEntries(
    (container.env ?? []).map(({ name, value }) => [name, value ?? 'from-the-api']),
  );
  const loaded = await loadConfig({ command, flags: parseFlags(command, local), environment });
  return { command, loaded };
}

/** The volume under a path of a container, and whether it may be written. */
function mountUnder(pod: PodSpec, container: Container, file: string) {
  const mounts = container.volumeMounts ?? [];
  const mount = mounts.find(
    ({ mountPath }) => file === mountPath || file.startsWith(`${mountPath}/`),
  );
  const volume = pod.volumes?.find(({ name }) => name === mount?.name);
  return volume === undefined ? undefined : { volume, readOnly: mount?.readOnly === true };
}

function bytesOf(quantity: string | undefined): number {
  const [, number, unit = ''] = /^(\d+)(Mi|Gi)$/.exec(quantity ?? '') ?? [];
  return Number(number) * (unit === 'Gi' ? 2 ** 30 : 2 ** 20);
}

describe('the test of the manifests', () => {
  test('finds the overlays', () => {
    expect(overlays).toEqual([
      'any-cluster-key',
      'from-fluentd',
      'gke-workload-identity',
      'local-trial',
      'sidecar',
    ]);
  });

  test('sees a field that the API does not know, and one of the wrong type', () => {
    const template = { metadata: {}, spec: { containers: [{ name: 'a', imagge: 'b' }] } };
    const manifest = {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'x' },
      spec: { selector: {}, minReadySeconds: 'ten', template },
    };
    expect(faultsOf(manifest)).toEqual([
      'DaemonSet/spec/minReadySeconds: type {"type":"integer"}',
      'DaemonSet/spec/template/spec/containers/0/imagge: unknown field',
    ]);
  });
});

const needed = 'needs kubectl: apt-get install kubernetes-client';

describe.skipIf(!hasKubectl).each(overlays)(`deploy/overlays/%s (${needed})`, (overlay) => {
  const manifests = hasKubectl ? render(overlay) : [];
  const pods = podsOf(manifests);
  const ours = pods.flatMap((pod) =>
    containersOf(pod)
      .filter(({ image }) => ourImage.test(image))
      .map((container) => ({ pod, container })),
  );

  test('is valid, field by field', () => {
    expect(manifests.length).toBeGreaterThan(1);
    expect(manifests.flatMap(faultsOf)).toEqual([]);
  });

  test('names every image by its digest, and none by a tag', () => {
    const images = pods.flatMap(containersOf).map(({ image }) => image);
    expect(ours.length).toBeGreaterThan(0);
    for (const image of images) expect(image).toMatch(/^[^@]+\/[^:@]+@sha256:[0-9a-f]{64}$/);
  });

  test('has flags, variables and keys that the code knows', async () => {
    for (const { pod, container } of ours) {
      const { loaded } = await startedBy(manifests, pod, container);
      expect(loaded.warnings).toEqual([]);
    }
  });

  test('mounts what is read and written, and may write the state only', async () => {
    for (const { pod, container } of ours) {
      const { command, loaded } = await startedBy(manifests, pod, container);
      if (command !== 'run') continue;
      const { config } = loaded;
      const isRaw = config.format === 'raw';
      const roots = isRaw ? config.rawPath : [config.containersDir, config.logRoot[0] ?? ''];
      const credentials = config.credentialsFile === undefined ? [] : [config.credentialsFile];
      for (const file of [...roots, ...credentials]) {
        expect(mountUnder(pod, container, file), file).toMatchObject({ readOnly: true });
      }
      const state = mountUnder(pod, container, config.stateDir);
      expect(state).toMatchObject({ readOnly: false });
      const writable = container.volumeMounts?.filter(({ readOnly }) => readOnly !== true);
      expect(writable?.map(({ mountPath }) => mountPath)).toEqual([config.stateDir]);
      const mounted = container.volumeMounts?.map(({ name }) => name);
      for (const { name, hostPath } of pod.volumes ?? []) {
        const isOwn = mounted?.includes(name) === true;
        if (!isOwn || hostPath === undefined || hostPath.path.startsWith('/proc/')) continue;
        // The same path inside and outside, or the links would lead nowhere.
        expect([config.containersDir, ...config.logRoot, config.stateDir]).toContain(hostPath.path);
        expect(mountUnder(pod, container, hostPath.path)?.volume.hostPath).toEqual(hostPath);
      }
    }
  });

  test('has probes and ports where the agent listens', async () => {
    const log = createLog({ level: 'error', write: () => undefined });
    const server = await startAdmin({ host: '127.0.0.1', port: 0 }, createSampleSource(), log);
    onTestFinished(() => server.close());
    for (const { pod, container } of ours) {
      const { command, loaded } = await startedBy(manifests, pod, container);
      if (command !== 'run') continue;
      const port = container.ports?.find(({ name }) => name === 'admin')?.containerPort;
      expect(loaded.config.adminAddress).toEqual({ host: '0.0.0.0', port });
      const { startupProbe, livenessProbe, readinessProbe } = container;
      expect(startupProbe).toBeDefined();
      expect(livenessProbe).toBeDefined();
      for (const probe of [startupProbe, livenessProbe, readinessProbe]) {
        if (probe === undefined) continue;
        expect(probe.httpGet.port).toBe('admin');
        const { status } = await fetch(server.url + probe.httpGet.path);
        expect([200, 503]).toContain(status);
      }
    }
  });

  test('gives time to stop, memory to work in, and no CPU limit', async () => {
    for (const { pod, container } of ours) {
      const { command, loaded } = await startedBy(manifests, pod, container);
      expect(container.resources?.limits?.['cpu']).toBeUndefined();
      const bytes = bytesOf(container.resources?.limits?.['memory']);
      expect(bytes).toBeGreaterThan(0);
      if (command !== 'run') continue;
      expect((pod.terminationGracePeriodSeconds ?? 0) * 1_000).toBeGreaterThan(
        loaded.config.graceMs,
      );
      expect(memoryWarning(loaded.config, bytes)).toBeUndefined();
      expect(slotCountFor(loaded.config, bytes)).toBe(limits.slotCount);
    }
  });

  test('takes no right that it does not need', () => {
    for (const { pod, container } of ours) {
      const { securityContext: own } = container;
      expect(own).toMatchObject({
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
      });
      const isRoot = (own?.runAsUser ?? pod.securityContext?.runAsUser) === 0;
      expect(own?.capabilities?.add).toEqual(isRoot ? ['DAC_READ_SEARCH'] : undefined);
      expect(pod.securityContext?.seccompProfile).toEqual({ type: 'RuntimeDefault' });
      expect([pod.hostNetwork, pod.hostPID, pod.hostIPC]).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
    }
  });
});

describe.skipIf(!hasKubectl)(`the DaemonSet (${needed})`, () => {
  const manifests = hasKubectl ? render('gke-workload-identity') : [];
  const find = (kind: string) => manifests.filter((manifest) => manifest.kind === kind);

  test('runs on every node, goes 10 % at a time, and comes before workloads', () => {
    const [daemonSet] = find('DaemonSet');
    const pod = daemonSet?.spec?.template?.spec;
    expect(pod?.tolerations).toEqual([{ operator: 'Exists' }]);
    expect(daemonSet?.spec?.updateStrategy?.rollingUpdate?.maxUnavailable).toBe('10%');
    expect(find('PriorityClass').map(({ metadata }) => metadata.name)).toEqual([
      pod?.priorityClassName,
    ]);
    expect(pod?.serviceAccountName).toBe(find('ServiceAccount')[0]?.metadata.name);
  });

  test('may list and watch pods, which is what the code asks the API server for', () => {
    const rules = find('ClusterRole').flatMap((role) => role.rules ?? []);
    expect(rules).toEqual([{ apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch'] }]);
    const source = new URL('../../src/discover/pod-source.ts', import.meta.url);
    expect(readFileSync(source, 'utf8').match(/\/api[s]?\/\w+\/\w+/g)).toEqual(['/api/v1/pods']);
  });

  test('mounts the statistics of the node where they are looked for', () => {
    const [pod] = podsOf(manifests);
    const mount = pod?.containers[0]?.volumeMounts?.find(({ name }) => name === 'net-stat');
    expect(mount).toMatchObject({ mountPath: linuxConntrack.nodeStatDir, readOnly: true });
  });

  test('may talk to Cloud Logging, name servers, metadata and API server, and be scraped', () => {
    const [policy] = find('NetworkPolicy');
    const portsOf = (rules: NonNullable<Manifest['spec']>['egress']) =>
      rules?.flatMap(({ ports }) => ports.map(({ port }) => port)).toSorted((a, b) => a - b);
    expect(portsOf(policy?.spec?.ingress)).toEqual([8090]);
    expect(portsOf(policy?.spec?.egress)).toEqual([53, 53, 80, 443, 988, 6443]);
  });
});

test.skipIf(!hasKubectl)(`a namespace that is restricted takes the sidecar (${needed})`, () => {
  const [pod] = podsOf(render('sidecar'));
  expect(pod?.securityContext).toMatchObject({ runAsNonRoot: true });
  for (const { securityContext } of pod === undefined ? [] : containersOf(pod)) {
    expect(securityContext).toMatchObject({ allowPrivilegeEscalation: false });
    expect(securityContext?.capabilities?.drop).toEqual(['ALL']);
  }
});

test.skipIf(!hasKubectl)(`the switch takes over positions from a mount (${needed})`, () => {
  const [pod] = podsOf(render('from-fluentd'));
  const [migrate] = pod?.initContainers ?? [];
  if (pod === undefined || migrate === undefined) throw new Error('there is nothing that migrates');
  const { source } = splitMigrationWords(migrate.args?.slice(1) ?? []);
  expect(source.agent).toBe('fluentd');
  expect(mountUnder(pod, migrate, source.file)).toMatchObject({ readOnly: true });
  // It reads and writes what the agent does, and sees them under the same paths.
  const own = migrate.volumeMounts?.filter(({ name }) => name !== 'old-positions');
  expect(pod.containers[0]?.volumeMounts).toEqual(expect.arrayContaining(own ?? []));
});

test.skipIf(!hasKubectl)(`the local trial ships to its own emulator (${needed})`, async () => {
  const manifests = render('local-trial');
  const [pod] = podsOf(manifests);
  if (pod === undefined) throw new Error('the overlay has no pod');
  const started = await Promise.all(
    pod.containers.map((container) => startedBy(manifests, pod, container)),
  );
  const emulator = started.find(({ command }) => command === 'emulator');
  const agent = started.find(({ command }) => command === 'run');
  expect(agent?.loaded.config.endpoint).toBe(`http://127.0.0.1:${emulator?.loaded.config.port}`);
});
