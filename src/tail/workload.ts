// Where a container runs and what it is called.

/** The node of a container, as it is named in each of its entries. */
export type NodePlace = {
  readonly project: string;
  readonly location: string;
  readonly cluster: string;
  readonly node: string;
};

export type ContainerNames = {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
};
