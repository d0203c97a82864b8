// How far a long piece of work is: percentage, rate, time left.
//
// Invariant: on a terminal it is one line that is drawn again, elsewhere a line each ten seconds,
// so that it is no flood in a log. It never writes to stdout, which belongs to results.

import { bytesText, countText, durationText } from './number-text.ts';

export type ProgressSink = {
  /** Writes one line, with its end; never over what is above. */
  readonly writeLine: (line: string) => void;
  /** Writes text as it is to a terminal; undefined where there is none. */
  readonly writeTerminal?: ((text: string) => void) | undefined;
};

export type Progress = {
  /** What is done and what is left so far, in the unit of the work. Call it often. */
  readonly update: (done: number, left: number) => void;
  /** Takes the line away. */
  readonly end: () => void;
};

type ProgressOptions = ProgressSink & {
  /** What is being done: `shipping`. */
  readonly name: string;
  readonly unit?: 'bytes' | 'count';
  /** Of about the last seconds, or of all since the start, for work that goes in steps. */
  readonly rate?: 'recent' | 'whole';
  /** Monotonic, milliseconds; `performance.now` unless a test sets it. */
  readonly nowMs?: () => number;
};

/** How often it is worth calling `update`. */
export const terminalIntervalMs = 250;
export const lineIntervalMs = 10_000;
/** The rate is that of about this time. */
const horizonSeconds = 5;
const clearLine = '\r\u001b[2K';

/** Progress of one piece of work that begins now. */
export function createProgress(options: ProgressOptions): Progress {
  const { writeLine, writeTerminal, rate = 'recent', nowMs = () => performance.now() } = options;
  const intervalMs = writeTerminal === undefined ? lineIntervalMs : terminalIntervalMs;
  let toldAtMs = nowMs();
  let before: { atMs: number; done: number } | undefined;
  let perSecond = 0;
  return {
    update: (done, left) => {
      const atMs = nowMs();
      before ??= { atMs, done };
      if (atMs - toldAtMs < intervalMs) return;
      const seconds = (atMs - before.atMs) / 1_000;
      if (seconds > 0) {
        const isFirst = perSecond === 0 || rate === 'whole';
        const weight = isFirst ? 1 : 1 - Math.exp(-seconds / horizonSeconds);
        perSecond += weight * ((done - before.done) / seconds - perSecond);
      }
      if (rate === 'recent') before = { atMs, done };
      toldAtMs = atMs;
      const text = progressText(options, { done, left, perSecond });
      // The cursor goes back, so that whatever else is written begins at the line's start.
      if (writeTerminal === undefined) writeLine(text);
      else writeTerminal(`${clearLine}${text}\r`);
    },
    end: () => writeTerminal?.(clearLine),
  };
}

type Figures = { readonly done: number; readonly left: number; readonly perSecond: number };

function progressText(
  { name, unit = 'bytes' }: Pick<ProgressOptions, 'name' | 'unit'>,
  { done, left, perSecond }: Figures,
): string {
  const amount = unit === 'bytes' ? bytesText : countText;
  const total = done + left;
  // Rounded down, so that 100 % is not shown too early.
  const percent = total === 0 ? 100 : Math.floor((done / total) * 100);
  const time = perSecond > 0 ? `${durationText(left / perSecond)} left` : 'time left unknown';
  const isSlow = unit === 'count' && perSecond > 0 && perSecond < 1;
  const pace = isSlow ? `${durationText(1 / perSecond)} each` : `${amount(perSecond)}/s`;
  const parts = [`${percent} %`, `${amount(done)} of ${amount(total)}`, pace];
  return `${name}  ${[...parts, left === 0 ? 'done' : time].join('  ')}`;
}
