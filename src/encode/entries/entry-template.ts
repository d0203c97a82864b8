// What the entries of one container have in common, and the head of a request: JSON texts that are
// written once per container or request, never per line.
//
// Invariant: a text is a whole member with its comma, or members without braces, or ''; so an entry
// is put together without looking into it.

import type { NodeIdentity } from '../../host/node-identity.ts';
import type { ContainerNames } from '../../tail/container-names.ts';

/** A container's output stream. */
export type Stream = 'stdout' | 'stderr';

/** The parts of every entry of a container; '' for those in the head of the request. */
export type EntryTemplate = {
  /** `"resource":{…},` */
  readonly resource: string;
  /** `"logName":"…",` */
  readonly logName: Readonly<Record<Stream, string>>;
  /** Members of the entry's labels, without braces: `"k8s-pod/app":"web"`. */
  readonly labels: string;
  /** The project of its entries, and so of its bodies; undefined is the node's own. */
  readonly project?: string;
};

/** As stored beside the files of a deleted container; `resource` is the object. */
export type StoredTemplate = { readonly resource: string; readonly labels: string };

const encoder = new TextEncoder();
const resourceName = '"resource":';

/**
 * `k8s_container`, or `k8s_node` with the path as a label if the names are unknown. `podLabels` are
 * members of the entries' labels, without braces. Label names: the API's documentation of both
 * monitored resources.
 */
export function createTemplate(
  identity: NodeIdentity,
  names: ContainerNames | undefined,
  path: string,
  podLabels = '',
): EntryTemplate {
  const { project, location, cluster, node } = identity;
  const shared = { project_id: project, location, cluster_name: cluster };
  if (names === undefined) {
    const resource = { type: 'k8s_node', labels: { ...shared, node_name: node } };
    const labels = JSON.stringify({ 'tailship.dev/path': path }).slice(1, -1);
    return restoreTemplate(identity, { resource: JSON.stringify(resource), labels });
  }
  const { namespace, pod, container } = names;
  const labels = { namespace_name: namespace, pod_name: pod, container_name: container };
  const resource = { type: 'k8s_container', labels: { ...shared, ...labels } };
  return restoreTemplate(identity, { resource: JSON.stringify(resource), labels: podLabels });
}

/** The template that an earlier run stored. */
export function restoreTemplate(
  { project }: Pick<NodeIdentity, 'project'>,
  { resource, labels }: StoredTemplate,
): EntryTemplate {
  const logName = { stdout: '', stderr: logNameMember(project, 'stderr') };
  return { resource: `${resourceName}${resource},`, logName, labels };
}

/** A template as it is stored. */
export function storedTemplate({ resource, labels }: EntryTemplate): StoredTemplate {
  return { resource: resource.slice(resourceName.length, -1), labels };
}

/** `"logName":"…",` for a log id that is not escaped. */
export function logNameMember(project: string, id: string): string {
  return `"logName":${JSON.stringify(`projects/${project}/logs/${encodeURIComponent(id)}`)},`;
}

/** `"resource":{…},`. */
export function resourceMember(resource: object): string {
  return `${resourceName}${JSON.stringify(resource)},`;
}

/**
 * A request body up to its first entry. Its labels are merged into every entry, so a container's
 * may be here only if the request is its alone. logName and resource apply to entries without their
 * own; `logName` is the log `stdout` by default.
 */
export function requestHead(
  { project, node }: NodeIdentity,
  {
    resource,
    labels,
    project: ownProject = project,
    logName = logNameMember(ownProject, 'stdout'),
  }: Pick<EntryTemplate, 'resource' | 'labels' | 'project'> & { readonly logName?: string },
): Uint8Array {
  const nodeLabel =
    node === '' ? '' : `"compute.googleapis.com/resource_name":${JSON.stringify(node)}`;
  const members = [nodeLabel, labels].filter((text) => text !== '').join(',');
  const defaults = `${logName}${resource}"labels":{${members}},`;
  // Not a slice of Buffer's pool, all of which would be sent to the encoder.
  return encoder.encode(`{"partialSuccess":true,${defaults}"entries":[`);
}
