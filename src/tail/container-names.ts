// What a container and its log are called: in globs and status, in the fleet, and in the store.

import type { ContainerLog } from '../discover/container-name.ts';

export type ContainerNames = {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** Another name that globs may use: `journal`, for each of the journal's logs. */
  readonly group?: string;
};

/** What a chain needs to know of its container. */
export type LogLocation = {
  readonly directory: string;
  readonly liveName: string;
  readonly format: ContainerLog['format'];
  readonly podUid: string;
  readonly container: string;
  /** For files whose names do not contain it. */
  readonly restartCount: number;
};

/** Of the kubelet's `…/NAMESPACE_POD_UID/CONTAINER`; undefined for other directories. */
export function namesInDirectory(directory: string): ContainerNames | undefined {
  const [, namespace, pod, container] =
    /\/([^/_]+)_([^/_]+)_[^/_]+\/([^/]+)$/.exec(directory) ?? [];
  if (namespace === undefined || pod === undefined || container === undefined) return undefined;
  return { namespace, pod, container };
}

/** A file that is no container's is shown by its path. */
export function shownNames({ name, linkPath }: ContainerLog): ContainerNames {
  const { namespace = '', pod = '', container = linkPath } = name ?? {};
  return { namespace, pod, container };
}

/** The restarts of a CRI container share their directory and so their chain. */
export function keyOf({ directory, fileName }: ContainerLog): string {
  return /^\d+\.log$/.test(fileName) ? directory : `${directory}/${fileName}`;
}

/** The owner of its positions in the store. */
export function ownerOf({ name, directory, fileName }: ContainerLog): {
  podUid: string;
  container: string;
} {
  return { podUid: name?.podUid ?? `path:${directory}`, container: name?.container ?? fileName };
}

/** With kubelets before 1.14 each restart has its own name, and so its own chain. */
export function holdsAllRestarts({ liveName }: LogLocation): boolean {
  return /^\d+\.log$/.test(liveName);
}
