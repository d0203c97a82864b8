// What goes wrong while real containers write: the agent is killed each 5 to 10 s, and the API
// fails for a third of the time.
//
// Invariant: this alone starts and kills the agent. Whatever deletes lines waits for `isCurrent`,
// as no agent can send what was deleted while it was down.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../src/emulator/kubelet/log-lines.ts';
import { pickFault } from '../e2e/chaos-run.ts';
import { until } from '../support/agent-process.ts';
import type { AgentProcess, EmulatorProcess } from '../support/agent-process.ts';
import type { Admin } from '../support/agent-status.ts';

export type TroublesOptions = {
  readonly random: Random;
  readonly emulator: EmulatorProcess;
  readonly admin: Admin;
  readonly start: () => AgentProcess;
  /** Runs before each trouble and holds it up; what it returns runs after it. */
  readonly brace: () => Promise<() => void>;
  readonly note: (text: string) => void;
};

const killMs = { min: 5_000, span: 5_000 };
const downMsMax = 1_000;
const faultMs = { min: 500, span: 2_500 };
/** Less than the age of anything that is deleted. */
const behindSecondsMax = 2;
const stallMs = 60_000;

/** See the file's header. */
export class Troubles {
  readonly counts = { kills: 0, faults: 0 };
  readonly #options: TroublesOptions;
  #agent: AgentProcess;
  #active = 0;

  constructor(options: TroublesOptions) {
    this.#options = options;
    this.#agent = options.start();
  }

  /** Whether the agent has sent everything but the last moments, and nothing keeps it from it. */
  async isCurrent(): Promise<boolean> {
    if (this.#active > 0) return false;
    const { admin } = this.#options;
    const [status, readyz] = await Promise.all([admin.status(), admin.probe('/readyz')]);
    if (status === undefined || readyz !== 200 || this.#active > 0) return false;
    // What it found when it started is behind since then, however old it is.
    const upSeconds = (Date.now() - Date.parse(status.startedAt)) / 1_000;
    const isPastStart = status.entries > 0 && upSeconds > 2 * behindSecondsMax;
    return isPastStart && status.behindSeconds < behindSecondsMax;
  }

  /** Kills and fails until then. */
  async run(endMs: number): Promise<void> {
    await Promise.all([this.#killAgain(endMs), this.#failAgain(endMs)]);
  }

  /** Waits until the emulator holds as many entries, or has got no new one for a while. */
  async settle(entries: number): Promise<number> {
    let before = -1;
    let sinceMs = performance.now();
    const look = async (): Promise<number | undefined> => {
      if (!this.#agent.isRunning()) {
        throw new Error(`the agent ended: ${this.#agent.log.slice(-5).join('\n')}`);
      }
      const { distinctEntries } = await this.#options.emulator.stats();
      if (distinctEntries !== before) sinceMs = performance.now();
      before = distinctEntries;
      const isOver = distinctEntries >= entries || performance.now() - sinceMs > stallMs;
      return isOver ? distinctEntries : undefined;
    };
    return until('everything has arrived', look, { withinMs: 900_000, everyMs: 200 });
  }

  /** SIGTERM; resolves to the agent's exit code. */
  stop(): Promise<number | null> {
    return this.#agent.stop();
  }

  async #killAgain(endMs: number): Promise<void> {
    const { random, note } = this.#options;
    for (;;) {
      await sleep(killMs.min + random.below(killMs.span));
      if (performance.now() > endMs) return;
      await this.#during(async () => {
        await this.#agent.kill();
        this.counts.kills += 1;
        note(`kill ${this.counts.kills}`);
        await sleep(random.below(downMsMax));
        this.#agent = this.#options.start();
      });
    }
  }

  async #failAgain(endMs: number): Promise<void> {
    const { random, emulator, note } = this.#options;
    for (;;) {
      const lengthMs = faultMs.min + random.below(faultMs.span);
      await sleep(lengthMs * 2);
      if (performance.now() > endMs) return;
      await this.#during(async () => {
        const rule = pickFault(random, false);
        note(`fault ${JSON.stringify(rule)} for ${lengthMs} ms`);
        await emulator.setFaults(rule);
        await sleep(lengthMs);
        await emulator.setFaults({});
        this.counts.faults += 1;
      });
    }
  }

  async #during(trouble: () => Promise<void>): Promise<void> {
    const relax = await this.#options.brace();
    this.#active += 1;
    try {
      await trouble();
    } finally {
      this.#active -= 1;
      relax();
    }
  }
}
