// Writes synthetic lines at a given rate, cheaply enough to run beside the agent that is being
// measured.
//
// Invariant: pacing is by absolute time, so the number of lines after t seconds is rate × t,
// whatever the timer does; a writer that falls behind says so in `lateMs` and catches up.

import { setTimeout as sleep } from 'node:timers/promises';
import type { FakeContainer } from './fake-container.ts';

export type PacedWriteOptions = {
  /** In all containers together. */
  readonly linesPerSecond: number;
  readonly seconds: number;
  /** Looked up at each tick, so containers may come and go; they take turns line by line. */
  readonly containers: () => readonly FakeContainer[];
  /** Milliseconds between two rounds of writes, default 10: a wake-up costs 0.2 ms of CPU. */
  readonly tickMs?: number;
  /** Rotates a live file of this size, checked every `rotateCheckMs`; default is never. */
  readonly rotateBytes?: number;
  /** As `containerLogMonitorInterval`, default 10,000. */
  readonly rotateCheckMs?: number;
  readonly signal?: AbortSignal;
};

export type PacedWriteResult = {
  readonly lines: number;
  readonly seconds: number;
  readonly rotations: number;
  /** The furthest that writing fell behind, milliseconds. */
  readonly lateMs: number;
};

/** Writes for the given time or until the signal; throws what a write or a rotation throws. */
export async function writeAtRate(options: PacedWriteOptions): Promise<PacedWriteResult> {
  const tickMs = options.tickMs ?? 10;
  const total = Math.round(options.linesPerSecond * options.seconds);
  const startMs = performance.now();
  const rotator = createRotator(options, startMs);
  let lines = 0;
  let turn = 0;
  let lateMs = 0;
  while (lines < total && options.signal?.aborted !== true) {
    const elapsedMs = performance.now() - startMs;
    const due = Math.min(Math.floor((elapsedMs * options.linesPerSecond) / 1_000), total);
    lateMs = Math.max(lateMs, ((due - lines) * 1_000) / options.linesPerSecond - tickMs);
    turn = writeRound(options.containers(), due - lines, turn);
    lines = due;
    rotator.look();
    const waitMs = tickMs - (performance.now() - startMs - elapsedMs);
    if (lines < total) await sleep(Math.max(waitMs, 0));
  }
  await rotator.finished();
  return {
    lines,
    seconds: (performance.now() - startMs) / 1_000,
    rotations: rotator.count(),
    lateMs,
  };
}

/** Gives each container its share of `count` lines, from `turn` on; returns the next turn. */
function writeRound(containers: readonly FakeContainer[], count: number, turn: number): number {
  const share = Math.floor(count / containers.length);
  const rest = count - share * containers.length;
  for (const [index, container] of containers.entries()) {
    const turnIndex = (index - turn + containers.length * 2) % containers.length;
    const own = share + (turnIndex < rest ? 1 : 0);
    if (own > 0 && container.isRunning) container.writeNext(own);
  }
  return containers.length === 0 ? 0 : (turn + rest) % containers.length;
}

type Rotator = { look(): void; count(): number; finished(): Promise<void> };

function createRotator(options: PacedWriteOptions, startMs: number): Rotator {
  const { rotateBytes } = options;
  const checkMs = options.rotateCheckMs ?? 10_000;
  let nextMs = startMs + checkMs;
  let rotations = 0;
  let running: Promise<void> | undefined;
  let failure: Error | undefined;

  /** One container after the other, like the kubelet's single worker. */
  async function rotateAll(bytesMax: number): Promise<void> {
    for (const container of options.containers()) {
      if (!container.isRunning || container.fileBytes < bytesMax) continue;
      await container.rotate();
      rotations += 1;
    }
  }

  return {
    look() {
      if (failure !== undefined) throw failure;
      if (rotateBytes === undefined || running !== undefined || performance.now() < nextMs) return;
      nextMs += checkMs;
      running = rotateAll(rotateBytes)
        .catch((error: unknown) => {
          failure =
            error instanceof Error ? error : new Error('a rotation failed', { cause: error });
        })
        .finally(() => {
          running = undefined;
        });
    },
    count: () => rotations,
    async finished() {
      await running;
      if (failure !== undefined) throw failure;
    },
  };
}
