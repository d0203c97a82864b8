// Which pod and container a log belongs to, from paths alone: no API call delays the first line of
// a new pod. Invariant: a container gets the same name at every start of the agent, because podUid,
// container and restartCount are part of a file's identity.
//
// The kubelet cuts the link's name to 255 bytes (kuberuntime/legacy.go), so the target's path wins:
//
//   link       <pod>_<namespace>_<container>-<id>.log              id: 64 hex digits, perhaps cut
//   kubelet    …/<namespace>_<pod>_<uid>/<container>/<n>.log        n: restart count
//   older      …/<uid>/<container>/<n>.log, …/<uid>/<container>_<n>.log
//   docker     …/containers/<id>/<id>-json.log

import type { NodeFile } from '../node-file.ts';

export type ContainerLog = {
  /** E.g. /var/log/containers/x.log. */
  readonly linkPath: string;
  /** Real path of the directory of the log files. */
  readonly directory: string;
  /** The live file, e.g. `0.log`; between two steps of a rotation it does not exist. */
  readonly fileName: string;
  readonly format: 'cri' | 'docker' | 'raw';
  /** undefined: no path names a container; ships as k8s_node with the path as a label. */
  readonly name: ContainerName | undefined;
  /** It is a log of the node itself. */
  readonly nodeFile?: NodeFile;
};

/** `podUid` is an id of the container where no path contains the pod's. */
export type ContainerName = {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly podUid: string;
  readonly restartCount: number;
};

type LinkName = { namespace: string; pod: string; container: string; id: string };
type TargetName = Pick<ContainerName, 'container' | 'podUid' | 'restartCount'> & {
  namespace: string;
  pod: string;
};

// A pod's uid is a UUID; a static pod's is the hash of its manifest, 32 hex digits.
const uidPattern = /^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32,64})$/;
const idPattern = /^(.+)-([0-9a-f]{64})$/;
// What is left of an id after the cut, or a short id of a hand-made fixture.
const cutIdPattern = /^(.+)-([0-9a-f]{0,63})$/;

/** undefined when neither path contains namespace, pod and container. */
export function parseContainerName(
  linkName: string,
  targetPath: string,
): ContainerName | undefined {
  const target = parseTargetPath(targetPath);
  if (target !== undefined && target.pod !== '') return target;
  const link = parseLinkName(linkName);
  if (link === undefined) return undefined;
  const { namespace, pod } = link;
  if (target !== undefined) return { ...target, namespace, pod };
  const podUid = dockerId(targetPath) ?? (link.id === '' ? linkName : link.id);
  return { namespace, pod, container: link.container, podUid, restartCount: 0 };
}

/** Whether the path contains all names, as in the kubelet's layout since 1.14. */
export function namesItsContainer(targetPath: string): boolean {
  return (parseTargetPath(targetPath)?.pod ?? '') !== '';
}

/**
 * Whether the log at `realPath` may be read for a link `linkName` with the target `targetPath`,
 * which says whose log it should be: a directory or file on the way may have been replaced by a
 * link to another container's log.
 */
export function isOwnLog(linkName: string, targetPath: string, realPath: string): boolean {
  const meant = parseTargetPath(targetPath);
  const found = parseTargetPath(realPath);
  const foundId = dockerId(realPath);
  if (meant !== undefined && found !== undefined) return isSameContainer(meant, found);
  if (meant !== undefined) {
    // With docker, the file in the pod's directory is a link to docker's file.
    if (foundId === undefined) return false;
    const id = parseLinkName(linkName)?.id ?? '';
    // A name of less than 250 bytes was not cut: then a short id is not docker's.
    return !(id.length === 64 || linkName.length >= 250) || foundId.startsWith(id);
  }
  const meantId = dockerId(targetPath);
  return meantId === undefined || meantId === foundId;
}

function isSameContainer(a: TargetName, b: TargetName): boolean {
  const isSamePod = a.podUid === b.podUid && a.pod === b.pod && a.namespace === b.namespace;
  return isSamePod && a.container === b.container;
}

/** Pod and namespace are '' in the layouts of old kubelets, which contain only the uid. */
function parseTargetPath(path: string): TargetName | undefined {
  const [fileName = '', container = '', podDirectory = ''] = path.split('/').toReversed();
  const [, prefix = '', count] = /^(?:([^_]+)_)?(\d{1,15})\.log/.exec(fileName) ?? [];
  if (count === undefined) return undefined;
  const restartCount = Number(count);
  const pod = podDirectory.split('_');
  if (prefix === '' && pod.length === 3 && container !== '' && !pod.includes('')) {
    const [namespace = '', podName = '', podUid = ''] = pod;
    return { namespace, pod: podName, container, podUid, restartCount };
  }
  if (prefix === '' && container !== '' && uidPattern.test(podDirectory)) {
    return { namespace: '', pod: '', container, podUid: podDirectory, restartCount };
  }
  if (prefix !== '' && uidPattern.test(container)) {
    return { namespace: '', pod: '', container: prefix, podUid: container, restartCount };
  }
  return undefined;
}

/** None of the three names may contain `_`. */
function parseLinkName(linkName: string): LinkName | undefined {
  if (!linkName.endsWith('.log')) return undefined;
  const parts = linkName.slice(0, -'.log'.length).split('_');
  const [pod = '', namespace = '', rest = ''] = parts;
  if (parts.length !== 3 || pod === '' || namespace === '' || rest === '') return undefined;
  const [, container = rest, id = ''] = idPattern.exec(rest) ?? cutIdPattern.exec(rest) ?? [];
  return { namespace, pod, container, id };
}

function dockerId(targetPath: string): string | undefined {
  const [fileName = '', directory = ''] = targetPath.split('/').toReversed();
  return directory !== '' && fileName === `${directory}-json.log` ? directory : undefined;
}
