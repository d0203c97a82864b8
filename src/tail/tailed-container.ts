// All that the agent knows of one container: the chain of its files, what its entries have in
// common, how it is read and how far it has come.
//
// Invariant: it alone writes what it holds; others tell it what happened.

import { limits } from '../config.ts';
import type { ContainerLog } from '../discover/discovery.ts';
import type { SourceResult } from '../encode/drain-task.ts';
import type { EntryTemplate } from '../encode/entries/entry-template.ts';
import type { Chain } from './chain.ts';
import { ContainerMeter, type Written } from './container-meter.ts';
import type { IdleWatch } from './idle-watch.ts';
import { steadyNowMs } from '../steady-clock.ts';
import { Pace } from './pace.ts';
import {
  noPodTexts,
  noRule,
  type Annotations,
  type PodTexts,
  type ReadingRule,
} from './reading-rules.ts';
import { addSource, createContainerCounter, type ContainerTotals } from './totals.ts';

export class TailedContainer {
  readonly chain: Chain;
  readonly containerLog: ContainerLog;
  readonly meter = new ContainerMeter(steadyNowMs());
  readonly #totals = createContainerCounter();
  #template: EntryTemplate;
  #base: EntryTemplate;
  #annotations: Annotations | undefined;
  #podTexts: PodTexts;
  #rule: ReadingRule = noRule;
  #pace: Pace | undefined;
  #awaitsLabels: boolean;
  #lostBytes = 0;
  #refusedEntries = 0;
  #heldUpBatches = 0;
  #servedAt = 0;
  #quietLooks = 0;
  #lookDueMs = 0;
  #grownAtLook = 0;
  #idleWatch: IdleWatch | undefined;

  constructor(
    chain: Chain,
    containerLog: ContainerLog,
    known: {
      readonly template: EntryTemplate;
      readonly annotations?: Annotations | undefined;
      readonly podTexts?: PodTexts | undefined;
      readonly awaitsLabels?: boolean;
    },
  ) {
    this.chain = chain;
    this.containerLog = containerLog;
    this.#base = known.template;
    this.#template = known.template;
    this.#annotations = known.annotations;
    this.#podTexts = known.podTexts ?? noPodTexts;
    this.#awaitsLabels = known.awaitsLabels ?? false;
  }

  /** Before rules have changed it. */
  get base(): EntryTemplate {
    return this.#base;
  }

  /** Replaced when the labels of the pod or the rules change; a plan under way keeps its own. */
  get template(): EntryTemplate {
    return this.#template;
  }

  /** Of its pod; kept when the API server has forgotten the pod. */
  get annotations(): Annotations | undefined {
    return this.#annotations;
  }

  /** Of its pod, for rules; kept as long as its annotations. */
  get podTexts(): PodTexts {
    return this.#podTexts;
  }

  get totals(): ContainerTotals {
    return this.#totals;
  }

  get rule(): ReadingRule {
    return this.#rule;
  }

  /** undefined: as fast as possible. */
  get pace(): Pace | undefined {
    return this.#pace;
  }

  /** Not planned yet: the labels of its pod may come any moment. */
  get awaitsLabels(): boolean {
    return this.#awaitsLabels;
  }

  /** Bytes since the start that can never be read. */
  get lostBytes(): number {
    return this.#lostBytes;
  }

  /** By how much its files grew since the agent watches them, as of the last look. */
  get grownBytes(): number {
    return this.chain.keptBytes + this.#lostBytes;
  }

  get written(): Written {
    return this.meter.written(this);
  }

  /** Entries since the start that Cloud Logging refused for good. */
  get refusedEntries(): number {
    return this.#refusedEntries;
  }

  /** Entries that were refused hold its batches up: what is read next would only wait behind. */
  get isHeldUp(): boolean {
    return this.#heldUpBatches > 0;
  }

  /** When it was last in a plan, counted in turns. */
  get servedAt(): number {
    return this.#servedAt;
  }

  /** undefined while it is busy. */
  get idleWatch(): IdleWatch | undefined {
    return this.#idleWatch;
  }

  /** The labels of its pod changed: takes the template that holds them; `obey` follows. */
  relabel(base: EntryTemplate): void {
    this.#base = base;
  }

  annotate(annotations: Annotations | undefined, podTexts: PodTexts): void {
    this.#annotations = annotations;
    this.#podTexts = podTexts;
  }

  stopAwaitingLabels(): void {
    this.#awaitsLabels = false;
  }

  /**
   * Takes a rule over, and what it makes of the template, from the next plan on; no
   * `bytesPerSecond`: as fast as possible.
   */
  obey(rule: ReadingRule, template: EntryTemplate, bytesPerSecond: number | undefined): void {
    this.#rule = rule;
    this.#template = template;
    this.#pace = bytesPerSecond === undefined ? undefined : new Pace(bytesPerSecond, this.#pace);
  }

  /** It has its turn in a plan, or gets back the place that it had before one. */
  serve(turn: number): void {
    this.#servedAt = turn;
  }

  /** Counts what a task made of `bytes` of its files. */
  count(source: SourceResult, bytes: number): void {
    // A backlog is read first, and lost first.
    const unreadBacklog = this.chain.backlogBytes - this.#totals.bytes - this.#lostBytes;
    this.meter.read({ bytes, lines: source.lines }, Math.max(0, unreadBacklog));
    addSource(this.#totals, source, bytes);
  }

  lose(bytes: number): void {
    this.#lostBytes += bytes;
  }

  /** An entry of it is set aside: Cloud Logging does not take it. */
  refuse(): void {
    this.#refusedEntries += 1;
  }

  /** Refused entries hold one more of its batches up. */
  holdUp(): void {
    this.#heldUpBatches += 1;
  }

  letGo(): void {
    this.#heldUpBatches -= 1;
  }

  /**
   * Counts a look; returns how many there were since the last one with news. One that found little
   * is followed by the next one at `quietDueMs`.
   */
  noteLook(isNews: boolean, quietDueMs: number): number {
    const grown = this.grownBytes;
    const isQuiet = isNews && grown - this.#grownAtLook <= limits.quietBytesMax;
    this.#lookDueMs = isQuiet ? quietDueMs : 0;
    this.#grownAtLook = grown;
    this.#quietLooks = isNews ? 0 : this.#quietLooks + 1;
    return this.#quietLooks;
  }

  /** Nothing of it is unread or under way, and what it writes meanwhile is little. */
  mayWait(nowMs: number): boolean {
    const { chain } = this;
    if (nowMs >= this.#lookDueMs || chain.links.size === 0) return false;
    return !chain.draining && chain.behindBytes === 0 && !chain.mayStillGrow;
  }

  /** Idle from now on. */
  rest(idleWatch: IdleWatch): void {
    this.#idleWatch = idleWatch;
  }

  /** Busy from now on. */
  wake(): void {
    this.#idleWatch?.close();
    this.#idleWatch = undefined;
    this.#quietLooks = 0;
    this.#lookDueMs = 0;
  }
}
