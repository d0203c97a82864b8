// All containers of the node: makes one of each log that discovery finds, keeps it busy or idle,
// and drops it when its log is finished.
//
// Invariant: a container is known under one key from its first link to the end of its files.

import { hostname } from 'node:os';
import { dirname } from 'node:path';

import type { CheckpointStore } from './commit/checkpoint-store.ts';
import { limits } from './config.ts';
import type { Config } from './options/options.ts';
import type { ContainerLog, ContainerName } from './discover/container-name.ts';
import type { PodMetadata, PodName } from './discover/pods/pod-metadata.ts';
import { globBase, logRootsOf } from './log-roots.ts';
import {
  createTemplate,
  restoreTemplate,
  type EntryTemplate,
} from './encode/entries/entry-template.ts';
import { shapeTemplate } from './encode/entries/shape-template.ts';
import type { Log } from './log.ts';
import { Chain } from './tail/chain.ts';
import { addWritten, nothingWritten, type Written } from './tail/container-meter.ts';
import { HeldBackNotices } from './tail/held-back-notices.ts';
import { fitHeldFiles, type HeldBudget } from './tail/held-budget.ts';
import { keyOf, namesInDirectory, ownerOf, shownNames } from './tail/container-names.ts';
import { LossLedger, lossWords } from './tail/loss-ledger.ts';
import { nodeFilesOf, nodeFileTemplate, withNodeFile } from './tail/node-file-rule.ts';
import { OpenFiles, openFilesMax } from './tail/open-files.ts';
import type { OrphanSource } from './tail/orphan-copy.ts';
import type { Orphans } from './tail/orphans.ts';
import { Refusals } from './tail/refusals.ts';
import { ReadingRules } from './tail/reading-rules.ts';
import { realRoots } from './real-roots.ts';
import { steadyNowMs } from './steady-clock.ts';
import type { Loss, TailSetup } from './tail/tail-setup.ts';
import { TailedContainer } from './tail/tailed-container.ts';
import { WakeList } from './tail/wake.ts';
import type { NodeIdentity } from './host/node-identity.ts';

export class Fleet {
  readonly roots: readonly string[];
  readonly wakeList: WakeList;
  readonly losses = new LossLedger();
  readonly refusals = new Refusals();
  /** Parsers in annotations that are not known: each container with each name once. */
  readonly unknownParsers = new Refusals();
  readonly #reportedParsers = new Refusals();
  readonly #setup: TailSetup;
  readonly #store: CheckpointStore;
  readonly #log: Log;
  readonly #heldBudget: HeldBudget;
  readonly #ownPod: string;
  readonly #nodeIdentity: NodeIdentity;
  readonly #openFiles = new OpenFiles(openFilesMax(), () => this.#chains());
  /** Where reading begins in a file that no checkpoint knows. */
  #from: Config['from'];
  /** The same for files of the node itself. */
  #nodeFrom: Config['from'];
  /** Of `performance.now()`. */
  #listUntilMs = Number.POSITIVE_INFINITY;
  #partialFlushMs: number;
  readonly #containers = new Map<string, TailedContainer>();
  /** All links, including those of containers that are not read. */
  readonly #logs = new Map<string, ContainerLog>();
  #rules: ReadingRules;
  #pods: PodMetadata | undefined;
  #writtenByGone = nothingWritten;
  readonly #heldBackNotices = new HeldBackNotices();
  #forgetsAtMs: number | undefined;

  constructor(
    config: Config,
    parts: { nodeIdentity: NodeIdentity; store: CheckpointStore; log: Log },
  ) {
    const { store, log } = parts;
    this.#nodeIdentity = parts.nodeIdentity;
    this.#partialFlushMs = config.partialFlushMs;
    const nodeRoots = nodeFilesOf(config).map(({ glob }) => globBase(glob));
    this.roots = realRoots([...logRootsOf(config), ...nodeRoots]);
    // `JournalPositions` marks the first start; where node logs are off, it is not loaded.
    this.#nodeFrom = store.lookup('journal', 'started').length === 0 ? config.nodeFrom : 'start';
    this.wakeList = new WakeList(config.flushIntervalMs, config.quietEvery);
    this.#store = store;
    this.#log = log;
    this.#heldBudget = { bytesMax: config.heldBytesMax, ageMaxMs: config.heldAgeMaxMs };
    this.#ownPod = config.ownPod ?? hostname();
    this.#rules = new ReadingRules(config);
    this.#from = store.size === 0 ? config.from : 'start';
    this.#setup = this.#makeSetup(config);
  }

