// `tailship check` tells of other agents that are at work on the node, by their files of positions.

import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { checkOtherAgents } from '../../src/admin/other-agents.ts';
import { makeConfig } from '../support/make-config.ts';

let root: string;
const nowMs = Date.UTC(2026, 10, 28, 4);

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'tailship-agents-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function writePositions(file: string, ageSeconds: number): void {
  const place = path.join(root, file);
  mkdirSync(path.dirname(place), { recursive: true });
  writeFileSync(place, '');
  const seconds = nowMs / 1_000 - ageSeconds;
  utimesSync(place, seconds, seconds);
}

function check(exclude: readonly string[] = []) {
  const containersDir = path.join(root, 'var/log/containers');
  return checkOtherAgents(makeConfig({ containersDir, exclude }), root, nowMs);
}

describe('checkOtherAgents()', () => {
  test('is content with a node that has none', () => {
    expect(check()).toMatchObject([{ level: 'ok', text: 'none that can be seen from here' }]);
  });

  test.each([
    ['fluentd', 'var/log/fluentd-containers.log.pos'],
    ['Fluent Bit', 'var/log/flb_kube.db'],
    ['Fluent Bit', 'var/lib/fluent-bit/tail.db'],
    ['promtail', 'run/promtail/positions.yaml'],
    ['Vector', 'var/lib/vector/kubernetes_logs/checkpoints.json'],
  ])('warns of %s by %s', (agent, file) => {
    writePositions(file, 7);
    const [finding, ...others] = check();
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ level: 'warn' });
    expect(finding?.text).toContain(`${agent} wrote ${path.join(root, file)} 7`);
    expect(finding?.advice).toContain('twice');
  });

  test('leaves one alone that is gone, whose positions are for `migrate`', () => {
    writePositions('var/log/fluentd-containers.log.pos', 3_600);
    expect(check()).toMatchObject([{ level: 'ok' }]);
  });

  test('names an agent once, by its newest file', () => {
    writePositions('var/log/old.pos', 3_600);
    writePositions('var/log/new.pos', 2);
    writePositions('var/log/newer.pos', 1);
    expect(check()).toMatchObject([{ level: 'warn' }]);
    expect(check()[0]?.text).toContain('newer.pos');
  });

  test("says what to do about GKE's own, and is content when its namespaces are excluded", () => {
    writePositions('var/run/google-fluentbit/pos-files/flb_kube.db', 3);
    const [finding] = check();
    expect(finding).toMatchObject({ level: 'warn' });
    expect(finding?.advice).toContain('--logging=SYSTEM');
    expect(check(['kube-*'])).toMatchObject([{ level: 'ok' }]);
    expect(check(['shop'])).toMatchObject([{ level: 'warn' }]);
  });
});
