// Carries plans through drain, ship and commit: the only place where the stages meet on the path of
// the bytes.
//
// Invariants: one plan = one worker task = one request body = one commit. A slot belongs to one of
// them. A file's committed offset moves only after the answer. Nothing is read without a free slot.

import type { CheckpointStore } from './commit/checkpoint-store.ts';
import type { DrainResult, SourceResult } from './encode/drain-task.ts';
import type { EncoderPool } from './encode/encoder-pool.ts';
import { lossBody } from './encode/entries/loss-notice.ts';
import { limits } from './config.ts';
import type { Log } from './log.ts';
import type { RefusalReason } from './ship/answer.ts';
import type { Shipper, ShipOutcome } from './ship/shipper.ts';
import { steadyNowMs } from './steady-clock.ts';
import type { LogFile } from './tail/log-file.ts';
import { savePositions, type LossNotice, type LossNotices } from './tail/loss-notices.ts';
import type { Spooler } from './tail/spooler.ts';
import type { Chain } from './tail/chain.ts';
import { bytesConsumed, verifyCut } from './tail/chain-cut.ts';
import type { DrainedRange } from './tail/position.ts';
import { giveTurnBack, Planner, type Plan, type PlanContext } from './tail/planner.ts';
import type { TailedContainer } from './tail/tailed-container.ts';
import { addDetails, addNode, addSource, createCounter, type Totals } from './tail/totals.ts';

type Stages = {
  readonly encoder: EncoderPool;
  readonly shipper: Shipper;
  readonly store: CheckpointStore;
  readonly spooler: Spooler;
  readonly notices: LossNotices;
  readonly log: Log;
};

type PipelineOptions = {
  /** Replaced by `configure`; the node stays the same. */
  readonly context: PlanContext;
  readonly workers: number;
  /** Bodies that can exist at once. */
  readonly slots: number;
  readonly plannable: () => Iterable<TailedContainer>;
  /** Called for each entry that is refused for good. */
  readonly refused: (container: TailedContainer, reason: RefusalReason) => void;
};

/** The source of plans of node logs. */
export type NodePlans = {
  take(slot: number, nowMs: number): Plan | undefined;
  /** Containers have left no room for too long. */
  isOverdue(nowMs: number): boolean;
};

type Range = {
  readonly chain: Chain;
  readonly file: LogFile;
  readonly drained: DrainedRange;
};

export class Pipeline {
  readonly #totals = createCounter();
  readonly #stages: Stages;
  readonly #options: PipelineOptions;
  readonly #planner: Planner;
  readonly #failure = Promise.withResolvers<never>();
  /** Bodies in flight by project. */
  readonly #bodies = new Map<string | undefined, number>();
  #inFlightBytes = 0;
  #drains = 0;
  #drainTurnMs = 0;
  #shipments = 0;
  #spoolLookMs = 0;
  /** Projects with a body of notices in flight. */
  readonly #noticesTo = new Set<string | undefined>();
  #nodePlans: NodePlans | undefined;
  #stopped = false;
  #settled: (() => void) | undefined;

  constructor(stages: Stages, options: PipelineOptions) {
    this.#stages = stages;
    this.#options = options;
    this.#planner = new Planner(options.context);
  }

  /** Applies from the next plan on. */
  configure(context: PlanContext): void {
    this.#planner.configure(context);
  }

  /** Node logs get the room that containers leave. */
  addNodePlans(plans: NodePlans): void {
    this.#nodePlans = plans;
  }

  /** Rejects when an encoder fails, which is a bug. */
  get failure(): Promise<never> {
    return this.#failure.promise;
  }

  get totals(): Totals {
    return this.#totals;
  }

  /** Of request bodies. */
  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  /** Nothing is being read or sent, and nothing waits. */
  get idle(): boolean {
    return this.#drains === 0 && this.#shipments === 0 && !this.#stages.spooler.isBusy;
  }

  /** How long the workers have neither taken nor answered a task; 0 while they are idle. */
  get drainSilenceMs(): number {
    return this.#drains === 0 ? 0 : performance.now() - this.#drainTurnMs;
  }

  /** Pumps until there is nothing more to do; rejects when an encoder fails. */
  async pumpAll(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#settled = resolve;
    this.pump();
    return Promise.race([promise, this.failure]);
  }

  /** Starts no more plans; requests in flight go on. */
  stop(): void {
    this.#stopped = true;
  }

