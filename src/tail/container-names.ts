// What a container is called.

export type ContainerNames = {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
};
