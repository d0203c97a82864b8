// An agent under load whose configuration changes again and again, a third of the times to an
// invalid one. For the fast test and for the slow one, which differ in the number of times.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createFakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import { startAgentProcess, startEmulatorProcess, until } from './agent-process.ts';
import { freePort } from './free-port.ts';
import { expectExactlyOnce } from './verify.ts';

/** Time for what is open for a moment. */
const closeMs = 5_000;

export type ReloadOutcome = {
  readonly accepted: number;
  readonly refused: number;
  /** After the warm-up, and at the end. */
  readonly rssBytes: readonly [number, number];
  readonly openFiles: readonly [number, number];
};

/** Throws when a line is lost, doubled or altered. `warmUp` of the `times` reloads come first. */
export async function reloadUnderLoad(
  root: string,
  { times, warmUp }: { readonly times: number; readonly warmUp: number },
): Promise<ReloadOutcome> {
  const emulator = await startEmulatorProcess();
  const kubelet = createFakeKubelet({ root: path.join(root, 'log'), seed: 8 });
  for (let index = 0; index < 5; index += 1) {
    kubelet.startPod({ namespace: 'ns', pod: `pod-${index}`, containers: ['c'] });
  }
  const port = await freePort();
  const config = path.join(root, 'tailship.yaml');
  writeFileSync(config, 'partialFlushMs: 5000\n');
  const agent = startAgentProcess({
    kubelet,
    stateDir: path.join(root, 'state'),
    endpoint: emulator.url,
    flags: [`--config=${config}`, `--admin-address=127.0.0.1:${port}`],
  });
  for (const container of kubelet.containers) container.writeNext(100);
  await expectExactlyOnce({ kubelet, emulator });
  const counts = { accepted: 0, refused: 0 };
  const told = (result: keyof typeof counts) => reloadCount(port, result);
  await until('the file was looked at', async () => (await told('accepted')) === 1);
  let warm: Usage | undefined;
  for (let round = 1; round <= times; round += 1) {
    const isInvalid = round % 3 === 0;
    const result = isInvalid ? 'refused' : 'accepted';
    const before = await told(result);
    writeFileSync(config, `partialFlushMs: ${isInvalid ? 'never' : 5_000 + round}\n`);
    process.kill(agent.pid, 'SIGHUP');
    for (const container of kubelet.containers) container.writeNext(20);
    // The agent's own clock may find the file first, so some changes are counted twice.
    await until(`reload ${round}`, async () => (await told(result)) > before, { everyMs: 2 });
    counts[result] += 1;
    if (round === warmUp) warm = usageOf(agent.pid);
  }
  await expectExactlyOnce({ kubelet, emulator });
  const warmFiles = warm?.openFiles ?? 0;
  // Connections and listings may be open for a moment longer; what leaks stays.
  await until('what was opened is closed', () => usageOf(agent.pid).openFiles <= warmFiles, {
    withinMs: closeMs,
  }).catch(() => undefined);
  const after = usageOf(agent.pid);
  const refusals = agent.log.filter((line) => line.includes('stays as it was'));
  if (refusals.length === 0) throw new Error('no refusal was logged');
  if ((await agent.stop()) !== 0) throw new Error(agent.log.slice(-5).join('\n'));
  return {
    ...counts,
    rssBytes: [warm?.rssBytes ?? 0, after.rssBytes],
    openFiles: [warm?.openFiles ?? 0, after.openFiles],
  };
}

type Usage = { readonly rssBytes: number; readonly openFiles: number };

async function reloadCount(port: number, result: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const pattern = new RegExp(`^tailship_config_reloads_total\\{result="${result}"\\} (\\d+)$`, 'm');
  return Number(pattern.exec(text)?.[1]);
}

function usageOf(pid: number): Usage {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const rssBytes = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
  return { rssBytes, openFiles: readdirSync(`/proc/${pid}/fd`).length };
}
