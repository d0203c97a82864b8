// The logs of the journal, such as `kubelet`: the settings and counters of each.
//
// Invariant: a log is known before an entry of it is encoded, so no entry escapes its rule.

import { limits } from '../../config.ts';
import type { JournalLog, JournalResult } from '../../encode/drain-task.ts';
import type { EntryTemplate } from '../../encode/entries/entry-template.ts';
import type { JournalLogStatus, JournalLogSums } from '../../journal/journal-status.ts';
import { ruleText } from '../../rules/rule-text.ts';
import { Pace } from '../pace.ts';
import type { ReadingRule } from '../reading-rules.ts';

/** The rules for the whole journal and for each of its logs. */
export type JournalRules = {
  readonly whole: ReadingRule;
  readonly ofLog: (name: string) => {
    readonly rule: ReadingRule;
    readonly template: EntryTemplate;
  };
};

type Log = {
  readonly setup: JournalLog;
  readonly rule: ReadingRule;
  readonly pace: Pace | undefined;
  readonly counts: ReturnType<typeof createCounts>;
};

function createCounts() {
  return {
    /** In the order of first entries, from 1; 0: it had none. */
    rank: 0,
    readEntries: 0,
    entries: 0,
    bytes: 0,
    inFlightEntries: 0,
    lastReadMs: undefined as number | undefined,
  };
}

export class JournalLogs {
  readonly #logs = new Map<string, Log>();
  /** The node's template, for the head of a request. */
  readonly #resource: string;
  #rules: JournalRules;
  #isPaced = false;
  #project: string | undefined;
  #rankMax = 0;
  readonly #forgotten = { readEntries: 0, entries: 0 };

  constructor(rules: JournalRules, resource: string) {
    this.#rules = rules;
    this.#resource = resource;
  }

  /** Of the next body; undefined: the node's. */
  get project(): string | undefined {
    return this.#project;
  }

  get setups(): ReadonlyMap<string, JournalLog> {
    return new Map([...this.#logs].map(([name, { setup }]) => [name, setup]));
  }

  get forgotten(): JournalLogSums {
    return { ...this.#forgotten };
  }

  get status(): JournalLogStatus[] {
    const read = [...this.#logs].filter(([, { counts }]) => counts.rank > 0);
    read.sort(([, left], [, right]) => left.counts.rank - right.counts.rank);
    return read.map(([name, { rule, counts }]) => {
      const { lastReadMs, rank: _, ...rest } = counts;
      return {
        name,
        ...rest,
        lastReadAt: lastReadMs === undefined ? undefined : new Date(lastReadMs).toISOString(),
        isExcluded: this.#rules.whole.isExcluded || rule.isExcluded,
        bytesPerSecond: rule.bytesPerSecond,
        rules: (rule.matching ?? []).map(ruleText),
      };
    });
  }

  /** From the next plan on. */
  obey(rules: JournalRules, isPaced: boolean): void {
    this.#rules = rules;
    this.#isPaced = isPaced;
    this.#project = undefined;
    for (const name of this.#logs.keys()) this.learn(name);
  }

  /** Registers a log; beyond the maximum, the oldest one without a series is forgotten. */
  learn(name: string): void {
    const before = this.#logs.get(name);
    const { rule, template: own } = this.#rules.ofLog(name);
    const template = own.resource === this.#resource ? { ...own, resource: '' } : own;
    const { isExcluded, bytesPerSecond, records: recordRule } = rule;
    const pace =
      this.#isPaced && bytesPerSecond !== undefined
        ? new Pace(bytesPerSecond, before?.pace)
        : undefined;
    const setup = { isExcluded, template, recordRule, bytesMax: pace?.bytesMax };
    if (before === undefined && this.#logs.size >= limits.journalLogsMax) this.#forgetOldest();
    this.#logs.set(name, { setup, rule, pace, counts: before?.counts ?? createCounts() });
  }

  /** The first logs have series in the metrics, which must not end. */
  #forgetOldest(): void {
    for (const [name, { counts }] of this.#logs) {
      if (counts.rank > 0 && counts.rank <= limits.metricSeriesMax) continue;
      this.#forgotten.readEntries += counts.readEntries;
      this.#forgotten.entries += counts.entries;
      this.#logs.delete(name);
      return;
    }
  }

  /** Entries are read in order, so a rate limit on one log slows all logs down. */
  isDue(nowMs: number): boolean {
    return [...this.#logs.values()].every(({ pace }) => pace?.isDue(nowMs) !== false);
  }

  /** Adds what a task has read. */
  drained({ logs, nextLog }: JournalResult, nowMs: number): void {
    for (const { name, lines, entries, bytes } of logs) {
      const log = this.#logs.get(name);
      if (log === undefined || lines === 0) continue;
      log.pace?.took(bytes, undefined, nowMs);
      if (log.counts.rank === 0) log.counts.rank = ++this.#rankMax;
      log.counts.readEntries += lines;
      log.counts.inFlightEntries += entries;
      log.counts.lastReadMs = Date.now();
    }
    if (nextLog === undefined) return;
    if (!this.#logs.has(nextLog)) this.learn(nextLog);
    this.#project = this.#logs.get(nextLog)?.setup.template.project;
  }

  acknowledge({ logs }: JournalResult): void {
    for (const { name, entries, bytes } of logs) {
      const log = this.#logs.get(name);
      if (log === undefined) {
        this.#forgotten.entries += entries;
        continue;
      }
      log.counts.entries += entries;
      log.counts.bytes += bytes;
      log.counts.inFlightEntries = Math.max(0, log.counts.inFlightEntries - entries);
    }
  }
}
