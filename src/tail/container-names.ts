// What a container is called.

export type ContainerNames = {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** Another name that globs may use: `journal`, for each of the journal's logs. */
  readonly group?: string;
};

/** Of the kubelet's `…/NAMESPACE_POD_UID/CONTAINER`; undefined for other directories. */
export function namesInDirectory(directory: string): ContainerNames | undefined {
  const [, namespace, pod, container] =
    /\/([^/_]+)_([^/_]+)_[^/_]+\/([^/]+)$/.exec(directory) ?? [];
  if (namespace === undefined || pod === undefined || container === undefined) return undefined;
  return { namespace, pod, container };
}

/** What is shown of a log: a file that is no container's has only its path. */
export function shownNames(log: {
  readonly name: ContainerNames | undefined;
  readonly linkPath: string;
}): ContainerNames {
  const { namespace, pod, container } = log.name ?? {
    namespace: '',
    pod: '',
    container: log.linkPath,
  };
  return { namespace, pod, container };
}
