// Dashboard and alert rules: they name only metrics that exist, and Prometheus' own tool accepts
// and tries the rules. The tool is of Debian's package prometheus; without it those tests are
// skipped.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { metricTable } from '../../src/admin/metric-text.ts';
import { deadLetterVerbs } from '../../src/command/dead-letters.ts';
import { errorTable } from '../../src/errors.ts';
import { configKeys, flagOf, rowOf } from '../../src/options/config-loader.ts';
import { commands } from '../../src/options/options.ts';
import type { Manifest } from './manifest-types.ts';

const promtool = '/usr/bin/promtool';
const whyNoTool = fs.existsSync(promtool) ? '' : ` (skipped: no ${promtool}, install prometheus)`;
const grpcCodes = new Set(['PERMISSION_DENIED', 'INVALID_ARGUMENT']);
const deploy = path.resolve(import.meta.dirname, '../../deploy');

type Rule = {
  /** Either an alert, or a record that alerts share. */
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly annotations?: Readonly<Record<string, string>>;
};
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

function readRunbook(): string {
  return fs.readFileSync(path.join(deploy, '../docs/runbook.md'), 'utf8');
}

/** The sections of the runbook that are about an alert, by its name. */
function readSections(): Map<string, string> {
  const sections = readRunbook().split(/^## /m).slice(1);
  const named = sections.map((text): [string, string] => [text.split('\n')[0] ?? '', text]);
  return new Map(named.filter(([name]) => name.startsWith('Tailship')));
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
  const alerts = rules.filter(({ alert }) => alert !== undefined);
  const names = alerts.map(({ alert = '' }) => alert);

  test('name only metrics that exist', () => {
    const metrics = rules.flatMap(({ expr }) => metricsIn(expr));
    expect(metrics.length).toBeGreaterThan(8);
    for (const name of metrics) expect(Object.keys(metricTable)).toContain(name);
    const records = rules.map(({ record }) => record);
    for (const { expr } of alerts) {
      for (const name of expr.match(/\btailship:\w+/g) ?? []) expect(records).toContain(name);
    }
  });

  test('say what happened, what it means, and where to read what to do', () => {
    for (const { alert = '', annotations = {} } of alerts) {
      expect(alert).toMatch(/^Tailship[A-Z]/);
      expect(Object.keys(annotations)).toEqual(['summary', 'description', 'runbook_url']);
      const [page, section] = annotations['runbook_url']?.split('#') ?? [];
      expect(page).toBe('https://git.example.com/tailship/blob/main/docs/runbook.md');
      expect(section).toBe(alert.toLowerCase());
    }
  });

  test('have a section each in the runbook, in their order, which has no other', () => {
    const sections = readSections();
    expect([...sections.keys()]).toEqual(names);
    for (const [name, text] of sections) {
      const parts = text.match(/^\*\*.*?\*\*/gm);
      expect(parts, name).toEqual(['**What it means.**', '**How to look.**', '**What to do.**']);
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
    for (const alert of names) {
      expect(cases).toMatch(new RegExp(`alertname: ${alert}\\s+exp_alerts`));
    }
  });
});

describe('the runbook', () => {
  const text = readRunbook();

  test('names only commands and flags that exist', () => {
    const uses = [...text.matchAll(/\bagent NODE ([a-z-]+)([^`\n#]*)/g)];
    expect(uses.length).toBeGreaterThan(10);
    for (const [, command = '', rest = ''] of uses) {
      expect(commands).toContain(command);
      const takes = configKeys.filter((key) => rowOf(key).commands.includes(command as 'run'));
      for (const flag of rest.match(/--[a-z-]+/g) ?? []) expect(takes.map(flagOf)).toContain(flag);
      if (command !== 'dead-letters') continue;
      expect(deadLetterVerbs).toContain(rest.trim().split(' ')[0]);
    }
  });

  test('starts the agent as its image and its DaemonSet do', () => {
    const agent = (parse(read('base/daemonset.yaml')) as Manifest).spec?.template?.spec;
    const args = agent?.containers[0]?.args?.join(' ') ?? '';
    for (const file of new Set(text.match(/\/etc\/tailship\/[a-z.]+/g))) {
      expect(args).toContain(file);
    }
    const deployPage = fs.readFileSync(path.join(deploy, '../docs/deploy.md'), 'utf8');
    expect(deployPage).toContain(/\/opt\S+ \/opt\S+/.exec(text)?.[0]);
  });

  test('names only options, codes, metrics and panels that exist', () => {
    for (const [, code = ''] of text.matchAll(/`([A-Z]+_[A-Z_]+)`/g)) {
      if (grpcCodes.has(code) || code === 'SHIP_') continue;
      expect(Object.keys(errorTable)).toContain(code);
    }
    for (const name of metricsIn(text)) expect(Object.keys(metricTable)).toContain(name);
    const titles = readPanels()
      .map(({ title }) => title)
      .join('\n');
    for (const [, title = ''] of text.matchAll(/"([A-Z][a-z]+ [a-zA-Z ]+)"/g)) {
      if (title.startsWith('Cloud ') || title.endsWith('requests')) continue; // Of Google's console.
      expect(titles).toContain(title);
    }
    for (const [, key = ''] of text.matchAll(/`([a-z]+(?:[A-Z][a-z]+)+)(?::[^`]*)?`/g)) {
      if (key.startsWith('containerLog') || key === 'maxUnavailable') continue; // Of Kubernetes.
      expect(configKeys).toContain(key);
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

  test('ranks and charges by what is written: in an outage nothing is shipped', () => {
    const ranked = panels.filter(({ title }) => /^(?:Bytes|Lines|Cost)\b/.test(title));
    expect(ranked).toHaveLength(4);
    for (const { title, targets = [] } of ranked) {
      expect(targets[0]?.expr, title).toMatch(
        /\btailship_(?:container_)?written_(?:bytes|lines)_total\b/,
      );
    }
  });

  test('narrows each panel to the chosen cluster and nodes, and lists no more nodes than ten', () => {
    for (const { title, targets = [] } of panels) {
      for (const { expr } of targets) {
        for (const [selector] of expr.matchAll(/tailship_[a-z_]+(?:\{[^}]*\})/g)) {
          expect(selector, title).toContain('cluster=~"$cluster", instance=~"$instance"');
        }
        const isOfFleet =
          /\b(?:sum|count|max|min)(?: by \((?!instance|namespace)[^)]*\))?\s*\(/.test(expr);
        expect(isOfFleet || /^(?:top|bottom)k\(10, /.test(expr), `${title}: ${expr}`).toBe(true);
      }
    }
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
        .replaceAll('$__range', '3h')
        .replaceAll('$cluster', '.*')
        .replaceAll('$instance', '.*'),
    }));
    const directory = writePlainRules();
    const file = path.join(directory, 'panels.yml');
    fs.writeFileSync(file, stringify({ groups: [{ name: 'panels', rules }] }));
    expect(execFileSync(promtool, ['check', 'rules', file]).toString()).toContain('SUCCESS');
  });
});
