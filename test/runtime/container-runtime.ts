// What a kubelet needs of a container runtime for logs, whichever it is: containerd over CRI, or
// conmon by way of podman.

export type PodPlan = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Holds a directory for each container. */
  readonly directory: string;
};

export type ContainerPlan = {
  readonly name: string;
  /** Of the restarts, from 0. */
  readonly attempt: number;
  readonly command: readonly string[];
  /** Absolute, below the pod's directory, which is made already. */
  readonly logPath: string;
  /** conmon only: it replaces the file by an empty one when it is this long, as `200kb`. */
  readonly logSizeMax?: string;
};

/** Methods reject with the runtime's own words. */
export type ContainerRuntime = {
  /** The runtime's handle of the pod. */
  startPod(pod: PodPlan): Promise<string>;
  /** The container's id, 64 hex digits; the log exists when this resolves. */
  startContainer(podHandle: string, pod: PodPlan, container: ContainerPlan): Promise<string>;
  /** Undefined while it runs; once it is a number, every line is in the log. */
  exitCode(containerId: string): Promise<number | undefined>;
  /** Resolves when lines go to a new file at this path. */
  reopenLog(containerId: string, logPath: string): Promise<void>;
  removeContainer(containerId: string): Promise<void>;
  removePod(podHandle: string): Promise<void>;
  /** Ends the runtime itself. */
  close(): Promise<void>;
};
