// Carries plans through drain, ship and commit: the only place where the stages meet on the path of
// the bytes. Made by agent.ts.
//
// Invariants: one plan = one worker task = one request body = one commit. A slot belongs to one of
// them at a time. A file's committed offset moves only after the answer. When no slot is free
// nothing is read: the files keep the bytes.

import type { CheckpointStore } from './commit/checkpoint-store.ts';
import type { DrainResult, SourceResult } from './encode/drain-task.ts';
import type { EncoderPool } from './encode/encoder-pool.ts';
import { lossBody } from './encode/loss-notice.ts';
import { limits } from './config.ts';
import type { Log } from './log.ts';
import type { Shipper, ShipOutcome } from './ship/shipper.ts';
import { steadyNowMs } from './steady-clock.ts';
import type { LogFile } from './tail/log-file.ts';
import type { LossNotice } from './tail/loss-ledger.ts';
import type { Spooler } from './tail/spooler.ts';
import type { Chain } from './tail/chain.ts';
import { bytesConsumed } from './tail/chain-cut.ts';
import type { DrainedRange } from './tail/position.ts';
import {
  giveTurnBack,
  makePlan,
  smoothExpansion,
  type Plan,
  type PlanContext,
  type PlannedChain,
} from './tail/plan.ts';
import {
  addSource,
  createChainTotals,
  createTotals,
  type ChainTotals,
  type Totals,
} from './status/totals.ts';

type Stages = {
  readonly encoder: EncoderPool;
  readonly shipper: Shipper;
  readonly store: CheckpointStore;
  readonly spooler: Spooler;
  readonly log: Log;
};

type Range = {
  readonly chain: Chain;
  readonly file: LogFile;
  readonly drained: DrainedRange;
};

export class Pipeline {
  readonly totals: Totals = createTotals();
  inFlightBytes = 0;
  readonly #stages: Stages;
  #context: PlanContext;
  readonly #chains: () => Iterable<PlannedChain>;
  readonly #chainTotals = new WeakMap<PlannedChain, ChainTotals>();
  readonly #drainsMax: number;
  #drains = 0;
  #drainTurnMs = 0;
  /** Bytes of body that a byte of log became, of late. What is planned past a body is in vain. */
  #expansion = 1;
  #shipments = 0;
  /** Chains of which refused entries hold batches up, and how many batches. */
  readonly #heldUp = new Map<Chain, number>();
  readonly #takeLosses: (countMax: number) => LossNotice[];
  #spoolLookMs = 0;
  #isTelling = false;
  #stopped = false;
  /** Told when a worker fails, which only a bug makes it do. */
  onFailure: (error: unknown) => void = (error) => {
    throw error;
  };
  #settled: (() => void) | undefined;

  constructor(
    stages: Stages,
    options: {
      context: PlanContext;
      workers: number;
      chains: () => Iterable<PlannedChain>;
      takeLosses: (countMax: number) => LossNotice[];
    },
  ) {
    this.#stages = stages;
    this.#context = options.context;
    this.#drainsMax = options.workers;
    this.#chains = options.chains;
    this.#takeLosses = options.takeLosses;
  }

  /** From the next plan on; the ones under way keep theirs. */
  configure(context: PlanContext): void {
    this.#context = context;
  }

  /** Nothing is being read, sent or waited for. */
  get idle(): boolean {
    return this.#drains === 0 && this.#shipments === 0 && !this.#stages.spooler.isBusy;
  }

  /** How long the workers have neither taken nor answered a task; 0 while none is at work. */
  get drainSilenceMs(): number {
    return this.#drains === 0 ? 0 : performance.now() - this.#drainTurnMs;
  }

  totalsOf(planned: PlannedChain): ChainTotals {
    let totals = this.#chainTotals.get(planned);
    if (totals === undefined) {
      totals = createChainTotals();
      this.#chainTotals.set(planned, totals);
    }
    return totals;
  }

  /** Resolves when `pump` finds nothing more to do; rejects when a worker fails. */
  async settle(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#settled = resolve;
    this.onFailure = reject;
    this.pump();
    return promise;
  }

  /** Starts no plan any more. What is in flight goes on. */
  stop(): void {
    this.#stopped = true;
  }

