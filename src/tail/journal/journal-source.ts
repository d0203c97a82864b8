// Plans the node's journal: one body at a time, starting with the oldest unread entry.
//
// Invariants: only an answer advances a position; entries of one numbering are shipped in order; at
// most one body is in progress, so the journal never delays containers by more than one slot.

import { requestHead, resourceMember } from '../../encode/entries/entry-template.ts';
import { limits } from '../../config.ts';
import type { DrainResult, JournalResult, JournalSegment } from '../../encode/drain-task.ts';
import type { NodeIdentity } from '../../host/node-identity.ts';
import type { EntryHead } from '../../journal/journal-file.ts';
import type { JournalStatus } from '../../journal/journal-status.ts';
import { logsNamedBy } from '../../journal/unit-logs.ts';
import { Pace } from '../pace.ts';
import type { NodePart, Plan } from '../planner.ts';
import type { ReadingRule } from '../reading-rules.ts';
import { JournalListing } from './journal-listing.ts';
import { JournalLogs, type JournalRules } from './journal-logs.ts';
import { JournalPositions, type JournalPosition, type PositionStore } from './journal-positions.ts';
import type { JournalSourceFile } from './journal-source-file.ts';
import { journalState } from './journal-status.ts';

export type JournalOptions = {
  /** The last one is read first. */
  readonly directories: readonly string[];
  /** Globs. */
  readonly units: readonly string[];
  /** All other units, and the kernel. */
  readonly takesOthers: boolean;
  readonly readsPriority: boolean;
  /** Where the first start begins: `start` is the last boot. */
  readonly from: 'start' | 'end';
};

export type JournalSetup = {
  readonly nodeIdentity: NodeIdentity;
  readonly store: PositionStore;
  readonly rules: JournalRules;
  /** Rate limits apply. */
  readonly isPaced: boolean;
  /** About so many entries were deleted before they were read. */
  readonly lost: (entries: number) => void;
  readonly report: (code: 'JOURNAL_UNREADABLE' | 'LINES_LOST', text: string) => void;
};

export class JournalSource implements NodePart {
  readonly #options: JournalOptions;
  readonly #setup: JournalSetup;
  readonly #listing: JournalListing;
  readonly #positions: JournalPositions;
  readonly #counters = { entries: 0, corruptEntries: 0, incompleteFields: 0, lostEntries: 0 };
  readonly #resource: string;
  readonly #logs: JournalLogs;
  #rule: ReadingRule;
  #pace: Pace | undefined;
  #hasBegun = false;
  #underWay: JournalSourceFile | undefined;
  #result: JournalResult | undefined;
  /** Since when there has been something to read. */
  #waitsSinceMs: number | undefined;

