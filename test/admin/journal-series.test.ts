// /metrics of the journal: one series for each of its logs, within a bound.

import { expect, test } from 'vitest';
import { metricText } from '../../src/admin/metric-text.ts';
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
