// A stand-in for the kubelet and its container runtime: pods, their log files, and the links that
// an agent finds them by.
//
// The layout is the node's:
//   <root>/containers/<pod>_<namespace>_<container>-<id>.log  →  <root>/pods/<namespace>_<pod>_<uid>/<container>/<n>.log
// Facts are from the kubelet's container_log_manager.go and legacy.go. Invariant: `account()` knows
// every line that was ever written and every line whose file this kubelet has deleted, so a loss is
// either the agent's or accounted for here.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { createCriClock } from './cri-clock.ts';
import type { CriClock, CriStyle } from './cri-clock.ts';
import { FakeContainer } from './fake-container.ts';
import type { ContainerFrame } from './fake-container.ts';
import type { Account, ContainerAccount } from './log-account.ts';
import { createRandom } from './log-lines.ts';
import type { LineKind, Random } from './log-lines.ts';

export type FakeKubeletOptions = {
  /** Replaces /var/log; created if missing. */
  readonly root: string;
  readonly seed: number;
  /** Default containerd. */
  readonly style?: CriStyle;
  /** Default: batch. */
  readonly writeMode?: 'line' | 'batch';
  /** `containerLogMaxFiles`, default 5. */
  readonly filesMax?: number;
  readonly utcOffsetMinutes?: number;
  /** Start of deterministic times, milliseconds since the epoch; default is the wall clock. */
  readonly startMs?: number;
  /** Step of deterministic times, default 1,000; 0 gives equal times. */
  readonly stepNanos?: number;
};

export type PodOptions = {
  readonly namespace: string;
  readonly pod: string;
  readonly containers: readonly (string | ContainerOptions)[];
  readonly uid?: string;
  /** A pod from the node's own files: its uid is 32 hex digits. */
  readonly isStatic?: boolean;
};

export type ContainerOptions = {
  readonly name: string;
  /** Default mixed. */
  readonly kind?: LineKind;
  /** Target length of generated messages. */
  readonly bytes?: number;
};

const linkNameBytesMax = 255;
const scratchBytes = 1024 * 1024;

/** A node's kubelet. Methods throw the file system's errors as they are. */
export class FakeKubelet {
  readonly containersDir: string;
  readonly podsDir: string;
  readonly seed: number;
  readonly clock: CriClock;
  readonly #frame: ContainerFrame;
  readonly #random: Random;
  /** By namespace/pod/container: a pod that comes again continues its numbers. */
  readonly #accounts = new Map<string, ContainerAccount>();
  readonly #pods = new Set<FakePod>();

  constructor(options: FakeKubeletOptions) {
    const style = options.style ?? 'containerd';
    this.containersDir = path.join(options.root, 'containers');
    this.podsDir = path.join(options.root, 'pods');
    this.seed = options.seed;
    this.clock = createCriClock({ ...options, style });
    this.#random = createRandom(options.seed);
    this.#frame = {
      seed: options.seed,
      style,
      clock: this.clock,
      writeMode: options.writeMode ?? 'batch',
      filesMax: options.filesMax ?? 5,
      scratch: Buffer.alloc(scratchBytes),
    };
    fs.mkdirSync(this.containersDir, { recursive: true });
    fs.mkdirSync(this.podsDir, { recursive: true });
  }

  get pods(): readonly FakePod[] {
    return [...this.#pods];
  }

  /** All running containers. */
  get containers(): readonly FakeContainer[] {
    return this.pods.flatMap((pod) => pod.containers).filter((container) => container.isRunning);
  }

  /** Starts a pod: log files first, then their links. */
  startPod(options: PodOptions): FakePod {
    const { namespace, pod } = options;
    const uid = options.uid ?? this.#uid(options.isStatic === true);
    const directory = path.join(this.podsDir, `${namespace}_${pod}_${uid}`);
    const containers = options.containers.map((given) => {
      const container = typeof given === 'string' ? { name: given } : given;
      const account = this.#account(namespace, pod, container);
      return new FakeContainer(this.#frame, account, path.join(directory, container.name));
    });
    const started = new FakePod({
      namespace,
      pod,
      uid,
      directory,
      containers,
      containersDir: this.containersDir,
      random: this.#random,
      onDelete: () => this.#pods.delete(started),
    });
    this.#pods.add(started);
    return started;
  }

  /** What has been written and deleted; the figures in it keep growing. */
  account(): Account {
    return { seed: this.seed, containers: [...this.#accounts.values()] };
  }

  /** Kills all containers; files and links stay. */
  close(): void {
    for (const container of this.containers) container.kill();
  }

  #account(namespace: string, pod: string, container: ContainerOptions): ContainerAccount {
    const key = `${namespace}/${pod}/${container.name}`;
    const account = this.#accounts.get(key) ?? {
      namespace,
      pod,
      container: container.name,
      kind: container.kind ?? 'mixed',
      bytes: container.bytes,
      lines: 0,
      fileBytes: 0,
      explicit: new Map(),
      deleted: [],
    };
    this.#accounts.set(key, account);
    return account;
  }

  #uid(isStatic: boolean): string {
    const hex = this.#random.hex(32);
    if (isStatic) return hex;
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }
}

