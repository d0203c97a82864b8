// How far a long piece of work is: percentage, rate, time left.
//
// Invariant: on a terminal it is one line that is drawn again, elsewhere a line each ten seconds,
// so that it is no flood in a log. It never writes to stdout, which belongs to results.

import { bytesText, countText, durationText } from './number-text.ts';

export type ProgressSink = {
  /** Writes a line below those before it. */
  readonly writeLine: (line: string) => void;
  /** Writes text to a terminal unchanged; undefined without one. */
  readonly writeTerminal?: ((text: string) => void) | undefined;
};

export type Progress = {
  /** Reports what is done and left, in the unit of the work. Call it often. */
  readonly update: (done: number, left: number) => void;
  /** Removes the line. */
  readonly end: () => void;
};

type ProgressOptions = ProgressSink & {
  /** The name of the work: `shipping`. */
  readonly name: string;
  readonly unit?: 'bytes' | 'count';
  /** The rate of the last seconds, or since the start, for work in steps. */
  readonly rate?: 'recent' | 'whole';
  /** Monotonic, milliseconds; `performance.now` unless a test sets it. */
  readonly nowMs?: () => number;
};

/** How often `update` is worth calling. */
export const terminalIntervalMs = 250;
export const lineIntervalMs = 10_000;
/** The rate covers about this time. */
const horizonSeconds = 5;
const clearLine = '\r\u001b[2K';

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
      // The cursor returns to the start, where other output then begins.
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
