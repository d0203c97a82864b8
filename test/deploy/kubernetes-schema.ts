// Holds a manifest to the Kubernetes API's own types, unknown fields included. For
// manifests.test.ts.

import { validate as clusterRole } from 'kubernetes-models/_schemas/IoK8sApiRbacV1ClusterRole';
import { validate as clusterRoleBinding } from 'kubernetes-models/_schemas/IoK8sApiRbacV1ClusterRoleBinding';
import { validate as configMap } from 'kubernetes-models/_schemas/IoK8sApiCoreV1ConfigMap';
import { validate as daemonSet } from 'kubernetes-models/_schemas/IoK8sApiAppsV1DaemonSet';
import { validate as deployment } from 'kubernetes-models/_schemas/IoK8sApiAppsV1Deployment';
import { validate as namespace } from 'kubernetes-models/_schemas/IoK8sApiCoreV1Namespace';
import { validate as networkPolicy } from 'kubernetes-models/_schemas/IoK8sApiNetworkingV1NetworkPolicy';
import { validate as priorityClass } from 'kubernetes-models/_schemas/IoK8sApiSchedulingV1PriorityClass';
import { validate as serviceAccount } from 'kubernetes-models/_schemas/IoK8sApiCoreV1ServiceAccount';

type Validate = {
  (value: unknown): boolean;
  errors?:
    | readonly {
        readonly instancePath: string;
        readonly keyword: string;
        readonly params: object;
      }[]
    | null;
};

const schemas: Readonly<Record<string, unknown>> = {
  'apps/v1 DaemonSet': daemonSet,
  'apps/v1 Deployment': deployment,
  'networking.k8s.io/v1 NetworkPolicy': networkPolicy,
  'rbac.authorization.k8s.io/v1 ClusterRole': clusterRole,
  'rbac.authorization.k8s.io/v1 ClusterRoleBinding': clusterRoleBinding,
  'scheduling.k8s.io/v1 PriorityClass': priorityClass,
  'v1 ConfigMap': configMap,
  'v1 Namespace': namespace,
  'v1 ServiceAccount': serviceAccount,
};

/** What is wrong with a manifest, one line each. */
export function faultsOf(manifest: {
  readonly apiVersion: string;
  readonly kind: string;
}): string[] {
  const { apiVersion, kind } = manifest;
  const validate = schemas[`${apiVersion} ${kind}`] as Validate | undefined;
  if (validate === undefined) return [`no schema for ${apiVersion} ${kind}`];
  const read = new Set<string>();
  const isValid = validate(watched(manifest, '', read));
  const errors = isValid ? [] : (validate.errors ?? []);
  return [
    ...errors.map(({ instancePath, keyword, params }) => {
      return `${kind}${instancePath}: ${keyword} ${JSON.stringify(params)}`;
    }),
    ...unread(manifest, '', read).map((path) => `${kind}${path}: unknown field`),
  ];
}

/** Notes each member that the schema looks at: one that it never does is none of the type's. */
function watched(value: unknown, path: string, read: Set<string>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return new Proxy(value, {
    get(target, key) {
      const found: unknown = Reflect.get(target, key);
      if (typeof key === 'symbol' || !Object.hasOwn(target, key) || key === 'length') return found;
      read.add(`${path}/${key}`);
      return watched(found, `${path}/${key}`, read);
    },
  });
}

function unread(value: unknown, path: string, read: ReadonlySet<string>): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => {
    const place = `${path}/${key}`;
    // The package leaves out the texts of the types, and with them members of that name.
    if (key === 'description' && typeof member === 'string') return [];
    return read.has(place) ? unread(member, place, read) : [place];
  });
}
