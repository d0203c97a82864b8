// When the last tick was, how late ticks come, and how much CPU the main thread spends in each
// stage. It costs three readings of a clock per tick and no wake-up of its own.

import { threadCpuUsage } from 'node:process';

/** The longest delay is of the current and the previous window. */
const lagWindowMs = 15_000;

/** What a tick does on the main thread. */
type TickStage = 'tail' | 'commit';

export type Heartbeat = ReturnType<typeof createHeartbeat>;

/** For ticks that should begin `intervalMs` apart. */
export function createHeartbeat(intervalMs: number, nowMs = () => performance.now()) {
  const cpuMicrosByStage = { tail: 0, commit: 0 };
  let tickedAtMs = nowMs();
  let savedAtMs = tickedAtMs;
  let windowAtMs = tickedAtMs;
  let lagMs = 0;
  let lagBeforeMs = 0;
  let markMicros = 0;
  return {
    /** A tick begins. */
    begin: () => {
      const atMs = nowMs();
      if (atMs - windowAtMs >= lagWindowMs) {
        [lagBeforeMs, lagMs, windowAtMs] = [lagMs, 0, atMs];
      }
      lagMs = Math.max(lagMs, atMs - tickedAtMs - intervalMs);
      tickedAtMs = atMs;
      markMicros = cpuMicros();
    },
    /** Charges the CPU time since `begin` or the last `spent` to this stage. */
    spent: (stage: TickStage) => {
      const micros = cpuMicros();
      cpuMicrosByStage[stage] += micros - markMicros;
      markMicros = micros;
    },
    /** The positions are saved. */
    saved: () => {
      savedAtMs = nowMs();
    },
    read: () => ({
      tickAgeMs: nowMs() - tickedAtMs,
      /** Since the positions were last saved, or found unchanged. */
      savedAgeMs: nowMs() - savedAtMs,
      /** The longest delay of a tick in the last 15 to 30 seconds. */
      lagMs: Math.max(lagMs, lagBeforeMs),
      cpuMicrosByStage,
      /** Of the calling thread. */
      mainCpuMicros: cpuMicros(),
    }),
  };
}

function cpuMicros(): number {
  const { user, system } = threadCpuUsage();
  return user + system;
}
