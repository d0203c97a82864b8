// The Helm chart: each file of values renders, is valid, and is what the schema allows; with the
// defaults it is deploy/base, so that the two cannot drift. deploy/chart/README.md says what this
// does not check. `TAILSHIP_WRITE_README=1` writes the table of that page.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';

import { options } from '../../src/options/options.ts';
import { chartDir, findRendererFault, renderChart, valueFiles, valuesTable } from './chart.ts';
import { kustomize } from './kustomize.ts';
import { testManifests } from './manifest-demands.ts';
import { containersOf, mountUnder, podsOf, startedBy } from './manifest-pods.ts';
import type { Container, Manifest, PodSpec } from './manifest-types.ts';

const fault = findRendererFault();
const needed = fault === '' ? '' : ` (left out: ${fault})`;
const deploy = path.join(chartDir, '..');

function read(name: string): string {
  return readFileSync(path.join(chartDir, name), 'utf8');
}

function valuesFile(name: string): string {
  return path.join(chartDir, 'ci', `${name}-values.yaml`);
}

const validate = new Ajv({ allowUnionTypes: true, strictTypes: false }).compile(
  JSON.parse(read('values.schema.json')) as object,
);

/** What the schema says of the values of a chart; [] when it allows them. */
function schemaFaults(values: object): string[] {
  if (validate(values)) return [];
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

function theAgent(manifests: readonly Manifest[]): { pod: PodSpec; agent: Container } {
  const [pod] = podsOf(manifests);
  const [agent] = pod?.containers ?? [];
  if (pod === undefined || agent === undefined) throw new Error('there is no agent');
  return { pod, agent };
}

/** Custom resources have no type in the API; their pods and maps are looked at elsewhere. */
function ofTheApi(manifests: readonly Manifest[]): Manifest[] {
  return manifests.filter(({ apiVersion }) => apiVersion !== 'monitoring.coreos.com/v1');
}

const helmOnly =
  /^(?:app\.kubernetes\.io\/(?:instance|managed-by|version)|helm\.sh\/chart|checksum\/.*)$/;

/** A manifest without the marks that Helm adds, its configuration as what it says. */
function plain(value: unknown, key = ''): unknown {
  if (key === 'tailship.yaml') return parse(value as string) as unknown;
  if (Array.isArray(value)) return value.map((item) => plain(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !helmOnly.test(name))
      .map(([name, member]) => [name, plain(member, name)]),
  );
}

function byKind(manifests: readonly Manifest[]): Record<string, unknown> {
  return Object.fromEntries(
    manifests
      .filter(({ kind }) => kind !== 'Namespace')
      .map((manifest) => [`${manifest.kind} ${manifest.metadata.name}`, plain(manifest)]),
  );
}

describe.skipIf(fault !== '')(`the chart${needed}`, () => {
  test('is deploy/base with its defaults, but for the image and the namespace', () => {
    const base = kustomize(path.join(deploy, 'base'));
    const text = JSON.stringify(byKind(renderChart([]).manifests));
    const ours = text.replaceAll(/registry\.example\.com\/tailship@sha256:0{64}/g, 'tailship');
    expect(JSON.parse(ours)).toEqual(byKind(base));
  });

  test.each([
    ['gke', 'gke-workload-identity'],
    ['from-fluentd', 'from-fluentd'],
    ['key', 'any-cluster-key'],
  ])('has in its values for %s what the overlay %s does', async (name, overlay) => {
    const chart = renderChart([valuesFile(name)]).manifests;
    const theirs = kustomize(path.join(deploy, 'overlays', overlay));
    const mine = theAgent(chart);
    const other = theAgent(theirs);
    expect(mine.pod).toMatchObject({
      nodeSelector: other.pod.nodeSelector,
      tolerations: other.pod.tolerations,
    });
    expect(mine.pod.initContainers?.length).toBe(other.pod.initContainers?.length);
    const namespacesOf = async (manifests: readonly Manifest[], place: typeof mine) => {
      const { loaded } = await startedBy(manifests, place.pod, place.agent);
      return loaded.config.exclude.filter((glob) => !glob.includes('/'));
    };
    expect(await namespacesOf(chart, mine)).toEqual(await namespacesOf(theirs, other));
  });

  describe.each(['default', ...valueFiles])('with the values %s', (name) => {
    const files = name === 'default' ? [] : [path.join(chartDir, 'ci', name)];
    const chart = fault === '' ? renderChart(files) : undefined;
    testManifests(ofTheApi(chart?.manifests ?? []));

    test('has values that the schema allows', () => {
      expect(schemaFaults(chart?.values ?? {})).toEqual([]);
    });

    test('takes over positions from a mount, with the configuration of the agent', () => {
      const { pod, agent } = theAgent(chart?.manifests ?? []);
      for (const container of pod.initContainers ?? []) {
        const position = container.args?.at(-1) ?? '';
        expect(mountUnder(pod, container, position)).toMatchObject({ readOnly: true });
        expect(container.args).toEqual(expect.arrayContaining(agent.args?.slice(1) ?? []));
      }
    });

    test('names its image and its objects only once', () => {
      const { manifests } = chart ?? { manifests: [] };
      const names = manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
      expect(new Set(names).size).toBe(names.length);
      const { pod } = theAgent(manifests);
      expect(new Set(containersOf(pod).map(({ image }) => image)).size).toBe(1);
    });
  });

  test('gives two releases different names in the cluster', () => {
    const names = (release: string): string[] =>
      renderChart([], { release }).manifests.map(({ metadata }) => metadata.name);
    expect(names('second')).toEqual(names('tailship').map(() => 'second-tailship'));
  });

  test('carries the alerts and the dashboard as they are', () => {
    const { manifests } = renderChart([valuesFile('monitoring')]);
    const find = (kind: string): Manifest | undefined =>
      manifests.find(({ kind: each, metadata }) => each === kind && metadata.name !== 'tailship') ??
      manifests.find((one) => one.kind === kind);
    const rules = parse(
      readFileSync(path.join(deploy, 'prometheus/rules.yaml'), 'utf8'),
    ) as Manifest;
    const page = 'https://git.example.com/tailship/blob/main/docs/runbook.md';
    const moved = JSON.stringify(rules.spec).replaceAll(page, 'https://wiki.example.com/tailship');
    expect(JSON.parse(moved)).not.toEqual(rules.spec);
    expect(find('PrometheusRule')?.spec).toEqual(JSON.parse(moved));
    const dashboard = readFileSync(path.join(deploy, 'grafana/tailship.json'), 'utf8');
    expect(JSON.parse(find('ConfigMap')?.data?.['tailship.json'] ?? '')).toEqual(
      JSON.parse(dashboard),
    );
    const monitor = find('PodMonitor')?.spec as {
      selector: { matchLabels: object };
      podMetricsEndpoints: { relabelings: object[] }[];
    };
    const relabelings = monitor.podMetricsEndpoints[0]?.relabelings;
    expect(relabelings).toContainEqual({ targetLabel: 'cluster', replacement: 'blue' });
    const daemonSet = find('DaemonSet')?.spec?.template?.metadata;
    expect(daemonSet?.labels).toMatchObject(monitor.selector.matchLabels);
  });

  test('writes no option that this version does not know, whatever is set', () => {
    const { manifests } = renderChart([writeAllValues()]);
    const map = manifests.find(({ kind }) => kind === 'ConfigMap')?.data?.['tailship.yaml'] ?? '';
    const written = Object.keys(parse(map) as object);
    expect(written).toEqual(expect.arrayContaining(['project', 'include', 'logRoot', 'stateDir']));
    expect(written.filter((key) => !(key in options))).toEqual([]);
  });

  test.each([
    ['no image', 'image: { repository: "" }', /image\.repository: where you pushed/],
    ['no digest', 'image: { digest: "" }', /image\.digest: sha256/],
  ])('says what is missing with %s', (_, text, message) => {
    expect(() => renderWith(text)).toThrow(message);
  });

  test('tells in its notes what is not done yet', () => {
    const { notes } = renderChart([]);
    expect(notes).toContain('image.digest is all zeros');
    const gke = renderChart([valuesFile('gke')]).notes;
    expect(gke).toContain('--logging=SYSTEM');
    expect(gke).toContain('Nodes without Workload Identity get no agent');
    expect(gke).not.toContain('all zeros');
  });

  test('names the nodes that get no agent, for want of Workload Identity', () => {
    const node = (name: string, labels: object): object => ({ metadata: { name, labels } });
    const identity = { 'iam.gke.io/gke-metadata-server-enabled': 'true' };
    const nodes = [
      node('with', { ...identity, 'kubernetes.io/os': 'linux' }),
      node('without-1', { 'kubernetes.io/os': 'linux' }),
      node('without-2', { pool: 'old' }),
      node('windows', { 'kubernetes.io/os': 'windows' }),
    ];
    const cluster = writeTemporary('cluster.yaml', JSON.stringify({ 'v1/Node': nodes }));
    const { notes } = renderChart([valuesFile('gke')], { cluster });
    expect(notes).toContain('NO AGENT RUNS on 2 nodes');
    expect(notes).toMatch(/: without-1, without-2$/m);
    expect(renderChart([valuesFile('key')], { cluster }).notes).not.toContain('NO AGENT RUNS');
  });
});

function renderWith(text: string): ReturnType<typeof renderChart> {
  return renderChart([writeTemporary('values.yaml', text)]);
}

/** A file that sets each switch, text and list of the values: what can become an option does. */
function writeAllValues(): string {
  const { properties } = JSON.parse(read('values.schema.json')) as {
    properties: Record<string, { type: string; items?: { type: string } }>;
  };
  const examples: Record<string, unknown> = { boolean: true, string: '/example', object: {} };
  const values = Object.entries(properties)
    .map(([name, { type, items }]): [string, unknown] => [
      name,
      type === 'array' ? [examples[items?.type ?? '']] : examples[type],
    ])
    .filter(([name, value]) => value !== undefined && properties[name]?.type !== 'object');
  return writeTemporary('all-values.yaml', JSON.stringify(Object.fromEntries(values)));
}

function writeTemporary(name: string, text: string): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'tailship-chart-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = path.join(directory, name);
  writeFileSync(file, text);
  return file;
}