  #makeSetup(config: Config): TailSetup {
    return {
      roots: realRoots(logRootsOf(config)),
      openFiles: this.#openFiles,
      once: config.once,
      startedAtMs: Date.now(),
      from: () => this.#from,
      listUntilMs: () => this.#listUntilMs,
      lookup: (podUid, container) => this.#store.lookup(podUid, container),
      remember: (checkpoint) => this.#store.put(checkpoint),
      forget: (owner, key) => this.#store.forget({ ...owner, ...key }),
      lost: (loss) => this.#enterLoss(loss),
      missed: (path) => {
        this.losses.note('missed', namesInDirectory(dirname(path)));
        this.#log.error('LINES_LOST', `${path} came and went before it could be read`);
      },
      report: (code, text) => {
        if (code !== 'LINK_REFUSED' || this.refusals.note(text)) this.#log.warn(code, text);
      },
      trace: (text) => this.#log.debug(undefined, text),
    };
  }

  #enterLoss(loss: Loss): void {
    const { file, reason, bytes } = loss;
    const directory = dirname(file.path);
    const { podUid, container } = file.owner;
    const loser = [...this.#containers.values()].find(({ chain: { location } }) => {
      const isOwner = location.podUid === podUid && location.container === container;
      return isOwner && location.directory === directory;
    });
    loser?.lose(bytes);
    const names = loser ? shownNames(loser.containerLog) : namesInDirectory(directory);
    this.losses.enter(loss, loser?.template, names);
    this.#log.error('LINES_LOST', `${file.path}: ${bytes} bytes: ${lossWords[reason]}`);
  }

  /** Whether its positions are stored. */
  knows(containerLog: ContainerLog): boolean {
    const { podUid, container } = ownerOf(containerLog);
    return this.#store.lookup(podUid, container).length > 0;
  }

  /** Logs that appear after the first scan are new, and read from their start. */
  endFirstScan(): void {
    this.#from = 'start';
    this.#nodeFrom = 'start';
  }

  /** Opens the files of a linked log at once, because it may live for only 300 ms. */
  add(containerLog: ContainerLog, nowMs: number): void {
    this.#logs.set(containerLog.linkPath, containerLog);
    // Its positions are kept in case it is read again.
    if (this.#isExcluded(containerLog)) return;
    const key = keyOf(containerLog);
    const container = this.#containers.get(key) ?? this.#make(key, containerLog);
    const { chain } = container;
    chain.addLink(containerLog.linkPath);
    this.#setup.trace(`${containerLog.linkPath}: leads to ${containerLog.directory}`);
    // A pod with a thousand files may have a thousand links: then the next tick looks.
    if (chain.files.length <= limits.filesLookedAtOnceMax) chain.look(nowMs);
    this.wakeList.wake(container);
  }

  /**
   * Adds the copies of deleted files to their containers, before the first scan: newer files come
   * after them.
   */
  restoreOrphans(orphans: Orphans, nowMs: number): void {
    for (const found of orphans.list()) {
      const { source, deletedAtMs } = found.record;
      const { log: containerLog } = source;
      const unlinkedAtMs = nowMs - Math.max(0, Date.now() - deletedAtMs);
      if (this.#rules.of(containerLog.name, () => source).isExcluded) {
        // Kept like its positions in case it is read again, but not without end.
        if (nowMs - unlinkedAtMs > this.#heldBudget.ageMaxMs) orphans.drop(found);
        continue;
      }
      const key = keyOf(containerLog);
      const container = this.#containers.get(key) ?? this.#make(key, containerLog, source);
      const { chain } = container;
      orphans.adopt(chain.restore(found, unlinkedAtMs), chain, found);
      this.wakeList.wake(container);
    }
  }

  #make(key: string, containerLog: ContainerLog, kept?: OrphanSource): TailedContainer {
    const { directory, fileName, format, name, nodeFile } = containerLog;
    const nodeSetup = { ...this.#setup, roots: this.roots, from: () => this.#nodeFrom };
    const restartCount = name?.restartCount ?? 0;
    const chain = new Chain(
      { directory, liveName: fileName, format, ...ownerOf(containerLog), restartCount },
      nodeFile === undefined ? this.#setup : nodeSetup,
    );
    const template =
      kept === undefined || nodeFile !== undefined
        ? this.#describe(containerLog)
        : restoreTemplate(this.#nodeIdentity, kept.workload);
    const awaitsLabels =
      !(kept ?? nodeFile) && name !== undefined && this.#pods?.holdBack(name) === true;
    const { annotations, podTexts } = kept ?? {};
    const container = new TailedContainer(chain, containerLog, {
      template,
      annotations,
      podTexts,
      awaitsLabels,
    });
    this.#obey(container);
    this.#containers.set(key, container);
    return container;
  }

  #isExcluded({ name }: ContainerLog): boolean {
    const rule = this.#rules.of(name, () => {
      const pod = this.#podOf(name);
      return pod && { annotations: pod.annotations, podTexts: pod.texts };
    });
    return rule.isExcluded;
  }

  #podOf(name: ContainerName | undefined): ReturnType<PodMetadata['find']> {
    return name && this.#pods?.find(name);
  }

  /** Applies the current rule to a container. */
  #obey(container: TailedContainer): void {
    const { name, nodeFile } = container.containerLog;
    const pod = this.#podOf(name);
    if (pod !== undefined) container.annotate(pod.annotations, pod.texts);
    const rule = withNodeFile(
      this.#rules.of(name, () => container),
      nodeFile,
    );
    const { unknownParser: parser } = rule;
    if (parser !== undefined) this.#noteUnknownParser(parser, container.containerLog);
    const template = shapeTemplate(container.base, this.#nodeIdentity.project, rule.template);
    const own = name?.pod === this.#ownPod ? limits.ownLogBytesPerSecond : Number.POSITIVE_INFINITY;
    const bytesPerSecond = Math.min(own, rule.bytesPerSecond ?? Number.POSITIVE_INFINITY);
    // `--once` ends when it finds nothing to read, so it must not wait for a rate limit.
    const isPaced = bytesPerSecond !== Number.POSITIVE_INFINITY && !this.#setup.once;
    container.obey(rule, template, isPaced ? bytesPerSecond : undefined);
  }

  #noteUnknownParser(parser: string, containerLog: ContainerLog): void {
    this.unknownParsers.note(`${keyOf(containerLog)} ${parser}`);
    if (!this.#reportedParsers.note(parser)) return;
    const text = `an annotation asks for the parser ${JSON.stringify(parser.slice(0, 100))}, which is not known`;
    this.#log.warn(undefined, `${text}; the lines are shipped as they are`);
  }

  #describe({ directory, fileName, name, nodeFile }: ContainerLog): EntryTemplate {
    if (nodeFile !== undefined) return nodeFileTemplate(this.#nodeIdentity, nodeFile);
    const labels = name === undefined ? '' : this.#pods?.find(name)?.labels;
    return createTemplate(this.#nodeIdentity, name, `${directory}/${fileName}`, labels);
  }

  /** Applies the options that can change while the agent runs. */
  configure(config: Config): void {
    this.#partialFlushMs = config.partialFlushMs;
    this.#rules = new ReadingRules(config);
    for (const container of this.#containers.values()) this.#obey(container);
    this.#addMissing(() => true);
  }

  /** Reads containers that were excluded before. */
  #addMissing(isMeant: (containerLog: ContainerLog) => boolean): void {
    for (const containerLog of this.#logs.values()) {
      const links = this.#containers.get(keyOf(containerLog))?.chain.links;
      if (links?.has(containerLog.linkPath) === true) continue;
      if (isMeant(containerLog)) this.add(containerLog, steadyNowMs());
    }
  }

  /** New containers wait for their pods' labels from now on; called before the first scan. */
  usePods(pods: PodMetadata): void {
    this.#pods = pods;
  }

  /**
   * The labels of a pod came or changed, or are not waited for any more. Returns whether more
   * containers can be planned now.
   */
  relabel({ namespace, pod }: PodName): boolean {
    let isReleased = false;
    const isOfPod = ({ name }: ContainerLog) => name?.pod === pod && name.namespace === namespace;
    for (const container of this.#containers.values()) {
      const { containerLog } = container;
      if (containerLog.name === undefined || !isOfPod(containerLog)) continue;
      // The pod of a kept file is gone: the file keeps its labels.
      const isKnown = this.#podOf(containerLog.name) !== undefined;
      if (isKnown) container.relabel(this.#describe(containerLog));
      this.#obey(container);
      if (!container.awaitsLabels || this.#pods?.holdBack(containerLog.name) === true) continue;
      container.stopAwaitingLabels();
      isReleased = true;
    }
    this.#addMissing(isOfPod);
    return isReleased;
  }

  /** The link is gone, so its container was removed. Its files are read to their ends. */
  removeLink(containerLog: ContainerLog): void {
    this.#logs.delete(containerLog.linkPath);
    const container = this.#containers.get(keyOf(containerLog));
    if (container === undefined) return;
    container.chain.removeLink(containerLog.linkPath);
    this.wakeList.wake(container);
  }

  /** Looks at the busy containers, and drops those whose log is finished. */
  tick(nowMs: number): void {
    if (!this.#setup.once) this.#listUntilMs = performance.now() + limits.listSliceMs;
    this.wakeList.tick(nowMs, this.#partialFlushMs);
    fitHeldFiles(this.#containers.values(), this.#heldBudget, nowMs);
    this.#forgetUnclaimed(nowMs);
    this.#heldBackNotices.tick(this.#containers.values(), this.losses, nowMs);
    this.#dropEnded();
  }

  /** Idle ones, too: a log may be finished at the look that makes it idle. */
  #dropEnded(): void {
    for (const container of this.#containers.values()) {
      const { chain, containerLog, rule } = container;
      if (!(chain.isFinished || rule.isExcluded) || chain.draining || chain.isCopying) continue;
      chain.close();
      this.#writtenByGone = addWritten(this.#writtenByGone, container.written);
      this.wakeList.remove(container);
      this.#containers.delete(keyOf(containerLog));
      this.#setup.trace(`${containerLog.linkPath}: its log is finished`);
    }
  }

  /** Forgets, once, the checkpoints of containers that disappeared while no agent ran. */
  #forgetUnclaimed(nowMs: number): void {
    this.#forgetsAtMs ??= nowMs + limits.unclaimedKeptMs;
    if (nowMs < this.#forgetsAtMs || this.#containers.size === 0) return;
    this.#forgetsAtMs = Number.POSITIVE_INFINITY;
    for (const { name } of this.#logs.values()) {
      if (name !== undefined) this.#store.claim(name.podUid, name.container);
    }
    for (const { chain } of this.#containers.values()) {
      this.#store.claim(chain.location.podUid, chain.location.container);
    }
    this.#store.forgetUnclaimed();
  }

  /** The busy containers that do not wait for labels. */
  plannable(): TailedContainer[] {
    // A generator would cost an object for each of them, several times a second.
    const plannable: TailedContainer[] = [];
    for (const container of this.wakeList.busy()) {
      if (!container.awaitsLabels && !container.rule.isExcluded) plannable.push(container);
    }
    return plannable;
  }

  *#chains(): Generator<Chain> {
    for (const { chain } of this.#containers.values()) yield chain;
  }

  all(): Iterable<TailedContainer> {
    return this.#containers.values();
  }

  get openFileCount(): number {
    return this.#openFiles.count;
  }

  get fileCount(): number {
    return this.#sum(({ chain }) => chain.files.length);
  }

  /** Bytes that are not acknowledged yet. */
  get behindBytes(): number {
    return this.#sum(({ chain }) => chain.behindBytes);
  }

  get unreadBytes(): number {
    return this.#sum(({ chain }) => chain.unread);
  }

  /** Unread bytes of the containers with a rate limit. */
  get heldBackBytes(): number {
    return this.#sum(({ chain, rule }) => (rule.bytesPerSecond === undefined ? 0 : chain.unread));
  }

  /** By all containers since the start, including those that are gone. */
  get written(): Written {
    let { bytes, lines, guessedLines } = this.#writtenByGone;
    for (const { written } of this.#containers.values()) {
      bytes += written.bytes;
      lines += written.lines;
      guessedLines += written.guessedLines;
    }
    return { bytes, lines, guessedLines };
  }

  #sum(valueOf: (container: TailedContainer) => number): number {
    let sum = 0;
    for (const container of this.#containers.values()) sum += valueOf(container);
    return sum;
  }

  close(): void {
    this.wakeList.close();
    for (const { chain } of this.#containers.values()) chain.close();
  }
}
