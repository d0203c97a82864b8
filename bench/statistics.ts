// The few numbers the reports are made of. Called by the scenarios and the record.

/** Middle value; the mean of the two middle ones for an even count. Throws on an empty list. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  if (upper === undefined || lower === undefined) throw new Error('the median of nothing');
  return (lower + upper) / 2;
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
