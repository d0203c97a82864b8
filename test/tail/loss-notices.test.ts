import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { limits } from '../../src/config.ts';
import { LossNotices, savePositions, type LossNotice } from '../../src/tail/loss-notices.ts';
import { FaultyFs } from '../support/faulty-fs.ts';

let state: string;
let reports: string[];
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'notices-'));
  reports = [];
});
afterEach(() => rmSync(state, { recursive: true, force: true }));

const file = () => join(state, 'loss-notices.json');
const open = () => new LossNotices(state, (code) => reports.push(code));
const nobody = () => false;

function notice(offset: number, more: Partial<LossNotice> = {}): LossNotice {
  const logName = { stdout: '', stderr: '"logName":"projects/p/logs/stderr",' };
  const template = { resource: '"resource":{"type":"k8s_container"},', logName, labels: '"a":"b"' };
  const place = { path: '/var/log/pods/ns_p_u/c/0.log', idPrefix: undefined, offset, bytes: 10 };
  return { template, reason: 'deleted', atMs: 5, ...place, ...more };
}

describe('LossNotices', () => {
  test('keeps what was taken and not accepted, and nothing of the rest', () => {
    const notices = open();
    for (const offset of [1, 2, 3]) notices.add(notice(offset));
    const taken = notices.take(2, nobody);
    expect(taken.map(({ offset }) => offset)).toEqual([1, 2]);
    notices.settle(taken.slice(0, 1));
    notices.save();
    expect(open().take(9, nobody)).toEqual([notice(2), notice(3)]);
    notices.settle([...taken, ...notices.take(9, nobody)]);
    notices.save();
    expect(readdirSync(state)).toEqual([]);
  });

  test('does not tell a loss twice that the next run finds again, nor keeps what is held back', () => {
    open().save();
    const notices = open();
    notices.add(notice(1));
    notices.add(notice(7, { reason: 'rate_limit' }));
    notices.save();
    const next = open();
    next.add(notice(1, { atMs: 9 }));
    expect(next.take(9, nobody)).toEqual([notice(1)]);
  });

  test('takes those of one project at a time, and those of no project that is busy', () => {
    const notices = open();
    const { template } = notice(0);
    notices.add(notice(1));
    notices.add(notice(2, { template: { ...template, project: 'other' } }));
    notices.add(notice(3));
    expect(notices.take(9, nobody).map(({ offset }) => offset)).toEqual([1, 3]);
    expect(notices.take(9, (project) => project === 'other')).toEqual([]);
    expect(notices.take(9, nobody).map(({ offset }) => offset)).toEqual([2]);
  });

  test('are kept in a new directory when somebody has removed the old one', () => {
    const notices = open();
    rmSync(state, { recursive: true });
    notices.add(notice(1));
    notices.save();
    expect(reports).toEqual([]);
    expect(open().take(9, nobody)).toEqual([notice(1)]);
  });

  test('has a bound', () => {
    const notices = open();
    for (let offset = 0; offset < limits.lossNoticesMax + 5; offset += 1) {
      notices.add(notice(offset));
    }
    expect(notices.take(Infinity, nobody)).toHaveLength(limits.lossNoticesMax);
  });

  test('sets a damaged file aside, and says so', () => {
    const notices = open();
    notices.add(notice(1));
    notices.save();
    writeFileSync(file(), readFileSync(file(), 'utf8').replace('"deleted"', '"damaged"'));
    expect(open().take(9, nobody)).toEqual([]);
    expect(reports).toEqual(['STATE_CORRUPT']);
    expect(readdirSync(state)).toEqual([expect.stringContaining('loss-notices.json.corrupt-')]);
  });

  test('goes on from memory when it cannot write, told once', () => {
    const notices = open();
    mkdirSync(`${file()}.tmp`);
    notices.add(notice(1));
    notices.save();
    notices.save();
    expect(reports).toEqual(['STATE_UNWRITABLE']);
    expect(notices.take(9, nobody)).toEqual([notice(1)]);
  });

  test.each(['write', 'name'] as const)(
    'keeps what it had, told, when %s fails for want of space, and saves it all later',
    (kind) => {
      for (let failAt = 1; ; failAt += 1) {
        reports = [];
        const notices = open();
        notices.add(notice(1));
        notices.save();
        notices.add(notice(2));
        const faulty = new FaultyFs({ failAt, kinds: [kind], code: 'ENOSPC', isLasting: true });
        try {
          notices.save();
        } finally {
          faulty.restore();
        }
        const hasFailed = faulty.failed !== undefined;
        expect(reports).toEqual(hasFailed ? ['STATE_UNWRITABLE'] : []);
        expect(open().take(9, nobody)).toEqual([notice(1), ...(hasFailed ? [] : [notice(2)])]);
        // Where names cannot be removed either, what was written stays and is overwritten.
        if (kind !== 'name') expect(readdirSync(state)).toEqual(['loss-notices.json']);
        vi.spyOn(performance, 'now').mockReturnValue(performance.now() + limits.stateRetryMsMax);
        notices.save();
        vi.restoreAllMocks();
        expect(open().take(9, nobody)).toEqual([notice(1), notice(2)]);
        rmSync(file());
        if (!hasFailed) return;
      }
    },
  );

  test('is saved before the positions', () => {
    const notices = open();
    notices.add(notice(1));
    const flush = () => expect(existsSync(file())).toBe(true);
    savePositions({ notices, store: { flush } });
    expect.assertions(1);
  });
});