  /** Starts plans as long as there are slots, workers and bytes. */
  pump(): void {
    this.#tellLosses();
    // Not only when nothing else is left to read: what is compressed already is deleted next.
    if (steadyNowMs() - this.#spoolLookMs >= limits.spoolLookMs) this.#spoolNext();
    while (!this.#stopped && this.#drains < this.#drainsMax) {
      const slot = this.#stages.encoder.takeSlot();
      if (slot === undefined) return;
      const batchBytesMax = this.#context.batchBytesMax / this.#expansion;
      const context = { ...this.#context, batchBytesMax };
      const plan = makePlan(this.#plannable(), slot, context, steadyNowMs());
      if (plan === undefined) {
        this.#stages.encoder.freeSlot(slot);
        this.#spoolNext();
        break;
      }
      this.#drains += 1;
      this.#drainTurnMs = performance.now();
      this.#carry(plan).catch((error: unknown) => this.onFailure(error));
    }
    if (this.idle) this.#settled?.();
  }

  /** All but those whose next entries would only wait behind refused ones, in a slot of others. */
  *#plannable(): Generator<PlannedChain> {
    for (const planned of this.#chains()) if (!this.#heldUp.has(planned.chain)) yield planned;
  }

  async #carry(plan: Plan): Promise<void> {
    const { encoder } = this.#stages;
    const result = await encoder.run(plan.task);
    this.#drains -= 1;
    this.#drainTurnMs = performance.now();
    if (!isIntact(plan)) {
      for (const { planned } of plan.parts) planned.chain.retreat();
      encoder.freeSlot(plan.task.slot);
      this.pump();
      return;
    }
    const ranges = this.#advance(plan, result);
    if (result.bodyBytes > 0) {
      this.#shipments += 1;
      this.inFlightBytes += result.bodyBytes;
      this.#saveReadTimes(ranges);
      this.pump(); // The next plan is drained while this one is on the wire.
      try {
        const outcome = await this.#ship(plan, result);
        this.totals.retries += outcome.retries;
        this.totals.deadLettered += outcome.deadLettered;
        this.#commit(ranges);
      } catch (error) {
        if (!this.#stopped) throw error; // Given up at the end of the grace period: read again by the next run.
      } finally {
        this.#shipments -= 1;
        this.inFlightBytes -= result.bodyBytes;
      }
      this.totals.batches += 1;
    } else {
      encoder.freeSlot(plan.task.slot);
      this.#commit(ranges);
    }
    this.pump();
  }

  /** The slot is free when this settles, or sooner if the body moved to memory of its own. */
  async #ship(plan: Plan, { bodyBytes, entries, sources }: DrainResult): Promise<ShipOutcome> {
    const { encoder, shipper } = this.#stages;
    const { slot } = plan.task;
    const heldUp: Chain[] = [];
    let isReleased = false;
    const release = (): void => {
      if (!isReleased) encoder.freeSlot(slot);
      isReleased = true;
    };
    try {
      return await shipper.ship({
        body: encoder.slotView(slot, bodyBytes),
        entryCount: entries,
        sources: plan.parts.map(({ planned }, index) => ({
          container: planned.chain,
          entryCount: sources[index]?.entries ?? 0,
        })),
        onReleased: () => {
          release();
          setImmediate(() => this.#pumpSafely());
        },
        onHeldUp: (source) => {
          const chain = plan.parts[source]?.planned.chain;
          if (chain === undefined) return;
          heldUp.push(chain);
          this.#heldUp.set(chain, (this.#heldUp.get(chain) ?? 0) + 1);
        },
      });
    } finally {
      release();
      for (const chain of heldUp) this.#letGo(chain);
    }
  }

  #letGo(chain: Chain): void {
    const batches = (this.#heldUp.get(chain) ?? 0) - 1;
    if (batches > 0) this.#heldUp.set(chain, batches);
    else this.#heldUp.delete(chain);
  }

  #pumpSafely(): void {
    try {
      this.pump();
    } catch (error) {
      this.onFailure(error);
    }
  }

  #advance(plan: Plan, result: DrainResult): Range[] {
    const ranges: Range[] = [];
    const nowMs = steadyNowMs();
    this.totals.tasks += 1;
    this.totals.drainCpuMicros += result.cpuMicros;
    let bytesInAll = 0;
    for (const [index, part] of plan.parts.entries()) {
      const { planned, cut } = part;
      const source = result.sources[index];
      if (source === undefined) continue;
      const bytes = bytesConsumed(cut.segments, source.consumed);
      if (bytes === 0 && source.more) giveTurnBack(part);
      bytesInAll += bytes;
      planned.chain.advance(cut, source, nowMs);
      for (const [at, file] of cut.files.entries()) {
        const segment = cut.segments[at];
        if (segment === undefined || file.offset <= segment.start) continue;
        ranges.push({ chain: planned.chain, file, drained: file.begin(segment) });
      }
      this.#count(planned, source, bytes);
    }
    this.#expansion = smoothExpansion(this.#expansion, bytesInAll, result.bodyBytes);
    return ranges;
  }

  #count(planned: PlannedChain, source: SourceResult, bytes: number): void {
    addSource(this.totals, this.totalsOf(planned), { source, bytes });
    const { directory } = planned.chain.place;
    if (source.holeBytes !== undefined && source.holeBytes > 0) {
      this.#stages.log.warn('FILE_HOLE', `${source.holeBytes} bytes of zeros under ${directory}`);
    }
    if (source.readError === undefined) return;
    this.totals.readErrors += 1;
    this.#stages.log.warn('FILE_UNREADABLE', `reading under ${directory}: ${source.readError}`);
  }

