// What each workload did while this page was open, for the plots of its drawer: the agent keeps no
// history of single workloads.

import { keyOf } from './workloads.js';

/** @typedef {import('./workloads.js').Workload} Workload */
/** @typedef {Record<string, number[]>} Columns */

/** A quarter of an hour, at a sample each ten seconds. */
const samplesMax = 90;
/** Samples closer than this make no useful rate. */
const apartMsMin = 1000;
const names = /** @type {const} */ ([
  'writtenBytes',
  'lines',
  'bytes',
  'behindBytes',
  'behindSeconds',
]);

export function createWorkloadSamples() {
  /** @type {Map<string, Columns>} */
  let byKey = new Map();
  let addedAtMs = 0;
  return {
    /** The agent was restarted, and counts from 0. */
    forget() {
      byKey = new Map();
    },
    /**
     * Workloads that are gone are forgotten.
     * @param {readonly Workload[]} workloads @param {number} atMs when they were asked for
     */
    add(workloads, atMs) {
      if (atMs - addedAtMs < apartMsMin) return;
      const seconds = (atMs - addedAtMs) / 1000;
      addedAtMs = atMs;
      /** @type {typeof byKey} */
      const next = new Map();
      for (const workload of workloads) {
        const key = keyOf(workload);
        const columns = byKey.get(key) ?? {};
        const push = (/** @type {string} */ name, /** @type {number} */ value) => {
          columns[name] = [...(columns[name] ?? []), value].slice(-samplesMax);
        };
        push('atMs', atMs);
        // The agent's sum jumps when an estimate is replaced by a count.
        const before = columns['writtenLines']?.at(-1) ?? 0;
        push('writtenLines', before + workload.linesPerSecond * seconds);
        for (const name of names) push(name, workload[name]);
        next.set(key, columns);
      }
      byKey = next;
    },
    /** @param {string} key @returns {Columns} */
    of: (key) => byKey.get(key) ?? {},
  };
}
