// Renders every overlay of deploy/, and holds the result to the API's types and to this code: its
// flags, paths, ports and limits. kubectl's own rendering must be the same, without a warning.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';

import { splitMigrationWords } from '../../src/command/command-words.ts';
import { parseGlob } from '../../src/container-glob.ts';
import { linuxConntrack } from '../../src/host/node-pressure.ts';
import { findKubectlFault } from './kubectl.ts';
import { faultsOf } from './kubernetes-schema.ts';
import { kustomize } from './kustomize.ts';
import { testManifests } from './manifest-demands.ts';
import { containersOf, mountUnder, podsOf, startedBy } from './manifest-pods.ts';
import type { Manifest } from './manifest-types.ts';

const overlaysDir = path.resolve(import.meta.dirname, '../../deploy/overlays');
const overlays = readdirSync(overlaysDir).toSorted();

function render(overlay: string): Manifest[] {
  return kustomize(path.join(overlaysDir, overlay));
}

const kubectlFault = findKubectlFault();

/** Without an order of members and of lists that the API reads by a name. */
function inOneOrder(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(inOneOrder).toSorted((a, b) => compareText(textOf(a), textOf(b)));
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, member]) => [key, inOneOrder(member)] as const)
      .toSorted(([a], [b]) => compareText(a, b)),
  );
}

function textOf(value: unknown): string {
  return JSON.stringify(value) ?? '';
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
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

describe.each(overlays)('deploy/overlays/%s', (overlay) => {
  testManifests(render(overlay));

  test.skipIf(kubectlFault !== '')(
    `is what kubectl renders, which warns of nothing (${kubectlFault || 'kubectl is there'})`,
    () => {
      const { stdout, stderr } = spawnSync('kubectl', ['kustomize', `${overlaysDir}/${overlay}`], {
        encoding: 'utf8',
      });
      expect(stderr).toBe('');
      const theirs = parseAllDocuments(stdout).map((found) => found.toJS() as unknown);
      expect(inOneOrder(render(overlay))).toEqual(inOneOrder(theirs));
    },
  );
});

test('no kustomization has a field that kubectl warns of', () => {
  const deprecated = ['bases', 'commonLabels', 'imageTags', 'patchesJson6902'];
  deprecated.push('patchesStrategicMerge', 'vars');
  const folders = ['base', 'components/gke', ...overlays.map((name) => `overlays/${name}`)];
  for (const folder of folders) {
    const file = path.join(overlaysDir, '..', folder, 'kustomization.yaml');
    const fields = [...readFileSync(file, 'utf8').matchAll(/^(\w+):/gm)].map(([, name]) => name);
    expect(fields.filter((name) => deprecated.includes(name ?? ''))).toEqual([]);
  }
});

describe.each(['gke-workload-identity', 'from-fluentd'])('on GKE, %s', (overlay) => {
  test("leaves GKE's own namespaces to GKE's agent, and no other", async () => {
    const manifests = render(overlay);
    const [pod] = podsOf(manifests);
    const [agent] = pod?.containers ?? [];
    if (pod === undefined || agent === undefined) throw new Error('the overlay has no agent');
    const { loaded } = await startedBy(manifests, pod, agent);
    const globs = loaded.config.exclude.map((glob) => parseGlob(glob));
    const isLeftOut = (namespace: string): boolean =>
      globs.some((matches) => matches({ namespace, pod: 'p', container: 'c' }));
    for (const namespace of ['kube-system', 'istio-system', 'knative-serving', 'gke-system']) {
      expect(isLeftOut(namespace), namespace).toBe(true);
    }
    for (const namespace of ['config-management-system', 'gmp-system', 'gke-managed-cim']) {
      expect(isLeftOut(namespace), namespace).toBe(true);
    }
    for (const namespace of [
      'default',
      'kube-public',
      'my-kube-system',
      'gke-managed',
      'tailship',
    ]) {
      expect(isLeftOut(namespace), namespace).toBe(false);
    }
  });
});

describe('the DaemonSet', () => {
  const manifests = render('gke-workload-identity');
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

  test('keeps off machines that the image is not built for', () => {
    const [pod] = podsOf(manifests);
    const [term] =
      pod?.affinity?.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution
        .nodeSelectorTerms ?? [];
    expect(term?.matchExpressions).toEqual([
      { key: 'kubernetes.io/arch', operator: 'In', values: ['amd64', 'arm64'] },
    ]);
  });

  test('may list and watch pods, which is what the code asks the API server for', () => {
    const rules = find('ClusterRole').flatMap((role) => role.rules ?? []);
    expect(rules).toEqual([{ apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch'] }]);
    const source = new URL('../../src/discover/pods/pod-source.ts', import.meta.url);
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

test('a namespace that is restricted takes the sidecar', () => {
  const [pod] = podsOf(render('sidecar'));
  expect(pod?.securityContext).toMatchObject({ runAsNonRoot: true });
  for (const { securityContext } of pod === undefined ? [] : containersOf(pod)) {
    expect(securityContext).toMatchObject({ allowPrivilegeEscalation: false });
    expect(securityContext?.capabilities?.drop).toEqual(['ALL']);
  }
});

test('the switch takes over positions from a mount', () => {
  const [pod] = podsOf(render('from-fluentd'));
  const [migrate] = pod?.initContainers ?? [];
  if (pod === undefined || migrate === undefined) throw new Error('there is nothing that migrates');
  const { own: source, rest } = splitMigrationWords(migrate.args?.slice(1) ?? []);
  expect(source.agent).toBe('fluentd');
  expect(mountUnder(pod, migrate, source.file)).toMatchObject({ readOnly: true });
  // It looks where the agent's own configuration says, whatever that is.
  expect(['run', ...rest]).toEqual(pod.containers[0]?.args);
  // It reads and writes what the agent does, and sees them under the same paths.
  const own = migrate.volumeMounts?.filter(({ name }) => name !== 'old-positions');
  expect(pod.containers[0]?.volumeMounts).toEqual(expect.arrayContaining(own ?? []));
});

test('the local trial ships to its own emulator', async () => {
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
