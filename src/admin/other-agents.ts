// Finds other log agents on the node by the files that keep their positions: two agents that read
// the same logs ship each line twice. In a pod only what is mounted can be seen. No file is opened:
// only names and times count.

import { globSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { parseGlob } from '../container-glob.ts';
import type { Config } from '../options/options.ts';
import { durationText } from '../number-text.ts';
import { type Finding, ok, warn } from './finding.ts';

/** A running agent writes its positions every few seconds. */
const atWorkSeconds = 600;

type Trace = { readonly agent: string; readonly file: string; readonly ageSeconds: number };

/** Where agents keep their positions by default; GKE's own is a Fluent Bit outside /var/log. */
function patternsOf(logDir: string, rootDir: string): readonly (readonly [string, string])[] {
  return [
    ['fluentd', join(logDir, '*.pos')],
    ['Fluent Bit', join(logDir, 'flb*.db')],
    ['Fluent Bit', join(logDir, 'fluent*.db')],
    ['Fluent Bit', join(rootDir, 'var/lib/fluent-bit/*.db')],
    ['fluentd', join(rootDir, 'var/lib/fluentd/*.pos')],
    ['promtail', join(rootDir, 'run/promtail/positions.y*ml')],
    ['Vector', join(rootDir, 'var/lib/vector/*/checkpoints.json')],
    [gkeAgent, join(rootDir, 'var/run/google-fluentbit/pos-files/*.db')],
  ];
}

const gkeAgent = "GKE's own agent";

/** One finding for each running agent. */
export function checkOtherAgents(config: Config, rootDir: string, nowMs: number): Finding[] {
  const name = 'other agents';
  const traces = findTraces(patternsOf(dirname(config.containersDir), rootDir), nowMs);
  const working = traces.filter(({ ageSeconds }) => ageSeconds < atWorkSeconds);
  const findings = working.flatMap(({ agent, file, ageSeconds }) => {
    const text = `${agent} wrote ${file} ${durationText(ageSeconds)} ago`;
    if (agent !== gkeAgent) {
      const advice = 'Stop it, or exclude what it reads (--exclude): each line arrives twice.';
      return [warn(name, `${text}, so it reads these logs, too`, advice)];
    }
    if (leavesSystemOut(config)) {
      return [ok(name, `${text}; the namespaces of the system are excluded here`)];
    }
    const advice =
      'gcloud container clusters update CLUSTER --logging=SYSTEM, and --exclude kube-system, gke-managed-* and the other namespaces that it keeps: each line arrives twice.';
    return [warn(name, `${text}, so it ships at least kube-system, too`, advice)];
  });
  return findings.length > 0 ? findings : [ok(name, 'none that can be seen from here')];
}

/** The newest file of each agent. */
function findTraces(patterns: readonly (readonly [string, string])[], nowMs: number): Trace[] {
  const newest = new Map<string, Trace>();
  for (const [agent, pattern] of patterns) {
    for (const file of globSync(pattern)) {
      const modifiedMs = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
      const ageSeconds = Math.max((nowMs - modifiedMs) / 1_000, 0);
      const known = newest.get(agent);
      if (known === undefined || ageSeconds < known.ageSeconds) {
        newest.set(agent, { agent, file, ageSeconds });
      }
    }
  }
  return [...newest.values()];
}

function leavesSystemOut({ exclude }: Config): boolean {
  const names = { namespace: 'kube-system', pod: 'any', container: 'any' };
  return exclude.some((glob) => parseGlob(glob)(names));
}