type PodFrame = {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly directory: string;
  readonly containers: readonly FakeContainer[];
  readonly containersDir: string;
  readonly random: Random;
  readonly onDelete: () => void;
};

export class FakePod {
  readonly pod: string;
  readonly uid: string;
  /** Holds a directory for each container. */
  readonly directory: string;
  readonly containers: readonly FakeContainer[];
  readonly #frame: PodFrame;
  /** Links by container, oldest first. The last is of the current run. */
  readonly #links = new Map<FakeContainer, string[]>();

  constructor(frame: PodFrame) {
    this.pod = frame.pod;
    this.uid = frame.uid;
    this.directory = frame.directory;
    this.containers = frame.containers;
    this.#frame = frame;
    for (const container of this.containers) this.#startContainer(container);
  }

  /** The container of this name, or the first. */
  container(name?: string): FakeContainer {
    const found = this.containers.find((each) => name === undefined || each.name === name);
    assert(found !== undefined, `the pod has the container ${name}`);
    return found;
  }

  /** The link to the current run's log. */
  linkPath(container: FakeContainer): string {
    const link = this.#links.get(container)?.at(-1);
    assert(link !== undefined, `${container.name} is of this pod`);
    return link;
  }

  /** Next file, id and link. The last dead run keeps its files and link; older runs lose theirs. */
  restartContainer(container: FakeContainer): void {
    container.kill();
    if (container.restart > 0) container.removeRun(container.restart - 1);
    this.#startContainer(container);
    this.collectLinks();
  }

  /**
   * Removes links that lead nowhere, except that of a running container, which is being rotated.
   */
  collectLinks(): void {
    for (const [container, links] of this.#links) {
      const kept = links.filter((link, index) => {
        const isCurrent = index === links.length - 1 && container.isRunning;
        if (isCurrent || fs.existsSync(link)) return true;
        fs.rmSync(link, { force: true });
        return false;
      });
      this.#links.set(container, kept);
    }
  }

  /** Deletes the pod in the kubelet's order: log files, then directories, then links. */
  delete(options: { readonly beforeLinks?: () => void } = {}): void {
    for (const container of this.containers) container.kill();
    for (const container of this.containers) {
      for (let restart = container.restart; restart >= 0; restart -= 1) {
        container.removeRun(restart);
      }
      fs.rmSync(container.directory, { recursive: true });
    }
    fs.rmdirSync(this.directory);
    options.beforeLinks?.();
    this.collectLinks();
    this.#frame.onDelete();
  }

  #startContainer(container: FakeContainer): void {
    container.start();
    const { pod, namespace, containersDir, random } = this.#frame;
    const name = `${pod}_${namespace}_${container.name}-${random.hex(64)}.log`;
    const link = path.join(containersDir, shortLinkName(name));
    fs.symlinkSync(container.logPath, link);
    this.#links.set(container, [...(this.#links.get(container) ?? []), link]);
  }
}

/** The kubelet cuts a link's name to 255 bytes, so the id and even the container may be missing. */
function shortLinkName(name: string): string {
  if (Buffer.byteLength(name) <= linkNameBytesMax) return name;
  return `${name.slice(0, linkNameBytesMax - '.log'.length)}.log`;
}

export function createFakeKubelet(options: FakeKubeletOptions): FakeKubelet {
  return new FakeKubelet(options);
}
