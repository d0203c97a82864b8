// Fits the table of `tailship top` into the width of a terminal: headlines wrap, the least useful
// columns are dropped first, and names are cut in the middle, so that the end of a pod's name stays
// visible.

import cliTruncate from 'cli-truncate';
import stringWidth from 'string-width';

export type LayoutColumn = {
  readonly title: string;
  readonly isNumber?: true;
  /** A name is not cut below this many cells; a column is dropped instead. */
  readonly widthMin?: number;
  /** The highest is dropped first; 0 is never dropped. */
  readonly dispensable: number;
};

const gap = '  ';
/** Fewer characters of a name mean nothing, however narrow the terminal is. */
const nameWidthMin = 4;

/** The parts in lines of at most `width` cells; only a part longer than a line is cut. */
export function wrapParts(parts: readonly string[], width?: number): string[] {
  const between = '   ';
  if (width === undefined) return [parts.join(between)];
  const lines: string[] = [];
  let line = '';
  for (const part of parts) {
    const longer = line === '' ? part : line + between + part;
    if (line !== '' && stringWidth(longer) > width) {
      lines.push(line);
      line = part;
    } else {
      line = longer;
    }
  }
  return [...lines, line].map((text) => cutLine(text, width));
}

/** Rows of cells, titles first, as aligned lines of at most `width` cells. */
export function fitTable(
  columns: readonly LayoutColumn[],
  rows: readonly (readonly string[])[],
  width = Number.POSITIVE_INFINITY,
): string[] {
  const natural = columns.map((_, index) =>
    Math.max(...rows.map((row) => stringWidth(row[index] ?? ''))),
  );
  const kept = keptColumns(columns, natural, width);
  const widths = squeezeNames(columns, { natural, kept, width });
  return rows.map((row) => {
    const cells = kept.map((index) => {
      const cell = cutMiddle(row[index] ?? '', widths[index] ?? 0);
      const space = ' '.repeat(Math.max(0, (widths[index] ?? 0) - stringWidth(cell)));
      return columns[index]?.isNumber === true ? space + cell : cell + space;
    });
    return cells.join(gap).trimEnd();
  });
}

function keptColumns(
  columns: readonly LayoutColumn[],
  natural: readonly number[],
  width: number,
): number[] {
  let kept = columns.map((_, index) => index);
  const leastOf = (index: number): number => {
    const wanted = natural[index] ?? 0;
    return Math.min(wanted, columns[index]?.widthMin ?? wanted);
  };
  for (;;) {
    const least = kept.reduce((sum, index) => sum + leastOf(index), gap.length * (kept.length - 1));
    const dispensable = kept.toSorted(
      (left, right) => (columns[right]?.dispensable ?? 0) - (columns[left]?.dispensable ?? 0),
    )[0];
    if (least <= width || dispensable === undefined) return kept;
    if (columns[dispensable]?.dispensable === 0) return kept;
    kept = kept.filter((index) => index !== dispensable);
  }
}

type Squeeze = {
  readonly natural: readonly number[];
  readonly kept: readonly number[];
  readonly width: number;
};

/** Narrows the names, each cell from the one with most to spare. */
function squeezeNames(
  columns: readonly LayoutColumn[],
  { natural, kept, width }: Squeeze,
): number[] {
  const widths = [...natural];
  const names = kept.filter((index) => columns[index]?.isNumber !== true);
  let over = kept.reduce(
    (sum, index) => sum + (widths[index] ?? 0),
    gap.length * (kept.length - 1),
  );
  for (over -= width; over > 0; over -= 1) {
    const spareOf = (index: number): number => {
      const least = columns[index]?.widthMin ?? 0;
      return (widths[index] ?? 0) <= nameWidthMin ? -Infinity : (widths[index] ?? 0) - least;
    };
    const widest = names.toSorted((left, right) => spareOf(right) - spareOf(left))[0];
    if (widest === undefined || spareOf(widest) === -Infinity) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

function cutMiddle(text: string, width: number): string {
  return stringWidth(text) <= width ? text : cliTruncate(text, width, { position: 'middle' });
}

/** At most `columns` cells; an ellipsis shows that there was more. */
export function cutLine(line: string, columns: number): string {
  return cliTruncate(line, columns);
}
