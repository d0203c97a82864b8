// The parts of a request that are the same for all lines of a container, written once as JSON text.
// Called by agent.ts for each chain, and by plan.ts for each request. Label names: contract of the
// k8s_container and k8s_node resources.

export type NodePlace = {
  readonly project: string;
  readonly location: string;
  readonly cluster: string;
  readonly node: string;
};

/** JSON texts of one container. */
export type Workload = {
  /** The `resource` object. */
  readonly resource: string;
  /** Members of the entries' labels that only this container has, without braces; may be ''. */
  readonly labels: string;
};

const encoder = new TextEncoder();

export type ContainerNames = {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
};

/**
 * `k8s_container` of a container; `k8s_node` with the path as a label where the names cannot be
 * told. `podLabels` are members of the entries' labels, without braces.
 */
export function describeWorkload(
  place: NodePlace,
  names: ContainerNames | undefined,
  path: string,
  podLabels = '',
): Workload {
  const cluster = {
    project_id: place.project,
    location: place.location,
    cluster_name: place.cluster,
  };
  if (names === undefined) {
    const labels = { ...cluster, node_name: place.node };
    return {
      resource: JSON.stringify({ type: 'k8s_node', labels }),
      labels: JSON.stringify({ 'tailship.dev/path': path }).slice(1, -1),
    };
  }
  const labels = {
    ...cluster,
    namespace_name: names.namespace,
    pod_name: names.pod,
    container_name: names.container,
  };
  return { resource: JSON.stringify({ type: 'k8s_container', labels }), labels: podLabels };
}

/** `projects/P/logs/stdout` and `…/stderr`. */
export function logNames(project: string): { readonly stdout: string; readonly stderr: string } {
  return { stdout: `projects/${project}/logs/stdout`, stderr: `projects/${project}/logs/stderr` };
}

/**
 * A request body up to its first entry. Its labels are merged into every entry, so it may hold
 * those of a container only when the request holds no other; logName and resource fill in where an
 * entry has none.
 */
export function requestHead(place: NodePlace, workload: Workload, labels: string): Uint8Array {
  const node =
    place.node === '' ? '' : `"compute.googleapis.com/resource_name":${JSON.stringify(place.node)}`;
  const members = [node, labels].filter((text) => text !== '').join(',');
  const head =
    `{"partialSuccess":true,"logName":${JSON.stringify(logNames(place.project).stdout)},` +
    `"resource":${workload.resource},"labels":{${members}},"entries":[`;
  // Not a slice of Buffer's pool: a worker would be sent the whole slab with it.
  return encoder.encode(head);
}
