// The plots of the last minutes, up to a quarter of an hour, drawn with uPlot (a global of its
// script): of the agent, and of one workload.
//
// Sums come in, rates go out: the difference of two samples by their distance in time.

import { timeText } from './clock.js';
import { bytesText, countText, durationText } from './numbers.js';

/** The axis takes the shortest that holds what there is: 1, 5 or 15 minutes. */
const windowsSeconds = [60, 300, 900];

/**
 * @typedef {Record<string, number[]>} Columns samples of the agent, columns of equal length
 * `least` is what the axis reaches at least: next to nothing is not to look like a mountain.
 * @typedef {{ title: string, color: string, least: number, steps?: number[],
 *   text: (value: number) => string, values: (columns: Columns) => (number | null)[] }} PlotKind
 */

/** @type {readonly PlotKind[]} */
const kinds = [
  {
    title: 'Lines',
    color: '--blue',
    least: 10,
    text: (value) => `${countText(value)}/s`,
    values: (columns) => rates(columns, 'lines'),
  },
  {
    title: 'Bytes',
    color: '--teal',
    least: 1000,
    text: (value) => `${bytesText(value)}/s`,
    values: (columns) => rates(columns, 'bytes'),
  },
  {
    title: 'CPU per line',
    color: '--green',
    least: 1,
    text: (value) => `${value < 9.95 ? value.toFixed(1) : countText(value)} µs`,
    values: (columns) => quotients(columns, 'cpuSeconds', 'lines', 1e6),
  },
  {
    title: 'Lag',
    color: '--amber',
    least: 2,
    steps: [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400],
    text: durationText,
    values: (columns) => columns['behindSeconds'] ?? [],
  },
  {
    title: 'In flight',
    color: '--violet',
    least: 100_000,
    text: bytesText,
    values: (columns) => columns['inFlightBytes'] ?? [],
  },
  {
    title: 'Failed requests',
    color: '--red',
    least: 1,
    text: (value) => `${countText(value)}/s`,
    values: (columns) => rates(columns, 'failedRequests'),
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
  /** @readonly */
  #area;
  /** @readonly */
  #output;
  /** @type {any} */
  #chart;
  /** @type {(number | null)[]} */
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
    this.#output = document.createElement('output');
    this.#area = document.createElement('div');
    this.#area.className = 'area';
    header.append(title, this.#output);
    figure.append(header, this.#area);
    parent.append(figure);
    new ResizeObserver(() => this.#resize()).observe(this.#area);
  }

  /** @param {Columns} columns */
  show(columns) {
    this.#times = (columns['atMs'] ?? []).map((ms) => ms / 1000);
    this.#values = this.#kind.values(columns);
    if (this.#chart === undefined) this.redraw();
    else this.#chart.setData([this.#times, this.#values]);
    this.#tell(this.#chart.cursor.idx);
  }

  /** Draws the chart again, in the current colours. */
  redraw() {
    this.#chart?.destroy();
    const { clientWidth: width, clientHeight: height } = this.#area;
    const color = colorOf(this.#kind.color);
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
        { stroke: color, width: 1.6, fill: `${color}22`, points: { show: false }, spanGaps: false },
      ],
      hooks: { setCursor: [(/** @type {any} */ chart) => this.#tell(chart.cursor.idx)] },
    };
    // @ts-expect-error: uPlot is a global of uplot.js.
    this.#chart = new uPlot(options, [this.#times, this.#values], this.#area);
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
    const at = index ?? this.#values.length - 1;
    const value = this.#values[at];
    const time = index == null ? '' : `  ${timeText(this.#times[at] ?? 0)}`;
    this.#output.textContent = (value == null ? '–' : this.#kind.text(value)) + time;
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
    /** Another time zone holds. */
    retell() {
      for (const plot of plots) plot.retell();
    },
  };
}
