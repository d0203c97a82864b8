// A node where one pod can write below /var/log: its directory, and that of the links, hold tens of
// thousands of files, links and foreign names.

import fs from 'node:fs';
import path from 'node:path';
import { createFakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import { startAgentProcess, startEmulatorProcess, until } from '../support/agent-process.ts';
import { entriesOf, rssOf, withAdmin } from '../support/agent-status.ts';
import type { AgentStatus } from '../../src/admin/admin-source.ts';
import { countHeldUpMs } from '../support/own-time.ts';

export type Crowd = {
  /** Log files of the pod, all of one container. */
  readonly files: number;
  readonly links: number;
  /** Names that are none of a log, in both directories. */
  readonly foreign: number;
};

export type CrowdedResult = {
  /** Milliseconds for which the main thread was blocked at the longest, start-up included. */
  readonly blockedMs: number;
  /** The same of an agent that has nothing to do: what this machine takes to start one. */
  readonly quietBlockedMs: number;
  readonly rssBytes: number;
  /**
   * From the first line that a quiet pod writes to its entry, at the start and while names change.
   */
  readonly startMs: number;
  readonly churnMs: number;
  readonly newPodMs: number;
  /** By so much the machine may have delayed these three. */
  readonly heldUpMs: number;
  readonly ready: number | undefined;
  readonly status: AgentStatus;
  readonly log: readonly string[];
};

const line = (text: string) => `${new Date().toISOString()} stdout F ${text}\n`;

/** `scratch` is on a file system in memory: a million names take a disk too long. */
export async function runCrowded(scratch: string, crowd: Crowd): Promise<CrowdedResult> {
  const kubelet = createFakeKubelet({ root: path.join(scratch, 'log'), seed: 1 });
  const start = (pod: string) =>
    kubelet.startPod({ namespace: 'ns', pod, containers: ['c'] }).container();
  const crowded = start('crowded');
  fill(kubelet.containersDir, crowded.directory, crowd);
  const quiet = ['quiet-1', 'quiet-2', 'quiet-3'].map(start);
  const emulator = await startEmulatorProcess();
  const admin = await withAdmin();
  const quietBlockedMs = await blockedOnQuietNode(path.join(scratch, 'quiet'));
  const delayFile = path.join(scratch, 'delay');
  const waitFor = async (text: string): Promise<number> => {
    const beginMs = performance.now();
    await until(`${text} has come`, async () =>
      (await entriesOf(emulator.url)).some(({ textPayload }) => textPayload === text),
    );
    return performance.now() - beginMs;
  };
  for (const { logPath } of quiet) fs.appendFileSync(logPath, line('start'));
  const agent = startAgentProcess({
    kubelet,
    stateDir: path.join(scratch, 'state'),
    endpoint: emulator.url,
    flags: admin.flags,
    under: withLoopDelay(delayFile),
  });
  const heldUpMs = countHeldUpMs(agent.pid, emulator.pid);
  await until('it is up', async () => (await admin.probe('/livez')) === 200);
  const startMs = await waitFor('start');
  const stop = churn(kubelet.containersDir, crowded.directory);
  fs.appendFileSync(quiet[0]?.logPath ?? '', line('churn'));
  const churnMs = await waitFor('churn');
  fs.appendFileSync(start('new').logPath, line('new'));
  const newPodMs = await waitFor('new');
  await stop();
  const status = await until('it tells of the crowd', async () => {
    const now = await admin.status();
    return now !== undefined && (now.overLimit?.length ?? 0) > 0 ? now : undefined;
  });
  const result = {
    blockedMs: Number(fs.readFileSync(delayFile, 'utf8')),
    quietBlockedMs,
    rssBytes: rssOf(agent.pid),
    startMs,
    churnMs,
    newPodMs,
    heldUpMs: heldUpMs(),
    ready: await admin.probe('/readyz'),
    status,
    log: agent.log,
  };
  await agent.stop();
  return result;
}

/** The command that writes for how long its event loop was blocked to `file`. */
function withLoopDelay(file: string): string[] {
  // A URL, since NODE_OPTIONS ends a path at its first space.
  const preload = new URL('../support/loop-delay.ts', import.meta.url).href;
  return ['env', `LOOP_DELAY_FILE=${file}`, `NODE_OPTIONS=--import=${preload}`];
}

async function blockedOnQuietNode(scratch: string): Promise<number> {
  const kubelet = createFakeKubelet({ root: path.join(scratch, 'log'), seed: 1 });
  const delayFile = path.join(scratch, 'delay');
  const admin = await withAdmin();
  const agent = startAgentProcess({
    kubelet,
    stateDir: path.join(scratch, 'state'),
    endpoint: 'http://127.0.0.1:1',
    flags: admin.flags,
    under: withLoopDelay(delayFile),
  });
  await until('it is up', async () => (await admin.probe('/livez')) === 200);
  await until('it was watched', () => fs.existsSync(delayFile));
  await agent.stop();
  return Number(fs.readFileSync(delayFile, 'utf8'));
}

function fill(containersDir: string, directory: string, crowd: Crowd): void {
  for (let index = 1; index <= crowd.files; index += 1) {
    fs.writeFileSync(path.join(directory, `${index}.log`), line(`file ${index}`));
  }
  for (let index = 0; index < crowd.links; index += 1) {
    // A third leads to its own files, a third nowhere, a third to the same file.
    const target = ['0.log', `${index}.log`, `nowhere/${index}.log`][index % 3] ?? '';
    const id = index.toString(16).padStart(64, '0');
    fs.symlinkSync(
      path.join(directory, target),
      path.join(containersDir, `p${index}_ns_c-${id}.log`),
    );
  }
  const foreign = path.join(directory, 'foreign');
  fs.writeFileSync(foreign, '');
  for (let index = 0; index < crowd.foreign / 2; index += 1) {
    for (const into of [containersDir, directory]) {
      fs.linkSync(foreign, path.join(into, `foreign-name-number-${index}`));
    }
  }
}

/** Changes both directories all the time, until the returned function is called. */
function churn(...directories: readonly string[]): () => Promise<void> {
  let count = 0;
  const clock = setInterval(() => {
    count += 1;
    for (const directory of directories) {
      const name = path.join(directory, `changing-${count % 2}`);
      fs.rmSync(name, { force: true });
      fs.writeFileSync(name, '');
    }
  }, 10);
  return async () => clearInterval(clock);
}
