// The few numbers the reports are made of: medians with their spread, never means.

/** Middle value; the mean of the two middle ones for an even count. Throws on an empty list. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  if (upper === undefined || lower === undefined) throw new Error('the median of nothing');
  return (lower + upper) / 2;
}

/** The value below which `share` of the sorted values lie, between two of them if need be. */
function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const lower = sorted[Math.floor(at)] ?? Number.NaN;
  const upper = sorted[Math.ceil(at)] ?? Number.NaN;
  return lower + (upper - lower) * (at - Math.floor(at));
}

/** The values of several rounds. */
export type Spread = {
  readonly median: number;
  /** The quartiles: half of the values lie between them. */
  readonly low: number;
  readonly high: number;
  /** From quartile to quartile, as a part of the median. */
  readonly width: number;
  /** In the order of the rounds. */
  readonly each: readonly number[];
};

/** Throws on an empty list. */
export function spreadOf(each: readonly number[]): Spread {
  const sorted = each.toSorted((a, b) => a - b);
  const middle = median(each);
  const [low, high] = [quantile(sorted, 0.25), quantile(sorted, 0.75)];
  return { median: middle, low, high, width: (high - low) / Math.abs(middle), each };
}

/** Median and quartiles, `4.9 (4.8–5.1)`; a dash when there are none. */
export function digitsOf(spread: Spread | undefined, count: number): string {
  if (spread === undefined) return '–';
  const [middle, low, high] = [spread.median, spread.low, spread.high];
  return `${digits(middle, count)} (${digits(low, count)}–${digits(high, count)})`;
}

/** `value` with so many digits after the point, or a dash when there is none. */
export function digits(value: number | undefined, count: number): string {
  return value === undefined || Number.isNaN(value) ? '–' : value.toFixed(count);
}

/** A Markdown table; the first row is the head. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows;
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = `|${head.map((_, index) => (index < 1 ? '---' : '---:')).join('|')}|`;
  return [line(head), rule, ...body.map(line)].join('\n');
}
