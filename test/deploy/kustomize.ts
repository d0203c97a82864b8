// The part of kustomize that deploy/ uses, so that the overlays are tested where kubectl is missing
// or older than 1.21, as Debian 12's is; manifests.test.ts compares it with kubectl's own where it
// can. A field that it does not know is an error, never left out.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, parseAllDocuments } from 'yaml';

import type { Manifest } from './manifest-types.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };
type Kustomization = {
  readonly apiVersion: string;
  readonly kind: 'Kustomization' | 'Component';
  readonly namespace?: string;
  readonly resources?: readonly string[];
  readonly components?: readonly string[];
  readonly patches?: readonly { readonly path: string }[];
  readonly images?: readonly {
    readonly name: string;
    readonly newName: string;
    readonly digest: string;
  }[];
};

const knownFields = new Set(['apiVersion', 'kind', 'namespace', 'resources', 'components']);
for (const field of ['patches', 'images']) knownFields.add(field);
const clusterKinds = new Set(['ClusterRole', 'ClusterRoleBinding', 'Namespace', 'PriorityClass']);
/** Lists that a strategic merge joins by a member; all others it replaces. */
const mergeKeys: Readonly<Record<string, string>> = {
  containers: 'name',
  initContainers: 'name',
  volumes: 'name',
  env: 'name',
  volumeMounts: 'mountPath',
  ports: 'containerPort',
};

/** The manifests of a directory with a kustomization.yaml. */
export function kustomize(directory: string): Manifest[] {
  return build(directory, []) as unknown as Manifest[];
}

function build(directory: string, given: readonly JsonObject[]): JsonObject[] {
  const file = path.join(directory, 'kustomization.yaml');
  const settings = parse(readFileSync(file, 'utf8')) as Kustomization;
  const unknown = Object.keys(settings).filter((field) => !knownFields.has(field));
  if (unknown.length > 0) throw new Error(`${file}: not known here: ${unknown.join(', ')}`);
  let manifests = [...given];
  for (const name of settings.resources ?? []) {
    const place = path.join(directory, name);
    const isDirectory = existsSync(path.join(place, 'kustomization.yaml'));
    manifests.push(...(isDirectory ? build(place, []) : readManifests(place)));
  }
  for (const name of settings.components ?? []) {
    manifests = build(path.join(directory, name), manifests);
  }
  for (const patch of settings.patches ?? []) {
    for (const change of readManifests(path.join(directory, patch.path))) {
      manifests = applyPatch(manifests, change);
    }
  }
  for (const manifest of manifests) {
    if (settings.namespace !== undefined) setNamespace(manifest, settings.namespace);
    for (const image of settings.images ?? []) setImage(manifest, image);
  }
  return manifests;
}

function readManifests(file: string): JsonObject[] {
  return parseAllDocuments(readFileSync(file, 'utf8')).map((found) => found.toJS() as JsonObject);
}

function applyPatch(manifests: readonly JsonObject[], change: JsonObject): JsonObject[] {
  const target = manifests.findIndex(
    (one) => one['kind'] === change['kind'] && nameOf(one) === nameOf(change),
  );
  if (target === -1) throw new Error(`a patch of ${nameOf(change)} has no target`);
  return manifests.with(target, merge(manifests[target] ?? {}, change) as JsonObject);
}

function nameOf(manifest: JsonObject): string {
  return (manifest['metadata'] as { name: string }).name;
}

function merge(base: Json, change: Json, key?: string): Json {
  if (Array.isArray(base) && Array.isArray(change)) return mergeLists(base, change, key);
  if (!isObject(base) || !isObject(change)) return change;
  const merged = { ...base };
  for (const [name, value] of Object.entries(change)) {
    if (value === null) delete merged[name];
    else merged[name] = name in base ? merge(base[name] ?? null, value, name) : value;
  }
  return merged;
}

function mergeLists(base: Json[], change: Json[], key = ''): Json[] {
  const mergeKey = mergeKeys[key];
  if (mergeKey === undefined) return change;
  const idOf = (item: Json): Json | undefined => (isObject(item) ? item[mergeKey] : undefined);
  const found = base.map((item) => {
    const changed = change.find((one) => idOf(one) === idOf(item));
    return changed === undefined ? item : merge(item, changed);
  });
  return [...found, ...change.filter((one) => !base.some((item) => idOf(item) === idOf(one)))];
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function setNamespace(manifest: JsonObject, namespace: string): void {
  if (!clusterKinds.has(manifest['kind'] as string)) {
    (manifest['metadata'] as JsonObject)['namespace'] = namespace;
  }
  for (const subject of (manifest['subjects'] ?? []) as JsonObject[]) {
    if (subject['kind'] === 'ServiceAccount') subject['namespace'] = namespace;
  }
}

function setImage(
  value: Json,
  image: { readonly name: string; readonly newName: string; readonly digest: string },
): void {
  if (Array.isArray(value)) for (const item of value) setImage(item, image);
  if (!isObject(value)) return;
  if (value['image'] === image.name) value['image'] = `${image.newName}@${image.digest}`;
  for (const member of Object.values(value)) setImage(member, image);
}
