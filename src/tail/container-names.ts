// What a container is called.

export type ContainerNames = {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
};

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
