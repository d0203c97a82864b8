// Dashboard and alert rules: they name only metrics that exist, and Prometheus' own tool accepts and
// tries the rules. The tool is of Debian's package prometheus; without it those tests are skipped.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { metricTable } from '../../src/admin/metric-text.ts';
import type { Manifest } from './manifest-types.ts';

const promtool = '/usr/bin/promtool';
const whyNoTool = fs.existsSync(promtool) ? '' : ` (skipped: no ${promtool}, install prometheus)`;
const deploy = path.resolve(import.meta.dirname, '../../deploy');

type Rule = { readonly alert: string; readonly expr: string; readonly annotations: object };
type RuleFile = { readonly groups: readonly { readonly rules: readonly Rule[] }[] };
type Panel = {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly w: number };
  readonly targets?: readonly { readonly expr: string }[];
};

function read(name: string): string {
  return fs.readFileSync(path.join(deploy, name), 'utf8');
}

function readRules(): RuleFile {
  return (parse(read('prometheus/rules.yaml')) as { spec: RuleFile }).spec;
}

function readPanels(): readonly Panel[] {
  return (JSON.parse(read('grafana/tailship.json')) as { panels: Panel[] }).panels;
}

/** Names of metrics in an expression; `up` and the like would be ours to explain. */
function metricsIn(expression: string): string[] {
  return expression.match(/\b(?:tailship|process)_[a-z_]+/g) ?? [];
}

/** A directory with the plain rule file that Prometheus without the operator reads. */
function writePlainRules(): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'tailship-rules-'));
  onTestFinished(() => fs.rmSync(directory, { recursive: true }));
  fs.writeFileSync(path.join(directory, 'rules.yml'), stringify(readRules()));
  fs.copyFileSync(
    path.join(deploy, 'prometheus/rules.test.yaml'),
    path.join(directory, 'test.yml'),
  );
  return directory;
}

describe('the alert rules', () => {
  const rules = readRules().groups.flatMap((group) => group.rules);

  test('name only metrics that exist', () => {
    const names = rules.flatMap(({ expr }) => metricsIn(expr));
    expect(names.length).toBeGreaterThan(8);
    for (const name of names) expect(Object.keys(metricTable)).toContain(name);
  });

  test('say what happened and what to do', () => {
    for (const { alert, annotations } of rules) {
      expect(alert).toMatch(/^Tailship[A-Z]/);
      expect(Object.keys(annotations)).toEqual(['summary', 'description']);
    }
  });

  test.skipIf(whyNoTool !== '')(`are accepted by promtool check rules${whyNoTool}`, () => {
    const directory = writePlainRules();
    const told = execFileSync(promtool, ['check', 'rules', 'rules.yml'], { cwd: directory });
    expect(told.toString()).toContain(`SUCCESS: ${rules.length} rules found`);
  });

  test.skipIf(whyNoTool !== '')(`fire when they should, and not otherwise${whyNoTool}`, () => {
    const directory = writePlainRules();
    const told = execFileSync(promtool, ['test', 'rules', 'test.yml'], { cwd: directory });
    expect(told.toString()).toContain('SUCCESS');
  });

  test('each has a case in which it fires', () => {
    const cases = read('prometheus/rules.test.yaml');
    for (const { alert } of rules) {
      expect(cases).toMatch(new RegExp(`alertname: ${alert}\\s+exp_alerts`));
    }
  });
});

test('the pod monitor scrapes the pods of the DaemonSet where they listen', () => {
  const { spec } = parse(read('prometheus/pod-monitor.yaml')) as {
    spec: {
      namespaceSelector: { matchNames: string[] };
      selector: { matchLabels: object };
      podMetricsEndpoints: { port: string; path: string }[];
    };
  };
  const template = (parse(read('base/daemonset.yaml')) as Manifest).spec?.template;
  const { namespace } = parse(read('base/kustomization.yaml')) as { namespace: string };
  expect(spec.namespaceSelector.matchNames).toEqual([namespace]);
  expect(template?.metadata).toMatchObject({ labels: spec.selector.matchLabels });
  const [endpoint] = spec.podMetricsEndpoints;
  const ports = template?.spec.containers[0]?.ports?.map(({ name }) => name);
  expect(ports).toContain(endpoint?.port);
  expect(endpoint?.path).toBe('/metrics');
});

describe('the dashboard', () => {
  const panels = readPanels();

  test('names only metrics that exist, and shows each that the alerts are about', () => {
    const shown = panels.flatMap(({ targets = [] }) =>
      targets.flatMap(({ expr }) => metricsIn(expr)),
    );
    for (const name of shown) expect(Object.keys(metricTable)).toContain(name);
    const alerted = readRules().groups.flatMap(({ rules }) =>
      rules.flatMap(({ expr }) => metricsIn(expr)),
    );
    for (const name of alerted) expect(shown).toContain(name);
  });

  test('has panels that fit the grid and are told apart', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
    for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
  });

  test.skipIf(whyNoTool !== '')(`asks in expressions that Prometheus can read${whyNoTool}`, () => {
    const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    const rules = expressions.map((expr, index) => ({
      record: `panel:${index}`,
      expr: expr
        .replaceAll('$__rate_interval', '5m')
        .replaceAll('$price', '0.5')
        .replaceAll('$instance', '.*'),
    }));
    const directory = writePlainRules();
    const file = path.join(directory, 'panels.yml');
    fs.writeFileSync(file, stringify({ groups: [{ name: 'panels', rules }] }));
    expect(execFileSync(promtool, ['check', 'rules', file]).toString()).toContain('SUCCESS');
  });
});
