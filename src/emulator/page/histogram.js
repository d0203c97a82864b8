// The bars above the entries: how many there were when, by severity. page.js gives it each answer,
// and hears which stretch of time was chosen with the mouse.

import { timeText } from './entries.js';

/**
 * @typedef {{ startMs: number, stepMs: number, counts: number[][] }} Histogram
 * @param {HTMLElement} area
 * @param {(fromMs: number, toMs: number) => void} choose
 */
export function createHistogram(area, choose) {
  /** @type {Histogram} */
  let shown = { startMs: 0, stepMs: 1, counts: [] };
  /** @type {number | undefined} */
  let fromBar;

  /** @param {PointerEvent} event */
  function barAt(event) {
    const { left, width } = area.getBoundingClientRect();
    const bar = Math.floor(((event.clientX - left) / width) * shown.counts.length);
    return Math.min(shown.counts.length - 1, Math.max(0, bar));
  }

  /**
   * @param {PointerEvent} event
   * @returns {[number, number]} the first bar, and one past the last
   */
  function chosen(event) {
    const bar = barAt(event);
    return [Math.min(fromBar ?? bar, bar), Math.max(fromBar ?? bar, bar) + 1];
  }

  area.addEventListener('pointerdown', (event) => {
    if (shown.counts.length === 0) return;
    fromBar = barAt(event);
    area.setPointerCapture(event.pointerId);
  });
  area.addEventListener('pointermove', (event) => {
    if (fromBar === undefined) return;
    const [first, end] = chosen(event);
    const band = area.querySelector('.chosen') ?? document.createElement('span');
    band.className = 'chosen';
    const share = 100 / shown.counts.length;
    /** @type {HTMLElement} */ (band).style.left = `${first * share}%`;
    /** @type {HTMLElement} */ (band).style.width = `${(end - first) * share}%`;
    area.append(band);
  });
  area.addEventListener('pointerup', (event) => {
    if (fromBar === undefined) return;
    const [first, end] = chosen(event);
    fromBar = undefined;
    const { startMs, stepMs } = shown;
    choose(startMs + first * stepMs, startMs + end * stepMs - 1);
  });
  area.addEventListener('pointercancel', () => {
    fromBar = undefined;
  });

  return {
    /** @param {Histogram} histogram @param {readonly string[]} severityNames by rank */
    show(histogram, severityNames) {
      if (fromBar !== undefined) return; // The bars must not move under the mouse.
      shown = histogram;
      const { counts, startMs, stepMs } = histogram;
      const highest = Math.max(1, ...counts.map(sumOf));
      const bars = document.createElement('div');
      bars.className = 'bars';
      for (const [index, bar] of counts.entries()) {
        const part = barOf(bar, highest, severityNames);
        part.title = `${timeText(startMs + index * stepMs)}: ${sumOf(bar)}`;
        bars.append(part);
      }
      area.replaceChildren(bars, label(startMs), label(startMs + counts.length * stepMs));
    },
  };
}

/** @param {number[]} counts */
function sumOf(counts) {
  return counts.reduce((sum, count) => sum + count, 0);
}

/**
 * @param {number[]} counts by rank
 * @param {number} highest
 * @param {readonly string[]} severityNames by rank
 */
function barOf(counts, highest, severityNames) {
  const bar = document.createElement('i');
  // The worst at the bottom, where they can be compared.
  for (let rank = counts.length - 1; rank >= 0; rank -= 1) {
    const count = counts[rank] ?? 0;
    if (count === 0) continue;
    const part = document.createElement('b');
    part.className = severityNames[rank] ?? '';
    part.style.height = `${(count / highest) * 100}%`;
    bar.append(part);
  }
  return bar;
}

/** @param {number} ms */
function label(ms) {
  const text = document.createElement('small');
  text.textContent = ms === 0 ? '' : timeText(ms);
  return text;
}
