// Everything that the agent knows about one container: the chain of its files, the template of its
// entries, its rule, and its totals.

import { limits } from '../config.ts';
import type { ContainerLog } from '../discover/container-name.ts';
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

  /** The template before rules change it. */
  get base(): EntryTemplate {
    return this.#base;
  }

  /** Replaced when labels or rules change; a plan in progress keeps its own. */
  get template(): EntryTemplate {
    return this.#template;
  }

  /** Of its pod, kept when the pod is gone. */
  get annotations(): Annotations | undefined {
    return this.#annotations;
  }

  /** Of its pod, for rules. */
  get podTexts(): PodTexts {
    return this.#podTexts;
  }

  get totals(): ContainerTotals {
    return this.#totals;
  }

  get rule(): ReadingRule {
    return this.#rule;
  }

  /** undefined: not limited. */
  get pace(): Pace | undefined {
    return this.#pace;
  }

  /** Not read yet: the labels of its pod may come any moment. */
  get awaitsLabels(): boolean {
    return this.#awaitsLabels;
  }

  get lostBytes(): number {
    return this.#lostBytes;
  }

  /** By how much its files have grown while the agent watched them, as of the last look. */
  get grownBytes(): number {
    return this.chain.keptBytes + this.#lostBytes;
  }

  get written(): Written {
    return this.meter.written(this);
  }

  get refusedEntries(): number {
    return this.#refusedEntries;
  }

  /** Refused entries delay its batches: what is read next would only wait behind them. */
  get isHeldUp(): boolean {
    return this.#heldUpBatches > 0;
  }

  /** The turn of its last plan. */
  get servedAt(): number {
    return this.#servedAt;
  }

  /** undefined while it is busy. */
  get idleWatch(): IdleWatch | undefined {
    return this.#idleWatch;
  }

  /** The labels of its pod have changed; call `obey` next. */
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

  /** Applies a rule from the next plan on; no `bytesPerSecond`: not limited. */
  obey(rule: ReadingRule, template: EntryTemplate, bytesPerSecond: number | undefined): void {
    this.#rule = rule;
    this.#template = template;
    this.#pace = bytesPerSecond === undefined ? undefined : new Pace(bytesPerSecond, this.#pace);
  }

  /** Gives it a turn, or takes one back. */
  serve(turn: number): void {
    this.#servedAt = turn;
  }

  /** Counts what a task made of `bytes` of its files. */
  count(source: SourceResult, bytes: number): void {
    // The backlog is read first, and lost first.
    const unreadBacklog = this.chain.backlogBytes - this.#totals.bytes - this.#lostBytes;
    this.meter.read({ bytes, lines: source.lines }, Math.max(0, unreadBacklog));
    addSource(this.#totals, source, bytes);
  }

  lose(bytes: number): void {
    this.#lostBytes += bytes;
  }

  refuse(): void {
    this.#refusedEntries += 1;
  }

  /** Refused entries delay one more batch. */
  holdUp(): void {
    this.#heldUpBatches += 1;
  }

  letGo(): void {
    this.#heldUpBatches -= 1;
  }

  /** Returns the number of looks since the last news; little news is followed by a pause. */
  noteLook(isNews: boolean, quietDueMs: number): number {
    const grown = this.grownBytes;
    const isQuiet = isNews && grown - this.#grownAtLook <= limits.quietBytesMax;
    this.#lookDueMs = isQuiet ? quietDueMs : 0;
    this.#grownAtLook = grown;
    this.#quietLooks = isNews ? 0 : this.#quietLooks + 1;
    return this.#quietLooks;
  }

  /** It is read and acknowledged, and writes little. */
  mayWait(nowMs: number): boolean {
    const { chain } = this;
    if (nowMs >= this.#lookDueMs || chain.links.size === 0) return false;
    return !chain.draining && chain.behindBytes === 0 && !chain.mayStillGrow;
  }

  rest(idleWatch: IdleWatch): void {
    this.#idleWatch = idleWatch;
  }

  wake(): void {
    this.#idleWatch?.close();
    this.#idleWatch = undefined;
    this.#quietLooks = 0;
    this.#lookDueMs = 0;
  }
}
