import { describe, expect, test } from 'vitest';
import { limits } from '../../src/config.ts';
import { describePod } from '../../src/discover/pods/pod-labels.ts';
import { fakePod, type FakePodOptions } from '../support/fake-api-server.ts';

function labelsOf(options: FakePodOptions): Record<string, string> {
  const facts = describePod(fakePod(1, options));
  return JSON.parse(`{${facts?.labels}}`) as Record<string, string>;
}

function controllerOf(options: FakePodOptions): string | undefined {
  const labels = labelsOf(options);
  const type = labels['logging.gke.io/top_level_controller_type'];
  const name = labels['logging.gke.io/top_level_controller_name'];
  return type === undefined && name === undefined ? undefined : `${type} ${name}`;
}

describe('describePod()', () => {
  test('writes a label as GKE does: dots become underscores, slashes and dashes stay', () => {
    const labels = { 'app.kubernetes.io/managed-by': 'Helm', 'a-b': 'c.d', empty: '' };
    expect(labelsOf({ labels, ownerReferences: [] })).toEqual({
      'k8s-pod/app_kubernetes_io/managed-by': 'Helm',
      'k8s-pod/a-b': 'c.d',
      'k8s-pod/empty': '',
    });
  });

  test.each([
    [[{ kind: 'DaemonSet', name: 'fluent' }], {}, 'DaemonSet fluent'],
    [[{ kind: 'StatefulSet', name: 'db' }], {}, 'StatefulSet db'],
    [
      [{ kind: 'ReplicaSet', name: 'web-6d9f7c5b84' }],
      { 'pod-template-hash': '6d9f7c5b84' },
      'Deployment web',
    ],
    [[{ kind: 'ReplicaSet', name: 'web-6d9f7c5b84' }], {}, undefined],
    [[{ kind: 'ReplicaSet', name: 'web' }], { 'pod-template-hash': '6d9f7c5b84' }, undefined],
    [[{ kind: 'ReplicaSet', name: '-6d9f' }], { 'pod-template-hash': '6d9f' }, undefined],
    [[{ kind: 'ReplicaSet', name: 'web6d9f' }], { 'pod-template-hash': '6d9f' }, undefined],
    [[{ kind: 'Job', name: 'backup-28493760' }], {}, 'CronJob backup'],
    [[{ kind: 'Job', name: 'backup-18493760' }], {}, 'Job backup-18493760'],
    [[{ kind: 'Job', name: 'backup-284937600' }], {}, 'Job backup-284937600'],
    [
      [{ kind: 'Job', name: 'train-0' }],
      { 'jobset.sigs.k8s.io/jobset-name': 'train' },
      'JobSet train',
    ],
    [[{ kind: 'Job', name: 'train-0' }], {}, 'Job train-0'],
    [[{ kind: 'Node', name: 'node-1' }], {}, undefined],
    [
      [
        { kind: 'StatefulSet', name: 'first' },
        { kind: 'DaemonSet', name: 'last' },
        { kind: 'Rollout', name: 'unknown' },
      ],
      {},
      'DaemonSet last',
    ],
  ])('tells the top-level controller of %j with labels %j: %s', (owners, labels, expected) => {
    expect(controllerOf({ ownerReferences: owners, labels })).toBe(expected);
  });

  test('gives the pods of kube-system no controller, as GKE does', () => {
    const ownerReferences = [{ kind: 'DaemonSet', name: 'kube-proxy' }];
    expect(controllerOf({ namespace: 'kube-system', ownerReferences })).toBeUndefined();
  });

  test('writes two keys that become one only once', () => {
    const facts = describePod(fakePod(1, { labels: { 'a.b': 'dots', a_b: 'underscore' } }));
    expect(facts?.labels.match(/k8s-pod\/a_b/g)).toHaveLength(1);
  });

  test('leaves out, and counts, what goes over the number or the bytes of labels', () => {
    const many = Object.fromEntries(Array.from({ length: 80 }, (_, n) => [`key${n}`, 'v']));
    const facts = describePod(fakePod(1, { labels: many }));
    expect(Object.keys(JSON.parse(`{${facts?.labels}}`) as object)).toHaveLength(
      limits.podLabelsMax,
    );
    // A label's longest: a prefix of 253, a name of 63, a value of 63 characters.
    const long = Object.fromEntries(
      Array.from({ length: 40 }, (_, n) => [
        `${String(n).padStart(253, 'p')}/${'n'.repeat(63)}`,
        'v'.repeat(63),
      ]),
    );
    const bounded = describePod(fakePod(1, { labels: long, ownerReferences: [] }));
    expect(Buffer.byteLength(bounded?.labels ?? '')).toBeLessThanOrEqual(limits.podLabelsBytesMax);
    expect(bounded?.labelsCut).toBeGreaterThan(0);
  });

  test('knows a static pod by the hash in the path of its logs', () => {
    const annotations = { 'kubernetes.io/config.hash': '0123456789abcdef0123456789abcdef' };
    expect(describePod(fakePod(1, { annotations }))?.uid).toBe('0123456789abcdef0123456789abcdef');
  });

  test.each([undefined, null, 'pod', {}, { metadata: null }, { metadata: { name: 1 } }])(
    'takes %j for no pod',
    (object) => {
      expect(describePod(object)).toBeUndefined();
    },
  );

  test('reads labels, annotations and owners of other types as none', () => {
    const metadata = { uid: 'u', namespace: 'n', name: 'p', labels: { a: 1 }, ownerReferences: {} };
    expect(describePod({ metadata: { ...metadata, annotations: [] } })).toMatchObject({
      uid: 'u',
      labels: '',
    });
  });
});
