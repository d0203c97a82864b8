// The line that the agent logs once a minute about what it has shipped. Invariant: a minute in
// which only that line itself was shipped is not reported, or an idle node would log about its own
// log for as long as it runs.

import type { Log } from '../log.ts';

const intervalMs = 60_000;
/** Its own line and one other. */
const quietLines = 2;

type Sums = {
  readonly lines: number;
  readonly bytes: number;
  readonly entries: number;
  readonly behindBytes: () => number;
};

/** Call the result often; it logs once a minute at most. `nowMs` is monotonic. */
export function createSummaryLog(log: Log, nowMs = () => performance.now()): (sums: Sums) => void {
  let atMs = nowMs();
  let before = { lines: 0, bytes: 0, entries: 0 };
  return ({ lines, bytes, entries, behindBytes }) => {
    const passedMs = nowMs() - atMs;
    if (passedMs < intervalMs) return;
    const seconds = Math.round(passedMs / 1_000);
    const more = {
      lines: lines - before.lines,
      bytes: bytes - before.bytes,
      entries: entries - before.entries,
    };
    atMs = nowMs();
    before = { lines, bytes, entries };
    if (more.lines <= quietLines) return;
    const fields = { ...more, behindBytes: behindBytes(), seconds };
    const noun = more.lines === 1 ? 'line' : 'lines';
    log.info(undefined, `shipped ${more.lines} ${noun} in ${seconds} s`, fields);
  };
}
