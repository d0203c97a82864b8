// The one line of log that the agent writes about a minute in which all went well. Invariant: a
// minute in which nothing but that line itself was shipped is not reported, or an idle node would
// keep logging about its own log.

import type { Log } from '../log.ts';

const intervalMs = 60_000;
/** An own line, and one more of a container that says as little. */
const quietLines = 2;

/** The sums that the line is made of. */
export type Sums = {
  readonly lines: number;
  readonly bytes: number;
  readonly entries: number;
  readonly behindBytes: () => number;
};

/** Returns what is to be called often; it logs once a minute at most. `nowMs` is monotonic. */
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
    log.info(
      undefined,
      `shipped ${more.lines} ${more.lines === 1 ? 'line' : 'lines'} in ${seconds} s`,
      fields,
    );
  };
}
