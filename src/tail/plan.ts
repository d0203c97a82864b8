// Cuts the next request out of the chains that have unread bytes: fair turns, risk first, never
// more than one body. Called by pipeline.ts whenever a slot is free.

import { limits } from '../config.ts';
import type { DrainTask, RecordRule, Source } from '../encode/drain-task.ts';
import { requestHead, type EntryTemplate } from '../encode/entry-template.ts';
import type { NodeIdentity } from '../host/node-identity.ts';
import type { Chain, ChainCut } from './chain.ts';

export type PlannedChain = {
  readonly chain: Chain;
  /** Replaced when the labels of the pod change; what is planned keeps its own. */
  template: EntryTemplate;
  servedAt: number;
  /**
   * Set for a container with a rate limit, and for the agent's own log: what it says of its own
   * lines must not feed it for ever.
   */
  pace?: Pace | undefined;
  /** undefined: as the context says for all. */
  joinStackTraces?: boolean | undefined;
  recordRule?: RecordRule | undefined;
};

/** How fast a chain may be read. */
export type Pace = {
  readonly bytesPerSecond: number;
  /** Not read before; of the steady clock. */
  dueMs: number;
  /** Where the last cut began. */
  triedAt?: number | undefined;
};

export type PlanPart = {
  readonly planned: PlannedChain;
  readonly cut: ChainCut;
  /** Its place among those that wait, before this plan. */
  readonly servedBefore: number;
};

export type Plan = { readonly task: DrainTask; readonly parts: readonly PlanPart[] };

export type PlanContext = {
  readonly nodeIdentity: NodeIdentity;
  /** Undefined leaves traces of 32 hexadecimal digits bare. */
  readonly traceParent: string | undefined;
  readonly joinStackTraces: boolean;
  /** Raw bytes of one plan. */
  readonly batchBytesMax: number;
  readonly partialFlushMs: number;
};

/** A plan of fewer bytes says little: it is mostly the head of its request. */
const expansionBytesMin = 64 * 1024;

let turn = 0;
let planCount = 0;

/**
 * The next plan for `slot`, or undefined when no chain has anything that can be read. A chain with
 * half a body or more gets the whole body: its resource and labels then stand in the request once.
 * The others share one, a quantum each.
 */
export function makePlan(
  chains: Iterable<PlannedChain>,
  slot: number,
  context: PlanContext,
  nowMs: number,
): Plan | undefined {
  const ready = inTurn(
    [...chains].filter((planned) => isReady(planned, context, nowMs)),
    planCount,
  );
  planCount += 1;
  const parts: PlanPart[] = [];
  let bytes = 0;
  for (const planned of ready) {
    const room = context.batchBytesMax - bytes;
    if (room <= 0) break;
    const large = planned.chain.readable(nowMs) >= context.batchBytesMax / 2;
    if (large && parts.length > 0) continue;
    const bytesMax = bytesFor(planned, large ? room : limits.quantumBytes, room);
    const cut = planned.chain.cut(bytesMax, nowMs);
    turn += 1;
    const servedBefore = planned.servedAt;
    planned.servedAt = turn;
    if (cut.bytes === 0) continue;
    // From now on its descriptors stay open: the next cut may have to make room for its own.
    planned.chain.draining = true;
    const { pace } = planned;
    if (pace !== undefined) pace.dueMs = nowMs + (cut.bytes / pace.bytesPerSecond) * 1_000;
    parts.push({ planned, cut, servedBefore });
    bytes += cut.bytes;
    if (large) break;
  }
  if (parts.length === 0) return undefined;
  return { task: makeTask(parts, slot, context, nowMs), parts };
}

/**
 * Of a plan whose task had no room or time left for this part: it comes before those that were
 * served. A container that is costly would otherwise be first in each plan, and the only one.
 */
export function giveTurnBack({ planned, servedBefore }: PlanPart): void {
  planned.servedAt = servedBefore;
}

/**
 * Bytes of body that a byte of log becomes, after one plan more: a line of 100 bytes may come to
 * 400 with the resource and the ids of its entry. At 20,000 lines/s over 50 files, planning as many
 * bytes as a body holds cut twice the sources that fitted.
 */
export function smoothExpansion(expansion: number, logBytes: number, bodyBytes: number): number {
  if (logBytes < expansionBytesMin) return expansion;
  return expansion + (Math.max(1, bodyBytes / logBytes) - expansion) / 4;
}

/**
 * Those served longest ago first; in every second plan, those whose bytes are in danger. Not in
 * each one: a container that rotates faster than it is read is always in danger, and would starve
 * the others.
 */
function inTurn(ready: PlannedChain[], planIndex: number): PlannedChain[] {
  const riskOf = ({ chain }: PlannedChain) => (planIndex % 2 === 0 ? Number(chain.atRisk) : 0);
  return ready.sort((a, b) => riskOf(b) - riskOf(a) || a.servedAt - b.servedAt);
}

/** A record that did not fit into the last cut must fit into this one. */
function bytesFor({ chain, pace }: PlannedChain, bytes: number, room: number): number {
  if (pace === undefined) {
    return chain.stuckSinceMs === undefined ? Math.min(bytes, room) : limits.windowBytes;
  }
  // Most stretches end within a line, which is not to be stuck: only one that led nowhere is.
  const offset = chain.files.find(({ unread }) => unread > 0)?.offset;
  const isStuck = chain.stuckSinceMs !== undefined && offset === pace.triedAt;
  pace.triedAt = offset;
  if (isStuck) return limits.windowBytes;
  return Math.min(bytes, room, Math.max(pace.bytesPerSecond, limits.pacedBytesMin));
}

function isReady({ chain, pace }: PlannedChain, context: PlanContext, nowMs: number): boolean {
  if (chain.draining || chain.readable(nowMs) === 0) return false;
  if (pace !== undefined && nowMs < pace.dueMs) return false;
  return !chain.waiting || flushIsDue(chain, context, nowMs);
}

/**
 * The record at the chain's start has waited too long for its end. A second flush would find the
 * same bytes.
 */
function flushIsDue(chain: Chain, context: PlanContext, nowMs: number): boolean {
  const { stuckSinceMs, flushedAtMs } = chain;
  if (stuckSinceMs === undefined || nowMs - stuckSinceMs < context.partialFlushMs) return false;
  return flushedAtMs === undefined || flushedAtMs < stuckSinceMs;
}

function makeTask(parts: PlanPart[], slot: number, context: PlanContext, nowMs: number): DrainTask {
  const largest = parts.reduce((a, b) => (b.cut.bytes > a.cut.bytes ? b : a)).planned;
  const alone = parts.length === 1;
  const sources = parts.map(({ planned, cut }): Source => {
    const { chain, template } = planned;
    const flushFirst = flushIsDue(chain, context, nowMs);
    if (flushFirst) chain.flushedAtMs = nowMs;
    return {
      segments: cut.segments,
      ended: cut.ended,
      flushFirst,
      format: chain.place.format,
      joinStackTraces: planned.joinStackTraces ?? context.joinStackTraces,
      resource: template.resource === largest.template.resource ? '' : template.resource,
      logName: template.logName,
      labels: alone ? '' : template.labels,
      ...(planned.recordRule !== undefined && { recordRule: planned.recordRule }),
    };
  });
  const { resource, labels } = largest.template;
  const head = requestHead(context.nodeIdentity, { resource, labels: alone ? labels : '' });
  return { slot, head, sources, traceParent: context.traceParent, readAtMs: Date.now() };
}
