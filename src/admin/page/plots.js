// The plots of the last minutes, up to a quarter of an hour, drawn with uPlot (a global of its
// script): of the agent, and of one workload.
//
// Rates are the differences of two samples divided by the time between them.

import { timeText } from './clock.js';
import { bytesText, countText, durationText, shareText } from './numbers.js';

/** The axis is the shortest that holds all samples: 1, 5 or 15 minutes. */
const windowsSeconds = [60, 300, 900];

/**
 * @typedef {Record<string, number[]>} Columns samples of the agent, columns of equal length
 * `least` is the lowest upper end of the axis, so that small values look small.
 * @typedef {{ name: string, color: string, values: (columns: Columns) => (number | null)[] }} Line
 * The first of the lines is filled, and named only where there are others.
 * @typedef {{ title: string, least: number, steps?: number[],
 *   text: (value: number) => string, lines: readonly Line[] }} PlotKind
 */

/** @type {readonly PlotKind[]} */
const kinds = [
  {
    title: 'Lines',
    least: 10,
    text: (value) => `${countText(value)}/s`,
    lines: [
      { name: 'written', color: '--blue', values: (columns) => rates(columns, 'writtenLines') },
      { name: 'shipped', color: '--amber', values: (columns) => rates(columns, 'lines') },
    ],
  },
  {
    title: 'Bytes',
    least: 1000,
    text: (value) => `${bytesText(value)}/s`,
    lines: [
      { name: 'written', color: '--teal', values: (columns) => rates(columns, 'writtenBytes') },
      { name: 'shipped', color: '--amber', values: (columns) => rates(columns, 'bytes') },
    ],
  },
  {
    title: 'CPU per line',
    least: 1,
    text: (value) => `${value < 9.95 ? value.toFixed(1) : countText(value)} µs`,
    lines: [
      {
        name: '',
        color: '--green',
        values: (columns) => quotients(columns, 'cpuSeconds', 'lines', 1e6),
      },
    ],
  },
  {
    title: 'Lag',
    least: 2,
    steps: [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400],
    text: durationText,
    lines: [{ name: '', color: '--amber', values: (columns) => columns['behindSeconds'] ?? [] }],
  },
  {
    title: 'In flight',
    least: 100_000,
    text: bytesText,
    lines: [{ name: '', color: '--violet', values: (columns) => columns['inFlightBytes'] ?? [] }],
  },
  {
    title: 'Failed requests',
    least: 1,
    text: (value) => `${countText(value)}/s`,
    lines: [{ name: '', color: '--red', values: (columns) => rates(columns, 'failedRequests') }],
  },
  {
    title: 'Errors',
    least: 0.05,
    text: shareText,
    lines: [
      { name: '', color: '--red', values: (columns) => quotients(columns, 'errors', 'entries', 1) },
    ],
  },
  {
    title: 'Lost',
    least: 1000,
    text: (value) => `${bytesText(value)}/s`,
    lines: [{ name: '', color: '--red', values: (columns) => rates(columns, 'lostBytes') }],
  },
];

/**
 * Per second, between a sample and the one before.
 * @param {Columns} columns
 * @param {string} name
 */
function rates(columns, name) {
  const sums = columns[name] ?? [];
  const times = columns['atMs'] ?? [];
  return sums.map((sum, at) => {
    if (at === 0) return null;
    const seconds = ((times[at] ?? 0) - (times[at - 1] ?? 0)) / 1000;
    return seconds <= 0 ? null : Math.max(0, sum - (sums[at - 1] ?? 0)) / seconds;
  });
}

/**
 * How much of one sum there was for each of another.
 * @param {Columns} columns @param {string} of @param {string} per @param {number} factor
 */
function quotients(columns, of, per, factor) {
  const tops = columns[of] ?? [];
  const bottoms = columns[per] ?? [];
  return tops.map((top, at) => {
    const count = (bottoms[at] ?? 0) - (bottoms[at - 1] ?? 0);
    return at === 0 || count <= 0 ? null : ((top - (tops[at - 1] ?? 0)) * factor) / count;
  });
}

