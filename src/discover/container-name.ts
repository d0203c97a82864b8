// Which pod and container a log belongs to, read from paths alone: no API call delays the first
// line of a new pod. Invariant: the same container gives the same name at every start of the agent,
// because podUid, container and restartCount are part of a file's identity.
//
// The link's name is cut to 255 bytes by the kubelet (kuberuntime/legacy.go), so what the target's
// path says wins:
//
//   link       <pod>_<namespace>_<container>-<id>.log              id: 64 hex digits, perhaps cut
//   kubelet    …/<namespace>_<pod>_<uid>/<container>/<n>.log        n: restart count
//   older      …/<uid>/<container>/<n>.log, …/<uid>/<container>_<n>.log
//   docker     …/containers/<id>/<id>-json.log

/** Names of a container's log; `podUid` is an id of the container where no path tells the pod's. */
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
// What is left of an id after the cut, perhaps nothing: also the short ids of hand-made fixtures.
const cutIdPattern = /^(.+)-([0-9a-f]{0,63})$/;

/**
 * Names from the target's path, then from the link's name; undefined when neither tells namespace,
 * pod and container. Source: contract 4.2.
 */
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

/** Whether the path alone tells all names: the kubelet's own layout since 1.14. */
export function namesItsContainer(targetPath: string): boolean {
  return (parseTargetPath(targetPath)?.pod ?? '') !== '';
}

/**
 * Whether a log at `realPath` may be read for a link `linkName` whose text leads to `targetPath`.
 * The text says whose log it is meant to be; on the way, a directory or the file itself may have
 * been exchanged for a link to another container's. What the text does not tell, the real path
 * decides.
 */
export function isOwnLog(linkName: string, targetPath: string, realPath: string): boolean {
  const meant = parseTargetPath(targetPath);
  const found = parseTargetPath(realPath);
  const foundId = dockerId(realPath);
  if (meant !== undefined && found !== undefined) return isSameContainer(meant, found);
  if (meant !== undefined) {
    // With docker, the file in the pod's directory is a link to the one that docker writes.
    if (foundId === undefined) return false;
    const id = parseLinkName(linkName)?.id ?? '';
    // A name of less than 250 bytes was not cut: a short id there is not docker's.
    return !(id.length === 64 || linkName.length >= 250) || foundId.startsWith(id);
  }
  const meantId = dockerId(targetPath);
  return meantId === undefined || meantId === foundId;
}

function isSameContainer(a: TargetName, b: TargetName): boolean {
  const isSamePod = a.podUid === b.podUid && a.pod === b.pod && a.namespace === b.namespace;
  return isSamePod && a.container === b.container;
}

/** Pod and namespace are '' in the layouts of old kubelets, which tell only the uid. */
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

/** None of the three names may hold `_`, so it parts them even when dashes and dots do not. */
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
