// The two drawings of a report as SVG text: cores over lines a second, one line an agent, and bars
// of what one line costs. Nothing behind them and middle tones only, so that they can be read on
// white and on black.

const ink = '#7a828e';
const grid = '#8b949e33';
const accent = '#e5484d';
const tones = ['#3e8fd6', '#2a9d78', '#b0792b', '#8e6bd0', '#c2569b', '#5f8f2f', '#5b7fa6'];
const font = "ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif";

function escapeXml(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

type TextPlace = { readonly x: number; readonly y: number; readonly rest?: string };

function label(words: string, { x, y, rest = '' }: TextPlace): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" fill="${ink}" ${rest}>${escapeXml(words)}</text>`;
}

function rule(from: readonly [number, number], to: readonly [number, number]): string {
  const [[x1, y1], [x2, y2]] = [from, to];
  return `<path d="M${x1.toFixed(1)} ${y1.toFixed(1)}L${x2.toFixed(1)} ${y2.toFixed(1)}" stroke="${grid}"/>`;
}

type Frame = { readonly width: number; readonly height: number; readonly title: string };

function picture({ width, height, title }: Frame, subtitle: string, parts: string[]): string {
  const head = [
    label(title, { x: 16, y: 28, rest: 'font-size="16" font-weight="650"' }),
    label(subtitle, { x: 16, y: 48, rest: 'font-size="12"' }),
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}"` +
      ` height="${height}" role="img" font-family="${font}" font-size="12">`,
    `<title>${escapeXml(title)}</title>`,
    ...head,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

/** Four significant digits at most, without an exponent. */
export function shortNumber(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export type Bar = { readonly label: string; readonly value: number; readonly isOurs: boolean };

/**
 * Bars from the cheapest to the dearest on a logarithmic scale, because they lie up to a thousand
 * times apart; the value and its multiple of ours are beside each.
 */
export function drawBars(title: string, unit: string, bars: readonly Bar[]): string {
  const sorted = bars.filter(({ value }) => value > 0).toSorted((a, b) => a.value - b.value);
  const [left, right, top, step] = [168, 132, 76, 30];
  const width = 760;
  const height = top + sorted.length * step + 40;
  const least = 10 ** Math.floor(Math.log10(Math.min(...sorted.map(({ value }) => value))));
  const most = 10 ** Math.ceil(Math.log10(Math.max(...sorted.map(({ value }) => value)) * 1.01));
  const x = (value: number) =>
    left + (Math.log10(value / least) / Math.log10(most / least)) * (width - left - right);
  const ours = sorted.find(({ isOurs }) => isOurs)?.value;
  const bottom = top + sorted.length * step;
  const parts: string[] = [];
  for (let tick = least; tick <= most * 1.01; tick *= 10) {
    parts.push(rule([x(tick), top - 8], [x(tick), bottom]));
    const words = String(Number(tick.toPrecision(1)));
    parts.push(label(words, { x: x(tick), y: bottom + 18, rest: 'text-anchor="middle"' }));
  }
  for (const [index, bar] of sorted.entries()) {
    const y = top + index * step;
    const fill = bar.isOurs ? accent : '#6f8fb3';
    const weight = bar.isOurs ? 'font-weight="700"' : '';
    const length = Math.max(2, x(bar.value) - left);
    const times = ours === undefined || bar.isOurs ? '' : `  ·  ${shortNumber(bar.value / ours)} ×`;
    parts.push(
      `<rect x="${left}" y="${y}" width="${length.toFixed(1)}" height="18" rx="3" fill="${fill}"/>`,
      label(bar.label, { x: left - 10, y: y + 13.5, rest: `text-anchor="end" ${weight}` }),
      label(shortNumber(bar.value) + times, { x: left + length + 8, y: y + 13.5, rest: weight }),
    );
  }
  return picture({ width, height, title }, `${unit}, logarithmic; × is of tailship`, parts);
}

export type Curve = {
  readonly label: string;
  readonly isOurs: boolean;
  /** Sorted by x. */
  readonly points: readonly { readonly x: number; readonly y: number }[];
};

/** Moves labels apart that would cover each other, in the order of their places. */
export function spreadLabels(wanted: readonly number[], gap: number, lowest: number): number[] {
  const order = wanted.map((y, index) => ({ y, index })).toSorted((a, b) => b.y - a.y);
  const placed: number[] = [];
  let limit = lowest;
  for (const { y, index } of order) {
    placed[index] = Math.min(y, limit);
    limit = (placed[index] ?? 0) - gap;
  }
  return placed;
}

/** Cores over lines a second, one curve an agent with its name at its end. */
export function drawCurves(title: string, curves: readonly Curve[]): string {
  const [width, height] = [760, 440];
  const [left, right, top, bottom] = [56, 150, 72, height - 48];
  const points = curves.flatMap((curve) => curve.points);
  const xMax = Math.max(...points.map((point) => point.x));
  const yMax = Math.ceil(Math.max(...points.map((point) => point.y)) * 4 + 0.2) / 4;
  const x = (value: number) => left + (value / xMax) * (width - left - right);
  const y = (value: number) => bottom - (value / yMax) * (bottom - top);
  const parts: string[] = [];
  const yStep = yMax > 1.5 ? 0.5 : 0.25;
  for (let tick = 0; tick <= yMax + 1e-9; tick += yStep) {
    parts.push(rule([left, y(tick)], [width - right, y(tick)]));
    const rest = 'text-anchor="end"';
    parts.push(label(tick === 0 ? '0' : tick.toFixed(2), { x: left - 8, y: y(tick) + 4, rest }));
  }
  for (const tick of new Set([0, ...points.map((point) => point.x)])) {
    const rest = 'text-anchor="middle"';
    parts.push(label(tick.toLocaleString('en'), { x: x(tick), y: bottom + 18, rest }));
  }
  const middle = (left + width - right) / 2;
  parts.push(label('lines/s', { x: middle, y: bottom + 38, rest: 'text-anchor="middle"' }));
  const ends = curves.map((curve) => y(curve.points.at(-1)?.y ?? 0));
  const labels = spreadLabels(ends, 15, bottom);
  for (const [index, curve] of curves.entries()) {
    const stroke = curve.isOurs ? accent : (tones[index % tones.length] ?? ink);
    const path = curve.points.map(
      (at, i) => `${i ? 'L' : 'M'}${x(at.x).toFixed(1)} ${y(at.y).toFixed(1)}`,
    );
    const wide = curve.isOurs ? 3.5 : 1.75;
    const look = `fill="none" stroke="${stroke}" stroke-width="${wide}" stroke-linejoin="round"`;
    const end = width - right;
    parts.push(`<path d="${path.join('')}" ${look}/>`);
    for (const at of curve.points) {
      parts.push(
        `<circle cx="${x(at.x).toFixed(1)}" cy="${y(at.y).toFixed(1)}" r="${wide + 0.75}" fill="${stroke}"/>`,
      );
    }
    const labelY = labels[index] ?? 0;
    parts.push(
      `<path d="M${end + 6} ${(ends[index] ?? 0).toFixed(1)}L${end + 16} ${labelY.toFixed(1)}" ${look} opacity="0.6"/>`,
      `<text x="${end + 21}" y="${(labelY + 4).toFixed(1)}" fill="${stroke}" font-weight="${curve.isOurs ? 700 : 400}">${escapeXml(curve.label)}</text>`,
    );
  }
  return picture({ width, height, title }, 'cores in use, user and system, all processes', parts);
}
