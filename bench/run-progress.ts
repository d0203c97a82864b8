// How far a benchmark is: runs done of those planned, and the time that is left. The scenarios say
// how many runs there will be, and when one is over.

import { createProgress } from '../src/progress.ts';

export type RunProgress = {
  /** So many runs more. */
  readonly plan: (runs: number) => void;
  /** One of them is over. */
  readonly ran: () => void;
  /** Writes a sentence above the progress. */
  readonly say: (sentence: string) => void;
  readonly end: () => void;
};

const drawIntervalMs = 250;
/** A run that takes longer than those before has not ended for that. */
const unendedMax = 0.95;

/** Begins to tell at the first `plan`. On a terminal it is one line, else one each ten seconds. */
export function createRunProgress(name: string): RunProgress {
  const isTerminal = process.stderr.isTTY;
  const progress = createProgress({
    name,
    unit: 'count',
    rate: 'whole',
    writeLine: (line) => console.error(line),
    writeTerminal: isTerminal ? (text) => void process.stderr.write(text) : undefined,
  });
  const startMs = performance.now();
  let planned = 0;
  let done = 0;
  let doneMs = startMs;
  const draw = () => {
    if (planned === 0) return;
    const nowMs = performance.now();
    // Within a run by the time that those before took on the average.
    const runMs = (doneMs - startMs) / done;
    const begun = done === 0 ? 0 : Math.min(unendedMax, (nowMs - doneMs) / runMs);
    const sum = Math.min(planned, done + begun);
    progress.update(sum, planned - sum);
  };
  const timer = setInterval(draw, drawIntervalMs).unref();
  return {
    plan: (runs) => {
      planned += runs;
    },
    ran: () => {
      done += 1;
      doneMs = performance.now();
    },
    say: (sentence) => {
      progress.end();
      console.log(sentence);
    },
    end: () => {
      clearInterval(timer);
      progress.end();
    },
  };
}
