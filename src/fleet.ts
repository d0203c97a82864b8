// All chains of the node: turns what discovery finds into chains, keeps them awake or idle, drops
// them when they are over. Made by agent.ts; pipeline.ts plans from it.

import { readFileSync, realpathSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';

import type { CheckpointStore } from './commit/checkpoint-store.ts';
import { limits, type Config } from './config.ts';
import type { ContainerLog } from './discover/discovery.ts';
import type { PodMetadata, PodName } from './discover/pod-metadata.ts';
import { globBase } from './discover/raw-discovery.ts';
import type { Log } from './log.ts';
import { Chain } from './tail/chain.ts';
import { fitHeldFiles, type HeldBudget } from './tail/held-budget.ts';
import { LossLedger } from './tail/loss-ledger.ts';
import type { PlannedChain } from './tail/plan.ts';
import type { Loss, TailSetup } from './tail/tail-setup.ts';
import { WakeList } from './tail/wake.ts';
import { describeWorkload, type NodePlace, type Workload } from './tail/workload.ts';

/** One container's chain with what agent and page need to say about it. */
export type FleetChain = PlannedChain & {
  readonly log: ContainerLog;
  /** Not planned yet: the labels of its pod may come any moment. */
  awaited: boolean;
  /** Since the start; nobody can read them any more. */
  lostBytes: number;
};

/** Room that could not be made is looked for again after this many milliseconds. */
const noRoomMs = 50;

export class Fleet {
  readonly roots: readonly string[];
  readonly wakeList: WakeList;
  readonly losses = new LossLedger();
  readonly #setup: TailSetup;
  readonly #store: CheckpointStore;
  readonly #log: Log;
  readonly #heldBudget: HeldBudget;
  readonly #ownPod: string;
  readonly #place: NodePlace;
  #partialFlushMs: number;
  readonly #chains = new Map<string, FleetChain>();
  readonly #keys = new Map<Chain, string>();
  #pods: PodMetadata | undefined;
  #noRoomUntilMs = 0;
  #forgetsAtMs: number | undefined;

  constructor(
    config: Config,
    parts: { place: NodePlace; store: CheckpointStore; log: Log; onWake: () => void },
  ) {
    const { store, log } = parts;
    this.#place = parts.place;
    this.#partialFlushMs = config.partialFlushMs;
    this.roots = realRoots(config.format === 'raw' ? config.rawPath.map(globBase) : config.logRoot);
    this.wakeList = new WakeList(config.flushIntervalMs, parts.onWake);
    this.#store = store;
    this.#log = log;
    this.#heldBudget = { bytesMax: config.heldBytesMax, ageMaxMs: config.heldAgeMaxMs };
    this.#ownPod = config.ownPod ?? hostname();
    this.#setup = this.#makeSetup(config);
  }

  #makeSetup(config: Config): TailSetup {
    const store = this.#store;
    return {
      roots: this.roots,
      openFiles: { count: 0, max: openFilesMax() },
      from: store.size === 0 ? config.from : 'start',
      once: config.once,
      lookup: (podUid, container) => store.lookup(podUid, container),
      remember: (file) => {
        const { owner, identity, committed: offset, device, inode, path } = file;
        if (identity === undefined) return;
        const fileName = path.slice(path.lastIndexOf('/') + 1);
        const { fingerprint } = identity;
        store.put({ ...owner, fingerprint, offset, device, inode, fileName });
      },
      forget: (owner, fingerprint) => store.forget({ ...owner, fingerprint }),
      makeRoom: () => this.#makeRoom(),
      lost: (loss) => this.#enterLoss(loss),
      report: (code, text) => this.#log.warn(code, text),
    };
  }

  #enterLoss(loss: Loss): void {
    const { file, reason, bytes } = loss;
    const { podUid, container } = file.owner;
    const directory = dirname(file.path);
    const planned = [...this.#chains.values()].find(
      ({ chain: { place } }) =>
        place.directory === directory && place.podUid === podUid && place.container === container,
    );
    if (planned !== undefined) planned.lostBytes += bytes;
    this.losses.enter(loss, planned?.workload);
    this.#log.warn('LINES_LOST', `${file.path}: ${bytes} bytes (${reason})`);
  }

  /** Closes descriptors that can be had again, an eighth of all that may be open. */
  #makeRoom(): void {
    const { openFiles } = this.#setup;
    if (performance.now() < this.#noRoomUntilMs) return;
    const countMax = Math.floor((openFiles.max * 7) / 8);
    for (const unreadToo of [false, true]) {
      for (const { chain } of this.#chains.values()) {
        if (openFiles.count <= countMax) return;
        chain.release({ unreadToo });
      }
      if (openFiles.count < openFiles.max) return;
    }
    // All are being read: asking again for each of thousands of files would cost more than waiting.
    this.#noRoomUntilMs = performance.now() + noRoomMs;
  }

  /** Told after the first scan: what appears from now on is new, and read from its start. */
  endFirstScan(): void {
    this.#setup.from = 'start';
  }

  /**
   * A link that leads to a container's log: opens its files at once, for it may live for 300 ms
   * only.
   */
  add(log: ContainerLog, nowMs: number): void {
    const key = keyOf(log);
    const known = this.#chains.get(key);
    const chain = known?.chain ?? this.#make(key, log);
    chain.links.add(log.linkPath);
    chain.look(nowMs);
    this.wakeList.wake(chain);
  }

  #make(key: string, log: ContainerLog): Chain {
    const { directory, fileName, format, name } = log;
    const chain = new Chain(
      {
        directory,
        liveName: fileName,
        format,
        podUid: name?.podUid ?? `path:${directory}`,
        container: name?.container ?? fileName,
        restartCount: name?.restartCount ?? 0,
      },
      this.#setup,
    );
    const workload = this.#describe(log);
    const awaited = name !== undefined && this.#pods?.awaits(name) === true;
    const isOwn = name?.pod === this.#ownPod;
    const pace = isOwn ? { bytesPerSecond: limits.ownLogBytesPerSecond, dueMs: 0 } : undefined;
    this.#chains.set(key, { chain, workload, log, servedAt: 0, awaited, pace, lostBytes: 0 });
    this.#keys.set(chain, key);
    return chain;
  }

  #describe({ directory, fileName, name }: ContainerLog): Workload {
    const labels = name === undefined ? '' : this.#pods?.find(name)?.labels;
    return describeWorkload(this.#place, name, `${directory}/${fileName}`, labels);
  }

  /** Takes over the options that are hot. */
  configure({ partialFlushMs }: Config): void {
    this.#partialFlushMs = partialFlushMs;
  }

  /** From now on new containers wait for the labels of their pods; called before the first scan. */
  usePods(pods: PodMetadata): void {
    this.#pods = pods;
  }

  /**
   * The labels of a pod came or changed, or are not waited for any more. Returns whether containers
   * can be planned that could not before.
   */
  relabel({ namespace, pod }: PodName): boolean {
    let isReleased = false;
    for (const planned of this.#chains.values()) {
      const { name } = planned.log;
      if (name?.pod !== pod || name.namespace !== namespace) continue;
      planned.workload = this.#describe(planned.log);
      if (!planned.awaited || this.#pods?.awaits(name) === true) continue;
      planned.awaited = false;
      isReleased = true;
    }
    return isReleased;
  }

  /** The link is gone: its container was removed. Its files are read to their ends. */
  removeLink(log: ContainerLog): void {
    const planned = this.#chains.get(keyOf(log));
    if (planned === undefined) return;
    planned.chain.links.delete(log.linkPath);
    this.wakeList.wake(planned.chain);
  }

  /** Looks at the busy chains, and drops those that are over. */
  tick(nowMs: number): void {
    this.wakeList.tick(nowMs, this.#partialFlushMs);
    fitHeldFiles(this.#keys.keys(), this.#heldBudget, nowMs);
    this.#forgetUnclaimed(nowMs);
    for (const [key, { chain }] of this.#chains) {
      if (!chain.over || chain.draining) continue;
      chain.close();
      this.wakeList.remove(chain);
      this.#chains.delete(key);
      this.#keys.delete(chain);
    }
  }

  /** Once: forgets the checkpoints of containers that went while no agent ran. */
  #forgetUnclaimed(nowMs: number): void {
    this.#forgetsAtMs ??= nowMs + limits.unclaimedKeptMs;
    if (nowMs < this.#forgetsAtMs || this.#chains.size === 0) return;
    this.#forgetsAtMs = Number.POSITIVE_INFINITY;
    this.#store.forgetUnclaimed();
  }

  /** Chains that may have something to read: the busy ones that wait for no labels. */
  *planned(): Generator<FleetChain> {
    for (const chain of this.wakeList.busy()) {
      const key = this.#keys.get(chain);
      const planned = key === undefined ? undefined : this.#chains.get(key);
      if (planned?.awaited === false) yield planned;
    }
  }

  all(): Iterable<FleetChain> {
    return this.#chains.values();
  }

  get openFileCount(): number {
    return this.#setup.openFiles.count;
  }

  get fileCount(): number {
    let count = 0;
    for (const { chain } of this.#chains.values()) count += chain.files.length;
    return count;
  }

  /** Bytes that are not answered for yet. */
  get behindBytes(): number {
    let bytes = 0;
    for (const { chain } of this.#chains.values()) bytes += chain.behindBytes;
    return bytes;
  }

  get unreadBytes(): number {
    let bytes = 0;
    for (const { chain } of this.#chains.values()) bytes += chain.unread;
    return bytes;
  }

  close(): void {
    this.wakeList.close();
    for (const { chain } of this.#chains.values()) chain.close();
  }
}

/**
 * A CRI container's restarts share their directory and so their chain; other logs have one each.
 */
function keyOf(log: ContainerLog): string {
  return /^\d+\.log$/.test(log.fileName) ? log.directory : `${log.directory}/${log.fileName}`;
}

function realRoots(logRoots: readonly string[]): string[] {
  return logRoots.flatMap((root) => {
    try {
      return [realpathSync(root)];
    } catch {
      return [root]; // It may appear later; until then nothing lies under it.
    }
  });
}

/**
 * Descriptors that log files may take: the process limit less what sockets, store and threads need.
 */
function openFilesMax(): number {
  const match = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  return Math.max(16, Number(match?.[1] ?? 1024) - limits.openFilesReserve);
}