  /** Starts plans as long as there are slots, workers and bytes. */
  pump(): void {
    this.#shipNotices();
    // Compressed files are deleted next, so they are not left for the end.
    if (steadyNowMs() - this.#spoolLookMs >= limits.spoolLookMs) this.#spoolNext();
    while (!this.#stopped && this.#drains < this.#options.workers) {
      const slot = this.#stages.encoder.takeSlot();
      if (slot === undefined) return;
      const plan = this.#takePlan(slot, steadyNowMs());
      if (plan === undefined) {
        this.#stages.encoder.freeSlot(slot);
        this.#spoolNext();
        break;
      }
      this.#drains += 1;
      this.#drainTurnMs = performance.now();
      this.#noteBody(plan, 1);
      this.#carry(plan).catch(this.#fail);
    }
    if (this.idle) this.#settled?.();
  }

  /** Containers first: node logs matter less. */
  #takePlan(slot: number, nowMs: number): Plan | undefined {
    const overdue =
      this.#nodePlans?.isOverdue(nowMs) === true ? this.#nodePlans.take(slot, nowMs) : undefined;
    return (
      overdue ??
      this.#planner.take(this.#options.plannable(), slot, nowMs, this.#mayBegin) ??
      this.#nodePlans?.take(slot, nowMs)
    );
  }

  /**
   * With several projects, one never takes all slots, and one that fails has one body in flight:
   * its files keep the rest.
   */
  readonly #mayBegin = (project: string | undefined): boolean => {
    if (!this.#planner.hasOtherProjects) return true;
    const ofAll = Math.max(1, this.#options.slots - 1);
    const ofProject = this.#stages.shipper.bodiesMax(project);
    return (this.#bodies.get(project) ?? 0) < Math.min(ofAll, ofProject);
  };

  #noteBody({ project }: Plan, change: 1 | -1): void {
    this.#bodies.set(project, (this.#bodies.get(project) ?? 0) + change);
  }

  readonly #fail = (error: unknown): void => this.#failure.reject(error);

  /** Pumps after the current turn of the event loop. */
  pumpSoon(): void {
    setImmediate(() => {
      try {
        this.pump();
      } catch (error) {
        this.#fail(error);
      }
    });
  }

  async #carry(plan: Plan): Promise<void> {
    await this.#deliver(plan);
    this.#noteBody(plan, -1);
    this.pump();
  }

  async #deliver(plan: Plan): Promise<void> {
    const { encoder } = this.#stages;
    const result = await encoder.run(plan.task);
    this.#drains -= 1;
    this.#drainTurnMs = performance.now();
    if (!verifyFiles(plan)) {
      for (const { container } of plan.parts) container.chain.discardDrain();
      encoder.freeSlot(plan.task.slot);
      return;
    }
    const ranges = this.#advance(plan, result);
    if (result.bodyBytes > 0) {
      this.#shipments += 1;
      this.#inFlightBytes += result.bodyBytes;
      this.#saveReadTimes(ranges);
      this.pump(); // The next plan is drained while this one is sent.
      try {
        const outcome = await this.#ship(plan, result);
        this.#totals.retries += outcome.retries;
        this.#totals.deadLettered += outcome.deadLettered;
        this.#commit(ranges);
        plan.node?.acknowledged();
      } catch (error) {
        if (!this.#stopped) throw error; // The grace period is over: the next run reads it again.
      } finally {
        this.#shipments -= 1;
        this.#inFlightBytes -= result.bodyBytes;
      }
      this.#totals.batches += 1;
    } else {
      encoder.freeSlot(plan.task.slot);
      this.#commit(ranges);
      plan.node?.acknowledged();
    }
  }