  #commit(ranges: readonly Range[]): void {
    for (const { chain, file, drained } of ranges) {
      const bytes = file.acknowledge(drained);
      if (bytes === 0) continue;
      chain.committedBytes += bytes;
      this.#stages.store.put(file.checkpoint());
    }
  }

  /**
   * Before it is sent: lines that have no time but that of reading get the same one when they are
   * sent again, after a kill at any moment.
   */
  #saveReadTimes(ranges: readonly Range[]): void {
    const timed = ranges.filter(({ file }) => file.position.readTimes.length > 0);
    for (const { file } of timed) this.#stages.store.put(file.checkpoint());
    if (timed.length > 0) this.#stages.store.flush();
  }

  /** Ships what is to be said of lost bytes, one body at a time. */
  #tellLosses(): void {
    if (this.#isTelling || this.#stopped) return;
    const notices = this.#takeLosses(limits.lossNoticesPerRequestMax);
    if (notices.length === 0) return;
    this.#isTelling = true;
    this.#tell(notices).catch((error: unknown) => this.onFailure(error));
  }

  async #tell(notices: readonly LossNotice[]): Promise<void> {
    const body = lossBody(this.#context.nodeIdentity, notices);
    this.#shipments += 1;
    try {
      await this.#stages.shipper.ship({ body, entryCount: notices.length });
    } catch (error) {
      if (!this.#stopped) throw error;
    } finally {
      this.#shipments -= 1;
      this.#isTelling = false;
    }
    this.pump();
  }

  /** Lets the spooler go on; what it has unpacked is planned next. */
  #spoolNext(): void {
    const nowMs = steadyNowMs();
    this.#spoolLookMs = nowMs;
    if (this.#stopped) return;
    const work = this.#stages.spooler.start(this.#chains(), nowMs);
    work?.then(() => this.#spooled()).catch((error: unknown) => this.onFailure(error));
  }

  #spooled(): void {
    this.#spoolLookMs = 0;
    this.pump();
  }
}

/** Whether every file that a task read was still the log that it was when the plan was made. */
function isIntact({ parts }: Plan): boolean {
  // No early end: each file that was replaced must know it.
  let all = true;
  for (const { cut } of parts) {
    for (const [at, file] of cut.files.entries()) {
      const segment = cut.segments[at];
      if (segment === undefined || file.name.rotation !== '') continue;
      // A task compares what it reads behind, once and with the read itself.
      const isCompared = segment.start > 0 && segment.end - segment.start <= limits.readBytes;
      if (!isCompared && !file.isIntact()) all = false;
    }
  }
  return all;
}
