// A ring of samples of the last quarter of an hour, for the plots of the page. Counters are kept as
// sums and the page takes the differences, so that a late sample does not distort a rate.

/** The columns of a sample, in order. Sums count from the start of the agent. */
export const historyNames = [
  /** Milliseconds since the epoch. */
  'atMs',
  /** Written. */
  'writtenLines',
  'writtenBytes',
  /** Taken into request bodies. */
  'lines',
  'bytes',
  'entries',
  /** Entries that are ERROR or above. */
  'errors',
  'lostBytes',
  'behindBytes',
  'behindSeconds',
  'inFlightBytes',
  /** Requests that were not answered with 200. */
  'failedRequests',
  'deadLettered',
  'cpuSeconds',
  'rssBytes',
] as const;

export type HistoryName = (typeof historyNames)[number];
export type Sample = Readonly<Record<HistoryName, number>>;

/** Columns of equal length, oldest first. */
export type HistoryColumns = Readonly<Record<HistoryName, readonly number[]>>;

export const historyIntervalMs = 5_000;
export const historySamplesMax = 180;

export type History = ReturnType<typeof createHistory>;

/** Memory: 120 bytes a sample. */
export function createHistory(samplesMax = historySamplesMax) {
  const width = historyNames.length;
  const ring = new Float64Array(samplesMax * width);
  let count = 0;
  return {
    add: (sample: Sample) => {
      const start = (count % samplesMax) * width;
      for (const [at, name] of historyNames.entries()) ring[start + at] = sample[name];
      count += 1;
    },
    /** The samples after this time. */
    after: (afterMs: number): HistoryColumns => {
      const rows: number[] = [];
      for (let index = Math.max(0, count - samplesMax); index < count; index += 1) {
        const start = (index % samplesMax) * width;
        // The reader's time is rounded, too.
        if (rounded(ring[start] ?? 0) > afterMs) rows.push(start);
      }
      const column = (at: number): number[] => rows.map((start) => rounded(ring[start + at] ?? 0));
      const columns = historyNames.map((name, at) => [name, column(at)] as const);
      return Object.fromEntries(columns) as unknown as HistoryColumns;
    },
  };
}

/** Three decimals are enough for a plot, and half the bytes. */
function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
