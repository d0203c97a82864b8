// The CPU time of the agent by stage.
//
// Invariant: no stage ever falls. What encoders spend counts as `other` until their task answers,
// so the sum may exceed the time of the process for a while.

import { cpuUsage } from 'node:process';

type Spent = {
  readonly heartbeat: {
    readonly read: () => {
      readonly cpuMicrosByStage: Readonly<Record<'tail' | 'commit', number>>;
      readonly mainCpuMicros: number;
    };
  };
  readonly pipeline: { readonly totals: { readonly drainCpuMicros: number } };
  readonly discovery: { readonly counters?: { readonly cpuMicros: number } } | undefined;
};

/** Time that belongs to no stage is `main` or `other`. */
export function cpuSecondsByStage(
  { heartbeat, pipeline, discovery }: Spent,
  admin: number,
  rising: Rising,
): Record<string, number> {
  const { cpuMicrosByStage, mainCpuMicros } = heartbeat.read();
  const { tail, commit } = cpuMicrosByStage;
  const discover = discovery?.counters?.cpuMicros ?? 0;
  const drain = pipeline.totals.drainCpuMicros;
  const { user, system } = cpuUsage();
  const main = Math.max(0, mainCpuMicros - discover - tail - commit - admin);
  const other = Math.max(0, user + system - drain - mainCpuMicros);
  const micros = { discover, tail, drain, commit, admin, main, other };
  return Object.fromEntries(
    Object.entries(micros).map(([stage, value]) => [stage, rising(`cpu ${stage}`, value) / 1e6]),
  );
}

/**
 * Returns the largest value so far for this name. Prometheus takes a falling counter for a restart,
 * and counts the whole sum again.
 */
export type Rising = (name: string, value: number) => number;

export function createRising(): Rising {
  const most = new Map<string, number>();
  return (name, value) => {
    const risen = Math.max(value, most.get(name) ?? value);
    most.set(name, risen);
    return risen;
  };
}