  constructor(options: JournalOptions, setup: JournalSetup) {
    this.#options = options;
    this.#setup = setup;
    this.#positions = new JournalPositions(setup.store);
    const { project, location, cluster, node } = setup.nodeIdentity;
    const labels = { project_id: project, location, cluster_name: cluster, node_name: node };
    this.#resource = resourceMember({ type: 'k8s_node', labels });
    this.#rule = setup.rules.whole;
    this.#logs = new JournalLogs(setup.rules, this.#resource);
    for (const log of logsNamedBy(options)) this.#logs.learn(log);
    this.obey(setup.rules);
    this.#listing = new JournalListing(options.directories, (path, reason) =>
      setup.report('JOURNAL_UNREADABLE', `${path}: ${reason}`),
    );
  }

  get status(): JournalStatus {
    const files = [...this.#listing.files];
    const { length: directoryCount } = this.#options.directories;
    const shown = files.map((file) => {
      const position = this.#positions.of(file.header.seqnumId);
      // Only an answer advances a position.
      const isUnderWay = file === this.#underWay;
      const behind = isUnderWay ? file.entriesAfter(position.seqnum) : this.#unreadOf(file);
      return { file, position, behind };
    });
    return {
      files: files.length,
      unreadableFiles: this.#listing.unreadableCount,
      ...journalState(shown, { directoryCount, nowMs: Date.now() }),
      ...this.#counters,
      logs: this.#logs.status,
      forgottenLogs: this.#logs.forgotten,
    };
  }

  look(nowMs: number): void {
    const isChanged = this.#listing.look(nowMs);
    if (!this.#hasBegun) this.#begin();
    if (isChanged) this.#keepStep();
    if (this.#waitsSinceMs === undefined && this.#underWay === undefined && this.#next()) {
      this.#waitsSinceMs = nowMs;
    }
  }

  /** From the next plan on. */
  obey(rules: JournalRules): void {
    const { isPaced } = this.#setup;
    const { bytesPerSecond } = rules.whole;
    this.#rule = rules.whole;
    this.#pace =
      isPaced && bytesPerSecond !== undefined ? new Pace(bytesPerSecond, this.#pace) : undefined;
    this.#logs.obey(rules, isPaced);
  }

  isOverdue(nowMs: number): boolean {
    return this.#waitsSinceMs !== undefined && nowMs - this.#waitsSinceMs > limits.nodeLogsWaitMs;
  }

  /** The next body; undefined if there is nothing to read or one is in progress. */
  take(slot: number, nowMs: number): Plan | undefined {
    if (this.#underWay !== undefined || this.#rule.isExcluded) return undefined;
    if (this.#pace?.isDue(nowMs) === false || !this.#logs.isDue(nowMs)) return undefined;
    const file = this.#next();
    const { fd } = file ?? {};
    if (file === undefined || fd === undefined) return undefined;
    // Node logs have no labels, not even the node's name.
    const identity = { ...this.#setup.nodeIdentity, node: '' };
    const head = requestHead(identity, { resource: this.#resource, labels: '' });
    const journal = this.#segmentOf(file, fd);
    const { project } = journal;
    const task = { slot, head, sources: [], journal, traceParent: undefined, readAtMs: Date.now() };
    this.#underWay = file;
    this.#waitsSinceMs = undefined;
    return { task, parts: [], node: this, project };
  }

  drained({ journal: result }: DrainResult, nowMs: number): JournalResult | undefined {
    const file = this.#underWay;
    if (file === undefined || result === undefined) return undefined;
    this.#result = result;
    file.advance(result, nowMs);
    this.#pace?.took(result.bytes, undefined, nowMs);
    this.#logs.drained(result, nowMs);
    this.#counters.entries += result.entries;
    this.#counters.incompleteFields += result.incompleteFields;
    // A finished file will not be repaired.
    const tail = result.isAtEnd && !file.isLive ? result.corruptTail : 0;
    const corrupt = result.corruptEntries + tail;
    this.#counters.corruptEntries += corrupt;
    const reason = result.readError ?? (corrupt > 0 ? `${corrupt} entries are damaged` : undefined);
    if (reason !== undefined) this.#setup.report('JOURNAL_UNREADABLE', `${file.path}: ${reason}`);
    return result;
  }

  acknowledged(): void {
    const file = this.#underWay;
    if (file !== undefined && this.#result !== undefined) {
      this.#positions.acknowledge(file, this.#result);
      this.#logs.acknowledge(this.#result);
    }
    this.#underWay = undefined;
    this.#result = undefined;
    this.#fitDescriptors();
  }

  close(): void {
    this.#listing.close();
  }

  #segmentOf(file: JournalSourceFile, fd: number): JournalSegment {
    const { units, takesOthers, readsPriority } = this.#options;
    const unread = this.#unreadOf(file);
    return {
      fd,
      afterSeqnum: this.#positions.of(file.header.seqnumId).seqnum,
      hint: file.hint,
      entriesMax: Math.min(unread + limits.journalFewEntries, this.#entriesMax()),
      isFew: unread <= limits.journalFewEntries,
      twins: file.areTwinsPassed ? [] : this.#twins(),
      units,
      takesOthers,
      readsPriority,
      logs: this.#logs.setups,
      project: this.#logs.project,
    };
  }

  /** A rate limit is applied in steps of about a second; an entry has at least half a KiB. */
  #entriesMax(): number {
    if (this.#pace === undefined) return limits.journalEntriesPerTask;
    return Math.min(limits.journalEntriesPerTask, Math.ceil(this.#pace.bytesMax / 512));
  }

  #twins(): JournalSegment['twins'] {
    return [...this.#positions.all()].filter(({ hash }) => hash !== 0);
  }

  #unreadOf(file: JournalSourceFile): number {
    return file.unreadAfter(this.#positions.of(file.header.seqnumId).seqnum);
  }

  /** Deleted files first, then those that may be moved, then the oldest. */
  #next(): JournalSourceFile | undefined {
    let first: JournalSourceFile | undefined;
    for (const file of this.#listing.files) {
      if (this.#unreadOf(file) === 0) continue;
      if (first === undefined || rank(file, first) < 0) first = file;
    }
    if (first === undefined || first.open()) return first;
    this.#lose(first);
    return undefined;
  }

  /** Only the first start skips entries. */
  #begin(): void {
    this.#hasBegun = true;
    if (!this.#positions.isFirstStart) return;
    this.#positions.noteStart();
    const files = [...this.#listing.files].sort(byAge).toReversed();
    const [newest] = files;
    const isFromBoot = this.#options.from === 'start' && newest !== undefined;
    const lastBoot = isFromBoot ? lastHeadOf(newest)?.bootId : undefined;
    const starts = new Map<string, { position: JournalPosition; path: string }>();
    for (const file of files) {
      const { path, header } = file;
      const first = lastBoot === undefined ? undefined : firstOfBoot(file, lastBoot);
      if (first !== undefined) {
        const position = { seqnum: first - 1, hash: 0, realtimeMicros: 0 };
        starts.set(header.seqnumId, { position, path });
      } else if (!starts.has(header.seqnumId)) {
        starts.set(header.seqnumId, { position: endOf(file), path });
      }
    }
    for (const [id, { position, path }] of starts) this.#positions.set(id, position, path);
  }

  /** After files were added or removed: counts losses, and finds copies of entries already read. */
  #keepStep(): void {
    for (const file of this.#listing.files) {
      file.expectTwins();
      if (!file.isGone || file === this.#underWay) continue;
      if (this.#unreadOf(file) === 0) this.#listing.drop(file);
      else if (file.fd === undefined) this.#lose(file);
    }
    this.#fitDescriptors();
  }

  #lose(file: JournalSourceFile): void {
    const lost = this.#unreadOf(file);
    this.#counters.lostEntries += lost;
    this.#listing.drop(file);
    if (lost === 0) return;
    this.#setup.lost(lost);
    const text = `${file.path}: up to ${lost} entries of the journal were deleted before they were read`;
    this.#setup.report('LINES_LOST', text);
  }

  /** Opens what is read next, so that it outlives a vacuum, and closes what was read. */
  #fitDescriptors(): void {
    const unread: JournalSourceFile[] = [];
    for (const file of this.#listing.files) {
      if (file === this.#underWay) continue;
      if (this.#unreadOf(file) > 0) unread.push(file);
      else if (file.isGone) this.#listing.drop(file);
      else if (!file.isLive) file.close();
    }
    for (const [index, file] of unread.toSorted(rank).entries()) {
      if (index < limits.journalOpenFilesMax) file.open();
      else if (!file.isLive && !file.isGone) file.close();
    }
  }
}

function rank(a: JournalSourceFile, b: JournalSourceFile): number {
  return Number(b.isGone) - Number(a.isGone) || b.directoryIndex - a.directoryIndex || byAge(a, b);
}

/** Oldest first. */
function byAge({ header: a }: JournalSourceFile, { header: b }: JournalSourceFile): number {
  return a.headRealtimeMicros - b.headRealtimeMicros || a.headSeqnum - b.headSeqnum;
}

function lastHeadOf(file: JournalSourceFile): EntryHead | undefined {
  return file.read((journal) => journal.lastHead());
}

function firstOfBoot(file: JournalSourceFile, bootId: string): number | undefined {
  return file.read((journal) => journal.firstOfLastBoot(bootId))?.seqnum;
}

function endOf(file: JournalSourceFile): JournalPosition {
  const { tailSeqnum } = file.header;
  const last = lastHeadOf(file);
  if (last === undefined) return { seqnum: tailSeqnum, hash: 0, realtimeMicros: 0 };
  const { seqnum, twinHash: hash, realtimeMicros } = last;
  return { seqnum: Math.max(seqnum, tailSeqnum), hash, realtimeMicros };
}