/** @param {string} name of a colour in base.css */
function colorOf(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

class Plot {
  /** @readonly */
  #kind;
  /** The time under the cursor, beside it. @readonly */
  #time;
  /** @readonly */
  #area;
  /** @readonly */
  #output;
  /** @type {any} */
  #chart;
  /** Of each line. @type {(number | null)[][]} */
  #values = [];
  /** @type {number[]} */
  #times = [];

  /** @param {PlotKind} kind @param {HTMLElement} parent @param {'h2' | 'h4'} level */
  constructor(kind, parent, level) {
    this.#kind = kind;
    const figure = document.createElement('article');
    figure.className = 'plot';
    const header = document.createElement('header');
    const title = document.createElement(level);
    title.textContent = kind.title;
    this.#time = document.createElement('time');
    this.#output = document.createElement('output');
    this.#area = document.createElement('div');
    this.#area.className = 'area';
    header.append(title, this.#output);
    this.#area.append(this.#time);
    figure.append(header, this.#area);
    parent.append(figure);
    new ResizeObserver(() => this.#resize()).observe(this.#area);
  }

  /** @param {Columns} columns */
  show(columns) {
    this.#times = (columns['atMs'] ?? []).map((ms) => ms / 1000);
    this.#values = this.#kind.lines.map(({ values }) => values(columns));
    if (this.#chart === undefined) this.redraw();
    else this.#chart.setData([this.#times, ...this.#values]);
    this.#tell(this.#chart.cursor.idx);
  }

  /** Draws the chart again, in the current colours. */
  redraw() {
    this.#chart?.destroy();
    const { clientWidth: width, clientHeight: height } = this.#area;
    const faint = colorOf('--faint');
    const grid = { stroke: colorOf('--line-soft'), width: 1 };
    const axis = {
      stroke: faint,
      grid,
      ticks: { show: false },
      font: '11px system-ui, sans-serif',
    };
    const text = this.#kind.text;
    const options = {
      width,
      height,
      padding: [6, 18, 0, 0],
      legend: { show: false },
      cursor: {
        sync: { key: 'plots' },
        y: false,
        drag: { x: false, y: false },
        points: { size: 7 },
      },
      scales: {
        x: { range: () => [this.#lastTime() - this.#windowSeconds(), this.#lastTime()] },
        y: {
          range: (
            /** @type {any} */ _chart,
            /** @type {number} */ _min,
            /** @type {number} */ max,
          ) => [0, Math.max(max * 1.1, this.#kind.least)],
        },
      },
      axes: [
        {
          ...axis,
          size: 22,
          space: 70,
          grid: { show: false },
          values: (/** @type {any} */ _chart, /** @type {number[]} */ ticks) =>
            ticks.map((tick) =>
              this.#windowSeconds() > 60 ? timeText(tick).slice(0, 5) : timeText(tick),
            ),
        },
        {
          ...axis,
          size: 58,
          space: 34,
          values: (/** @type {any} */ _chart, /** @type {number[]} */ ticks) =>
            ticks.map((tick) => (tick === 0 ? '0' : text(tick))),
          ...(this.#kind.steps && { incrs: this.#kind.steps }),
        },
      ],
      series: [
        {},
        ...this.#kind.lines.map((line, at) => ({
          stroke: colorOf(line.color),
          width: 1.6,
          ...(at === 0 && { fill: `${colorOf(line.color)}22` }),
          points: { show: false },
          spanGaps: false,
        })),
      ],
      hooks: { setCursor: [(/** @type {any} */ chart) => this.#tell(chart.cursor.idx)] },
    };
    // @ts-expect-error: uPlot is a global of uplot.js.
    this.#chart = new uPlot(options, [this.#times, ...this.#values], this.#area);
  }

  #windowSeconds() {
    const span = this.#lastTime() - (this.#times[0] ?? 0);
    return windowsSeconds.find((seconds) => span <= seconds) ?? 900;
  }

  #lastTime() {
    return this.#times.at(-1) ?? Date.now() / 1000;
  }

  /** Its samples in the current time zone. */
  retell() {
    this.#chart?.redraw(false, true);
    this.#tell(null);
  }

  /** The value under the cursor, or the newest. @param {number | null | undefined} index */
  #tell(index) {
    const at = index ?? this.#times.length - 1;
    const { lines, text } = this.#kind;
    const parts = lines.map(({ name, color }, line) => {
      const value = this.#values[line]?.[at];
      const part = document.createElement('span');
      if (lines.length > 1) part.style.color = colorOf(color);
      part.textContent = [name, value == null ? '–' : text(value)].filter(Boolean).join(' ');
      return part;
    });
    this.#output.replaceChildren(...parts.flatMap((part) => [part, ' ']));
    this.#time.textContent = index == null ? '' : timeText(this.#times[at] ?? 0);
    if (index != null) this.#placeTime();
  }

  #placeTime() {
    const { left, width } = this.#chart.bbox;
    const x = left / devicePixelRatio + this.#chart.cursor.left;
    const isLeft = x > (left + width / 2) / devicePixelRatio;
    this.#time.style.left = `${x}px`;
    this.#time.className = isLeft ? 'left' : '';
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.#area;
    if (this.#chart === undefined || width === 0) return;
    if (width !== this.#chart.width || height !== this.#chart.height) {
      this.#chart.setSize({ width, height });
    }
  }
}

/**
 * Makes plots of these titles, all if there are none.
 * @param {HTMLElement} parent @param {readonly string[]} [titles] @param {'h2' | 'h4'} [level]
 */
export function createPlots(parent, titles, level = 'h2') {
  const shown = kinds.filter(({ title }) => titles === undefined || titles.includes(title));
  const plots = shown.map((kind) => new Plot(kind, parent, level));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    for (const plot of plots) plot.redraw();
  });
  return {
    /** @param {Columns} columns */
    show(columns) {
      for (const plot of plots) plot.show(columns);
    },
    /** Another time zone was chosen. */
    retell() {
      for (const plot of plots) plot.retell();
    },
  };
}