describe('the schema of the values', () => {
  const defaults = parse(read('values.yaml')) as Record<string, unknown>;

  test('allows the defaults, and knows each of them', () => {
    expect(schemaFaults(defaults)).toEqual([]);
    const { properties } = JSON.parse(read('values.schema.json')) as { properties: object };
    expect(Object.keys(properties).filter((name) => name !== 'global')).toEqual(
      expect.arrayContaining(Object.keys(defaults)),
    );
    expect(Object.keys(defaults)).toEqual(
      expect.arrayContaining(Object.keys(properties).filter((name) => name !== 'global')),
    );
  });

  test.each([
    ['a tag', { image: { repository: 'a/b', digest: 'latest' } }],
    ['a word that is no value', { tolerationz: [] }],
    [
      'a machine without an image',
      { image: { ...(defaults['image'] as object), architectures: ['s390x'] } },
    ],
    ['a place that is no path', { stateDir: 'var/lib' }],
    ['a number for a map', { nodeSelector: 3 }],
    ['another agent', { migrate: { from: 'vector' } }],
    ['a share above all nodes', { updateStrategy: { rollingUpdate: { maxUnavailable: 'all' } } }],
  ])('refuses %s', (_, change) => {
    expect(schemaFaults({ ...defaults, ...change })).not.toEqual([]);
  });
});

test('the table of the values in the README of the chart is that of values.yaml', () => {
  const file = path.join(chartDir, 'README.md');
  const [head = '', rest = ''] = read('README.md').split('<!-- values:begin -->\n');
  const [printed = '', tail = ''] = rest.split('<!-- values:end -->');
  if (process.env['TAILSHIP_WRITE_README'] === '1') {
    writeFileSync(file, `${head}<!-- values:begin -->\n${valuesTable()}<!-- values:end -->${tail}`);
    return;
  }
  expect(printed).toBe(valuesTable());
});

test('the chart has the version of the package', () => {
  const chart = parse(read('Chart.yaml')) as { version: string; appVersion: string };
  const { version } = JSON.parse(readFileSync(path.join(deploy, '../package.json'), 'utf8')) as {
    version: string;
  };
  expect(chart).toMatchObject({ version, appVersion: version });
});
