// `tailship manifests`: what `kubectl apply -f -` takes, made of deploy/base and the words of the
// command line. deploy/base and the component for GKE are the only source; kustomize makes the same
// of them.

import { readFileSync } from 'node:fs';
import { type Document, parse, parseAllDocuments, parseDocument, stringify } from 'yaml';

import { flagOf, rowOf } from '../options/config-loader.ts';
import type { ConfigKey } from '../options/options.ts';
import { configError } from '../errors.ts';
import type { Flags } from './argv.ts';
import type { ManifestWords } from './command-words.ts';

const clusterKinds = new Set(['ClusterRole', 'ClusterRoleBinding', 'Namespace', 'PriorityClass']);
/** Options that the manifests fix by volumes, probes or variables. */
const fixedKeys: readonly ConfigKey[] = ['containersDir', 'logRoot', 'stateDir', 'adminAddress'];
const sidecarKeys: readonly ConfigKey[] = ['format', 'rawPath', 'once', 'node'];
const keyDir = '/etc/tailship-key';
const podPath = ['spec', 'template', 'spec'];

/** The YAML of all objects, for `kubectl apply -f -`. `flags` are valid options of `run`. */
export function manifestsText(own: ManifestWords, flags: Flags): string {
  const { namespace, resources } = readYaml('base/kustomization.yaml') as {
    namespace: string;
    resources: readonly string[];
  };
  const documents = resources.flatMap((name) => parseAllDocuments(readText(`base/${name}`)));
  let hasNodeLogs = false;
  for (const document of documents as Document[]) {
    const kind = document.get('kind') as string;
    if (!clusterKinds.has(kind)) document.setIn(['metadata', 'namespace'], namespace);
    if (kind === 'ConfigMap') hasNodeLogs = setConfig(document, own, flags);
    if (kind === 'DaemonSet') setDaemonSet(document, own, hasNodeLogs);
  }
  return documents.map((document) => `---\n${String(document).replace(/^---\n/, '')}`).join('');
}

function readText(name: string): string {
  return readFileSync(new URL(`../../deploy/${name}`, import.meta.url), 'utf8');
}

function readYaml(name: string): unknown {
  return parse(readText(name));
}

/**
 * Writes the given options as they are; `run` checks them again. Returns whether node logs are
 * shipped.
 */
function setConfig(document: Document, own: ManifestWords, flags: Flags): boolean {
  const { config: file, ...raw } = flags;
  const written = withNumbers(raw);
  const values = parse(document.getIn(['data', 'tailship.yaml']) as string) as object;
  const gke = own.isGke ? gkeConfig() : {};
  const fromFile =
    file === undefined ? {} : (parse(readFileSync(file as string, 'utf8')) as object);
  const mixed: Record<string, unknown> = { ...values, ...gke, ...fromFile, ...written };
  const excluded = [gke, fromFile, written].flatMap(
    ({ exclude = [] }: { exclude?: unknown }) => exclude,
  );
  if (excluded.length > 0) mixed['exclude'] = excluded;
  if (own.keySecret !== undefined) mixed['credentialsFile'] = `${keyDir}/key.json`;
  for (const key of [...fixedKeys, ...sidecarKeys]) {
    if (!(key in fromFile) && !(key in written)) continue;
    const text = `${flagOf(key)} is fixed by the manifests: change them, or take the Helm chart`;
    throw configError(text);
  }
  document.setIn(['data', 'tailship.yaml'], stringify(mixed));
  return mixed['nodeLogs'] === 'auto';
}

/** In a file a number is a number, and not text as on the command line. */
function withNumbers(flags: Flags): Flags {
  return Object.fromEntries(
    Object.entries(flags).map(([key, value]) => {
      const isNumber =
        typeof value === 'string' && typeof rowOf(key as ConfigKey).default === 'number';
      return [key, isNumber && /^\d+$/.test(value) ? Number(value) : value];
    }),
  );
}

