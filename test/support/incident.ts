// A node in an incident: fake kubelet, emulator and agent as processes of their own, and what
// page, metrics and `top` say of them.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import type { AgentStatus, WorkloadStatus } from '../../src/admin/admin-source.ts';
import type { TopTable } from '../../src/admin/top-table.ts';
import type { FakeContainer } from '../../src/emulator/kubelet/fake-container.ts';
import { createFakeKubelet, type FakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import { writeAtRate } from '../../src/emulator/kubelet/paced-writer.ts';
import {
  startAgentProcess,
  startEmulatorProcess,
  until,
  type AgentOptions,
  type AgentProcess,
  type EmulatorProcess,
} from './agent-process.ts';
import { freePort } from './free-port.ts';

const mainFile = path.resolve(import.meta.dirname, '../../src/main.ts');

export type Incident = {
  readonly kubelet: FakeKubelet;
  readonly emulator: EmulatorProcess;
  readonly agent: AgentProcess;
  readonly adminUrl: string;
  /** What the agent was started with. */
  readonly options: AgentOptions;
};

type IncidentOptions = {
  readonly root: string;
  readonly pods: readonly string[];
  readonly flags?: readonly string[];
  /** Before the agent starts. */
  readonly prepare?: (kubelet: FakeKubelet, emulator: EmulatorProcess) => unknown;
};

export async function startIncident(options: IncidentOptions): Promise<Incident> {
  const { root, pods, flags = [] } = options;
  const emulator = await startEmulatorProcess();
  const kubelet = createFakeKubelet({ root: path.join(root, 'log'), seed: 9, writeMode: 'batch' });
  for (const pod of pods) {
    kubelet.startPod({ namespace: 'shop', pod, containers: [{ name: 'api', kind: 'text' }] });
  }
  await options.prepare?.(kubelet, emulator);
  const port = await freePort();
  const agentOptions = {
    kubelet,
    stateDir: path.join(root, 'state'),
    endpoint: emulator.url,
    flags: [`--admin-address=127.0.0.1:${port}`, '--price-per-gib=0.5', ...flags],
  };
  const agent = startAgentProcess(agentOptions);
  const adminUrl = `http://127.0.0.1:${port}`;
  return foundAll({ kubelet, emulator, agent, adminUrl, options: agentOptions });
}

async function foundAll(incident: Incident): Promise<Incident> {
  const { agent } = incident;
  await until('the agent has found its containers', async () => {
    assert(agent.isRunning(), agent.log.join('\n'));
    const text = await get(incident, '/api/status');
    if (text === '') return false;
    const { workloads } = JSON.parse(text) as AgentStatus;
    return workloads.length === incident.kubelet.containers.length;
  });
  return incident;
}

/** After a SIGKILL, on the same state directory. */
export async function restartAgent(incident: Incident): Promise<Incident> {
  await incident.agent.kill();
  return foundAll({ ...incident, agent: startAgentProcess(incident.options) });
}

/** Writes until the test is over, or the result is called. */
export function writeSteadily(
  incident: Incident,
  pod: string,
  linesPerSecond: number,
): () => Promise<unknown> {
  const stop = new AbortController();
  const container = containerOf(incident, pod);
  const { signal } = stop;
  const containers = () => [container];
  const done = writeAtRate({ linesPerSecond, seconds: 1e4, containers, tickMs: 50, signal });
  const end = () => {
    stop.abort();
    return done;
  };
  onTestFinished(async () => void (await end()));
  return end;
}

export async function get({ adminUrl }: Incident, where: string): Promise<string> {
  const answer = await fetch(adminUrl + where).catch(() => undefined);
  return answer === undefined ? '' : await answer.text();
}

export async function statusOf(incident: Incident): Promise<AgentStatus> {
  return JSON.parse(await get(incident, '/api/status')) as AgentStatus;
}

export async function workloadOf(incident: Incident, pod: string): Promise<WorkloadStatus> {
  const found = (await statusOf(incident)).workloads.find((workload) => workload.pod === pod);
  if (found === undefined) throw new Error(`${pod} is not shown`);
  return found;
}

/** Counters as they were last seen, of one run of the agent. */
const countersSeen = new WeakMap<Incident, Map<string, number>>();

/** Values of /metrics by series. Fails when a counter is lower than it was before. */
export async function metricsOf(incident: Incident): Promise<Record<string, number>> {
  const text = await get(incident, '/metrics');
  const counters = new Set([...text.matchAll(/^# TYPE (\w+) counter$/gm)].map(([, name]) => name));
  const before = countersSeen.get(incident) ?? new Map<string, number>();
  countersSeen.set(incident, before);
  const values: Record<string, number> = {};
  for (const line of text.split('\n').filter((each) => /^\w/.test(each))) {
    const series = line.slice(0, line.lastIndexOf(' '));
    const value = Number(line.split(' ').at(-1));
    values[series] = value;
    if (!counters.has(/^\w+/.exec(series)?.[0])) continue;
    assert(value >= (before.get(series) ?? 0), `${line}: it was ${before.get(series)}`);
    before.set(series, value);
  }
  return values;
}

export async function topOf({ adminUrl }: Incident): Promise<TopTable> {
  return JSON.parse(await runTop(adminUrl, '--json')) as TopTable;
}

/** The rows of `top` as a script sees them, the busiest first. */
export async function topRows({ adminUrl }: Incident): Promise<string[]> {
  return (await runTop(adminUrl)).trim().split('\n').slice(4);
}

async function runTop(adminUrl: string, ...flags: string[]): Promise<string> {
  const words = [mainFile, 'top', '--once', `--admin-address=${new URL(adminUrl).host}`, ...flags];
  return (await promisify(execFile)(process.execPath, words)).stdout;
}

export function containerOf({ kubelet }: Pick<Incident, 'kubelet'>, pod: string): FakeContainer {
  const container = kubelet.containers.find(({ account }) => account.pod === pod);
  if (container === undefined) throw new Error(`${pod} has no container`);
  return container;
}

/** Bytes of all files of a container, none of them compressed. */
export function bytesOnDisk({ directory }: FakeContainer): number {
  const names = fs.readdirSync(directory);
  return names.reduce((sum, name) => sum + fs.statSync(path.join(directory, name)).size, 0);
}
