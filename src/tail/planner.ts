// Plans the next request from the containers that have unread bytes: in fair turns, those at risk
// first, one body at most.

import { limits } from '../config.ts';
import type { DrainResult, DrainTask, Source } from '../encode/drain-task.ts';
import { requestHead, type EntryTemplate } from '../encode/entries/entry-template.ts';
import type { NodeIdentity } from '../host/node-identity.ts';
import type { ChainCut } from './chain-cut.ts';
import type { TailedContainer } from './tailed-container.ts';
import type { NodeTally } from './totals.ts';

export type PlanPart = {
  readonly container: TailedContainer;
  readonly cut: ChainCut;
  /** Its turn before this plan. */
  readonly servedBefore: number;
};

/** A source of plans that is no container, such as the journal. */
export type NodePart = {
  /** The encoder has answered; returns what to count. */
  drained(result: DrainResult, nowMs: number): NodeTally | undefined;
  /** All entries were accepted, or set aside. */
  acknowledged(): void;
};

export type Plan = {
  readonly task: DrainTask;
  readonly parts: readonly PlanPart[];
  /** The source, if it is no container. */
  readonly node?: NodePart;
  /** undefined: the node's. */
  readonly project?: string | undefined;
};

export type PlanContext = {
  readonly nodeIdentity: NodeIdentity;
  /** undefined: traces stay bare digits. */
  readonly traceParent: string | undefined;
  readonly joinStackTraces: boolean;
  /** Raw bytes of one plan. */
  readonly batchBytesMax: number;
  readonly partialFlushMs: number;
};

/** Whether a body of this project may be begun; undefined: the node's. */
type MayBegin = (project: string | undefined) => boolean;

/** A smaller body is mostly the head of its request, and teaches little. */
const expansionBytesMin = 64 * 1024;

export class Planner {
  #context: PlanContext;
  #turn = 0;
  #planCount = 0;
  #hasOtherProjects = false;
  /** Recent ratio of body bytes to log bytes. Planning more than one body is wasted work. */
  #expansion = 1;

  constructor(context: PlanContext) {
    this.#context = context;
  }

  /** Some entries go to other projects than the node's: one project must not delay another. */
  get hasOtherProjects(): boolean {
    return this.#hasOtherProjects;
  }

  /** Applies from the next plan on. */
  configure(context: PlanContext): void {
    this.#context = context;
  }