  /** The slot is free when this settles, or earlier if the body gets its own memory. */
  async #ship(plan: Plan, { bodyBytes, entries, sources }: DrainResult): Promise<ShipOutcome> {
    const { encoder, shipper } = this.#stages;
    const { slot } = plan.task;
    const { node } = plan;
    const heldUp: TailedContainer[] = [];
    let isReleased = false;
    const release = (): void => {
      if (!isReleased) encoder.freeSlot(slot);
      isReleased = true;
    };
    try {
      return await shipper.ship({
        body: encoder.slotView(slot, bodyBytes),
        entryCount: entries,
        project: plan.project,
        givesWay: () => this.#planner.hasOtherProjects,
        sources:
          node === undefined
            ? plan.parts.map(({ container }, index) => ({
                container,
                entryCount: sources[index]?.entries ?? 0,
              }))
            : [{ container: node, entryCount: entries }],
        onReleased: () => {
          release();
          this.pumpSoon();
        },
        onHeldUp: (source) => {
          const container = plan.parts[source]?.container;
          if (container === undefined) return;
          heldUp.push(container);
          container.holdUp();
        },
        onRefused: (source, reason) => {
          const container = plan.parts[source]?.container;
          if (container !== undefined) this.#options.refused(container, reason);
        },
      });
    } finally {
      release();
      for (const container of heldUp) container.letGo();
    }
  }

  #advance(plan: Plan, result: DrainResult): Range[] {
    const ranges: Range[] = [];
    const nowMs = steadyNowMs();
    this.#totals.tasks += 1;
    this.#totals.drainCpuMicros += result.cpuMicros;
    let bytesInAll = 0;
    for (let index = 0; index < plan.parts.length; index += 1) {
      const part = plan.parts[index];
      const source = result.sources[index];
      if (part === undefined || source === undefined) continue;
      const { container, cut } = part;
      const { chain } = container;
      const bytes = bytesConsumed(cut.segments, source.consumed);
      if (bytes === 0 && source.more) giveTurnBack(part);
      bytesInAll += bytes;
      chain.advance(cut, source, nowMs);
      for (let at = 0; at < cut.files.length; at += 1) {
        const file = cut.files[at];
        const segment = cut.segments[at];
        if (file === undefined || segment === undefined || file.offset <= segment.start) continue;
        const isFlushed = plan.task.sources[index]?.flushFirst === true;
        ranges.push({ chain, file, drained: file.begin(segment, isFlushed) });
      }
      this.#count(container, source, bytes);
    }
    const own = plan.node?.drained(result, nowMs);
    if (own !== undefined) addNode(this.#totals, own);
    this.#planner.learnExpansion(bytesInAll, result.bodyBytes);
    return ranges;
  }

  #count(container: TailedContainer, source: SourceResult, bytes: number): void {
    container.count(source, bytes);
    addSource(this.#totals, source, bytes);
    addDetails(this.#totals, source);
    const { directory } = container.chain.location;
    if (source.holeBytes !== undefined && source.holeBytes > 0) {
      this.#stages.log.warn('FILE_HOLE', `${source.holeBytes} bytes of zeros under ${directory}`);
    }
    if (source.readError === undefined) return;
    this.#stages.log.warn('FILE_UNREADABLE', `reading under ${directory}: ${source.readError}`);
  }

  #commit(ranges: readonly Range[]): void {
    for (const { chain, file, drained } of ranges) {
      const bytes = chain.acknowledge(file, drained);
      if (bytes > 0 && chain.ownsPosition(file)) this.#stages.store.put(file.checkpoint());
    }
  }

  /**
   * Before sending: after a kill at any moment, lines whose only time is that of reading get the
   * same one again, and flushed lines are flushed again.
   */
  #saveReadTimes(ranges: readonly Range[]): void {
    const timed = ranges.filter(({ file }) => file.position.readTimes.length > 0);
    for (const { file } of timed) this.#stages.store.put(file.checkpoint());
    if (timed.length > 0) savePositions(this.#stages);
  }

  /** Ships the notices of lost bytes, one body at a time to each project. */
  #shipNotices(): void {
    const isBusy = (project: string | undefined) => this.#noticesTo.has(project);
    while (!this.#stopped) {
      const notices = this.#stages.notices.take(limits.lossNoticesPerRequestMax, isBusy);
      const [first] = notices;
      if (first === undefined) return;
      const { project } = first.template;
      this.#noticesTo.add(project);
      this.#shipLosses(notices, project).catch(this.#fail);
    }
  }

  async #shipLosses(notices: readonly LossNotice[], project: string | undefined): Promise<void> {
    const body = lossBody(this.#options.context.nodeIdentity, notices);
    this.#shipments += 1;
    try {
      await this.#stages.shipper.ship({ body, entryCount: notices.length, project });
      this.#stages.notices.settle(notices);
    } catch (error) {
      if (!this.#stopped) throw error;
    } finally {
      this.#shipments -= 1;
      this.#noticesTo.delete(project);
    }
    this.pump();
  }

  /** Lets the spooler continue; files that it unpacks are planned next. */
  #spoolNext(): void {
    const nowMs = steadyNowMs();
    this.#spoolLookMs = nowMs;
    if (this.#stopped) return;
    const work = this.#stages.spooler.start(this.#options.plannable(), nowMs);
    work?.then(() => this.#spooled()).catch(this.#fail);
  }

  #spooled(): void {
    this.#spoolLookMs = 0;
    this.pump();
  }
}

/** Compares the files of a task; false when one has become another log since the plan. */
function verifyFiles({ parts }: Plan): boolean {
  // All are asked, before any answer counts: each replaced file must notice.
  return !parts.map(({ cut }) => verifyCut(cut)).includes(false);
}