function gkeConfig(): { readonly exclude?: readonly string[] } {
  const patch = readYaml('components/gke/config-map-patch.yaml') as {
    data: { 'tailship.yaml': string };
  };
  return parse(patch.data['tailship.yaml']) as { exclude: string[] };
}

function setDaemonSet(document: Document, own: ManifestWords, hasNodeLogs: boolean): void {
  const containers = document.getIn([...podPath, 'containers']) as { items: unknown[] };
  for (const index of containers.items.keys()) {
    document.setIn([...podPath, 'containers', index, 'image'], own.image);
  }
  if (own.isGke) {
    const patch = parseDocument(readText('components/gke/daemonset-patch.yaml')).toJS() as {
      spec: { template: { spec: { nodeSelector: Record<string, string> } } };
    };
    for (const [label, value] of Object.entries(patch.spec.template.spec.nodeSelector)) {
      document.setIn([...podPath, 'nodeSelector', label], value);
    }
  }
  if (hasNodeLogs) addNodeLogMounts(document);
  if (own.keySecret !== undefined) {
    const mount = { name: 'key', mountPath: keyDir, readOnly: true };
    document.addIn([...podPath, 'containers', 0, 'volumeMounts'], mount);
    // 0400: the agent is root.
    const secret = { secretName: own.keySecret, defaultMode: 256 };
    document.addIn([...podPath, 'volumes'], { name: 'key', secret });
  }
  if (own.takeOver !== undefined) addTakeOver(document, own.image, own.takeOver);
}

/** Adds the mounts of the component. */
function addNodeLogMounts(document: Document): void {
  const patch = readYaml('components/node-logs/daemonset-patch.yaml') as {
    spec: { template: { spec: NodeLogPatch } };
  };
  const { containers, volumes } = patch.spec.template.spec;
  for (const volume of volumes) {
    document.addIn([...podPath, 'volumes'], document.createNode(volume));
  }
  for (const mount of containers[0]?.volumeMounts ?? []) {
    document.addIn([...podPath, 'containers', 0, 'volumeMounts'], document.createNode(mount));
  }
}

type NodeLogPatch = {
  readonly containers: readonly { readonly volumeMounts: readonly object[] }[];
  readonly volumes: readonly object[];
};

/** An init container with the agent's own configuration, mounts and rights. */
function addTakeOver(
  document: Document,
  image: string,
  { agent, file }: NonNullable<ManifestWords['takeOver']>,
): void {
  const spec = (document.toJS() as { spec: { template: { spec: PodSpec } } }).spec.template.spec;
  const [own] = spec.containers;
  if (own === undefined) throw new Error('deploy/base has no container');
  const slash = file.lastIndexOf('/');
  const mountPath = '/host/positions';
  const words = [...own.args.slice(1), '--from', agent, mountPath + file.slice(slash)];
  const mounts = own.volumeMounts.filter(({ name }) => name !== 'net-stat' && name !== 'key');
  const container = {
    name: 'migrate',
    image,
    imagePullPolicy: own.imagePullPolicy,
    args: ['migrate', ...words],
    // Later nodes never had the other agent.
    env: [{ name: 'TAILSHIP_MISSING_OK', value: 'true' }],
    securityContext: own.securityContext,
    resources: own.resources,
    // The directory, because a missing file would block the pod.
    volumeMounts: [...mounts, { name: 'old-positions', mountPath, readOnly: true }],
  };
  document.setIn([...podPath, 'initContainers'], document.createNode([container]));
  const hostPath = { path: file.slice(0, slash) || '/', type: 'Directory' };
  document.addIn([...podPath, 'volumes'], document.createNode({ name: 'old-positions', hostPath }));
}

type PodSpec = {
  readonly containers: readonly {
    readonly args: readonly string[];
    readonly imagePullPolicy: string;
    readonly securityContext: object;
    readonly resources: object;
    readonly volumeMounts: readonly { readonly name: string }[];
  }[];
};