  /**
   * undefined when nothing can be read. A chain with half a body or more gets a whole body, so that
   * its resource and labels appear once in the request. The others share one, a quantum each.
   */
  take(
    candidates: Iterable<TailedContainer>,
    slot: number,
    nowMs: number,
    mayBegin: MayBegin = () => true,
  ): Plan | undefined {
    const batchBytesMax = this.#context.batchBytesMax / this.#expansion;
    const parts: PlanPart[] = [];
    let bytes = 0;
    for (const container of this.#inTurn(candidates, nowMs)) {
      const { chain, template } = container;
      // A body holds the entries of one project.
      const [first] = parts;
      if (first !== undefined && template.project !== first.container.template.project) continue;
      if (first === undefined && !mayBegin(template.project)) continue;
      const room = batchBytesMax - bytes;
      if (room <= 0) break;
      const large = chain.readable(nowMs) >= batchBytesMax / 2;
      if (large && parts.length > 0) continue;
      const bytesMax = bytesFor(container, large ? room : limits.quantumBytes, room);
      const { pace } = container;
      const offset = pace && chain.readOffset;
      const cut = chain.cut(bytesMax, nowMs);
      const servedBefore = container.servedAt;
      container.serve((this.#turn += 1));
      pace?.took(cut.bytes, offset, nowMs);
      if (cut.bytes === 0) continue;
      // At once, because the next cut may close descriptors to make room for its own.
      chain.startDrain();
      parts.push({ container, cut, servedBefore });
      bytes += cut.bytes;
      if (large) break;
    }
    const [first] = parts;
    if (first === undefined) return undefined;
    const { project } = first.container.template;
    return { task: this.#makeTask(parts, slot, nowMs), parts, project };
  }

  /**
   * A line of 100 bytes may become 400 with the resource and id of its entry: without this, plans
   * at 20,000 lines/s over 50 files had twice the sources that fitted.
   */
  learnExpansion(logBytes: number, bodyBytes: number): void {
    if (logBytes < expansionBytesMin) return;
    this.#expansion += (Math.max(1, bodyBytes / logBytes) - this.#expansion) / 4;
  }

  /**
   * Those served longest ago first; in every second plan, those at risk before all others. Not in
   * every plan: a container that rotates faster than it is read would starve the others.
   */
  #inTurn(candidates: Iterable<TailedContainer>, nowMs: number): TailedContainer[] {
    const { partialFlushMs } = this.#context;
    const ready: TailedContainer[] = [];
    for (const each of candidates) {
      if (!isReady(each, nowMs, partialFlushMs)) continue;
      ready.push(each);
      if (each.template.project !== undefined) this.#hasOtherProjects = true;
    }
    // Node logs come last, in their own plans: their requests have no labels.
    const containers = ready.filter(({ containerLog }) => containerLog.nodeFile === undefined);
    const next = containers.length > 0 ? containers : ready;
    const isRiskFirst = this.#planCount % 2 === 0;
    this.#planCount += 1;
    const riskOf = ({ chain }: TailedContainer) => (isRiskFirst ? Number(chain.atRisk) : 0);
    return next.sort((a, b) => riskOf(b) - riskOf(a) || a.servedAt - b.servedAt);
  }

  #makeTask(parts: readonly PlanPart[], slot: number, nowMs: number): DrainTask {
    const { joinStackTraces, nodeIdentity, partialFlushMs, traceParent } = this.#context;
    const largest = parts.reduce((a, b) => (b.cut.bytes > a.cut.bytes ? b : a)).container.template;
    const alone = parts.length === 1;
    // A log name that all share goes into the head.
    const { stdout } = largest.logName;
    const isOneLog = parts.every(({ container }) => container.template.logName.stdout === stdout);
    const isNamedInHead = isOneLog && stdout !== '';
    const sources = parts.map(({ container, cut }): Source => {
      const { chain, rule, template } = container;
      const flushFirst = chain.isFlushDue(nowMs, partialFlushMs) && chain.beginsStuck(cut);
      if (flushFirst) chain.noteFlush(nowMs);
      const source = {
        segments: cut.segments,
        ended: cut.ended,
        flushFirst,
        format: chain.location.format,
        joinStackTraces: rule.joinStackTraces ?? joinStackTraces,
        resource: template.resource === largest.resource ? '' : template.resource,
        logName: isNamedInHead ? unnamed(template.logName, stdout) : template.logName,
        labels: alone ? '' : template.labels,
      };
      return rule.records === undefined ? source : { ...source, recordRule: rule.records };
    });
    const { resource, labels, project } = largest;
    const isOfNode = parts.some(({ container }) => container.containerLog.nodeFile !== undefined);
    const head = requestHead(isOfNode ? { ...nodeIdentity, node: '' } : nodeIdentity, {
      resource,
      labels: alone ? labels : '',
      ...(project !== undefined && { project }),
      ...(isNamedInHead && { logName: stdout }),
    });
    return { slot, head, sources, traceParent, readAtMs: Date.now() };
  }
}

/**
 * Call it when the task had no room or time left for this part: otherwise a costly container would
 * be first in every plan, and the only one.
 */
export function giveTurnBack({ container, servedBefore }: PlanPart): void {
  container.serve(servedBefore);
}

/** The log names without the one in the head. */
function unnamed(logName: EntryTemplate['logName'], member: string): EntryTemplate['logName'] {
  const { stdout, stderr } = logName;
  return { stdout: stdout === member ? '' : stdout, stderr: stderr === member ? '' : stderr };
}

/** A record that did not fit into the last cut must fit into this one. */
function bytesFor({ chain, pace }: TailedContainer, bytes: number, room: number): number {
  // The cuts of a paced one usually end within a line: it is stuck only if one consumed nothing.
  const isStuck = chain.stuckSinceMs !== undefined && pace?.hasTried(chain.readOffset) !== false;
  if (isStuck) return limits.windowBytes;
  return Math.min(bytes, room, pace?.bytesMax ?? bytes);
}

function isReady(
  { chain, isHeldUp, pace }: TailedContainer,
  nowMs: number,
  partialFlushMs: number,
): boolean {
  if (isHeldUp || chain.draining || chain.readable(nowMs) === 0) return false;
  if (pace?.isDue(nowMs) === false) return false;
  return !chain.waiting || chain.isFlushDue(nowMs, partialFlushMs);
}
