// /metrics of the journal: one series for each of its logs, within a bound.

import { expect, test } from 'vitest';
import { limits } from '../../src/config.ts';
import { metricText } from '../../src/admin/metric-text.ts';
import { JournalLogs } from '../../src/tail/journal/journal-logs.ts';
import { noRule } from '../../src/tail/reading-rules.ts';
import { sampleJournal, sampleStatus } from './status-fixture.ts';

function seriesOf(journal: typeof sampleJournal): string[] {
  const lines = metricText({ ...sampleStatus, journal }).split('\n');
  return lines.filter((line) => line.startsWith('tailship_journal'));
}

test('says how far the journal is, and what its logs have had', () => {
  expect(seriesOf(sampleJournal)).toEqual([
    'tailship_journal_entries_total 1500',
    'tailship_journal_behind_entries 12',
    'tailship_journal_behind_seconds 1.5',
    'tailship_journal_unreadable_files 1',
    'tailship_journal_log_read_entries_total{log="docker"} 1600',
    'tailship_journal_log_read_entries_total{log="kubelet"} 1600',
    'tailship_journal_log_read_entries_total{log="<b>&\\""} 5',
    'tailship_journal_log_entries_total{log="docker"} 0',
    'tailship_journal_log_entries_total{log="kubelet"} 1500',
    'tailship_journal_log_entries_total{log="<b>&\\""} 5',
    'tailship_journal_lost_entries_total 3',
    'tailship_journal_damaged_entries_total 0',
  ]);
});

test('has a bounded number of series, whatever units a node has', () => {
  const [first] = sampleJournal.logs;
  const logs = Array.from({ length: 200 }, (_, index) => ({ ...first!, name: `unit-${index}` }));
  const series = seriesOf({ ...sampleJournal, logs });
  const read = series.filter((line) => line.includes('log_read'));
  expect(read).toHaveLength(51);
  expect(read.at(-1)).toMatch(new RegExp(` ${150 * 1600}$`));
});

test('has no series that falls, whichever log is the busiest and however many there are', () => {
  const template = { resource: '', labels: '' } as never;
  const logs = new JournalLogs({ whole: noRule, ofLog: () => ({ rule: noRule, template }) }, '');
  // More than have series before the first entry, more than are known after the last.
  const names = Array.from({ length: limits.journalLogsMax + 100 }, (_, at) => `unit-${at}`);
  for (const name of names.slice(0, 100)) logs.learn(name);
  const before = new Map<string, number>();
  let readInAll = 0;
  for (const [at, name] of [...names.toReversed(), ...names].entries()) {
    const entries = 1 + at;
    const read = { name, lines: entries, entries, bytes: 100 };
    const result = { logs: [read], nextLog: name } as never;
    logs.drained({ logs: [], nextLog: name } as never, 0);
    logs.drained(result, 0);
    logs.acknowledge(result);
    readInAll += entries;
    const journal = { ...sampleJournal, logs: logs.status, forgottenLogs: logs.forgotten };
    let shown = 0;
    for (const line of seriesOf(journal).filter((text) => text.includes('_log_'))) {
      const [series = '', value] = line.split(' ');
      expect(Number(value), line).toBeGreaterThanOrEqual(before.get(series) ?? 0);
      before.set(series, Number(value));
      if (series.includes('_log_read_')) shown += Number(value);
    }
    expect(shown).toBe(readInAll);
  }
  expect(before.size).toBe(2 * (limits.metricSeriesMax + 1));
});
