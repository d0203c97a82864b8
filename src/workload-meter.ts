// Rates and costs of containers: what agent-status.ts says about each beyond its sums. It is
// sampled with the history, so that one look at the agent suffices to see who floods it.
//
// The cost is an estimate: Cloud Logging charges for the size of a LogEntry, which is neither that
// of the line nor that of the request.

import type { FleetChain } from './fleet.ts';
import type { NodePlace } from './tail/workload.ts';
import type { ChainTotals } from './totals.ts';

/** Per line of a log file: time, stream, tag, three spaces and the line end, none of it charged. */
const criHeaderBytes = 46;
/** insertId, two times, severity and the tags of the fields in an entry. */
const entryFieldBytes = 70;
/** Label key that carries the node's name into every entry. */
const nodeLabelBytes = 'compute.googleapis.com/resource_name'.length + 4;
/** The cost follows the rate of about this time. */
const costHorizonSeconds = 300;
/** 730 hours, as price lists count. */
const monthSeconds = 2_628_000;
const gibBytes = 1024 ** 3;

/** What is measured of a container's totals. */
type Sums = Omit<ChainTotals, 'severities'>;

/** Of one container; rates are of the stretch between the last two samples. */
export type Meter = {
  readonly linesPerSecond: number;
  readonly bytesPerSecond: number;
  /** Estimate of what Cloud Logging charges for: of the last minutes, and since the start. */
  readonly chargedBytesPerSecond: number;
  readonly chargedBytes: number;
};

type State = Meter & {
  readonly atMs: number;
  readonly ageSeconds: number;
  readonly totals: Sums;
};

export type WorkloadMeters = {
  /** Takes a sample of one container. */
  readonly sample: (planned: FleetChain, totals: Sums, nowMs: number) => void;
  readonly read: (planned: FleetChain, totals: Sums) => Meter;
};

const start: Omit<State, 'atMs'> = {
  linesPerSecond: 0,
  bytesPerSecond: 0,
  chargedBytesPerSecond: 0,
  chargedBytes: 0,
  ageSeconds: 0,
  totals: { lines: 0, bytes: 0, entries: 0 },
};

/** Meters that forget a container together with its chain. */
export function createWorkloadMeters(place: NodePlace): WorkloadMeters {
  const states = new WeakMap<FleetChain, State>();
  return {
    sample: (planned, totals, nowMs) => {
      const state = states.get(planned) ?? { ...start, atMs: nowMs };
      const more = differenceOf(totals, state.totals);
      const charged = chargedBytes(planned, more, place);
      const seconds = (nowMs - state.atMs) / 1_000;
      const sums = {
        atMs: nowMs,
        ageSeconds: state.ageSeconds + seconds,
        chargedBytes: state.chargedBytes + charged,
        totals: { lines: totals.lines, bytes: totals.bytes, entries: totals.entries },
      };
      if (seconds <= 0) {
        states.set(planned, { ...state, ...sums });
        return;
      }
      // A plain mean while the container is young, then one that forgets.
      const share = Math.max(
        seconds / sums.ageSeconds,
        1 - Math.exp(-seconds / costHorizonSeconds),
      );
      const before = state.chargedBytesPerSecond;
      states.set(planned, {
        ...sums,
        linesPerSecond: more.lines / seconds,
        bytesPerSecond: more.bytes / seconds,
        chargedBytesPerSecond: before + share * (charged / seconds - before),
      });
    },
    read: (planned, totals) => {
      const state = states.get(planned) ?? start;
      const more = chargedBytes(planned, differenceOf(totals, state.totals), place);
      return { ...state, chargedBytes: state.chargedBytes + more };
    },
  };
}

function differenceOf(now: Sums, before: Sums): Sums {
  return {
    lines: now.lines - before.lines,
    bytes: now.bytes - before.bytes,
    entries: now.entries - before.entries,
  };
}

/** Bytes of LogEntries that Cloud Logging would charge for these lines, nearly. */
function chargedBytes(
  { workload }: FleetChain,
  { lines, bytes, entries }: Sums,
  { project, node }: NodePlace,
): number {
  const logNameBytes = `projects/${project}/logs/stdout`.length;
  const labelBytes = workload.labels.length + (node === '' ? 0 : nodeLabelBytes + node.length);
  const entryBytes = workload.resource.length + logNameBytes + labelBytes + entryFieldBytes;
  return Math.max(0, bytes - lines * criHeaderBytes) + entries * entryBytes;
}

/** US dollars of a month at this rate; the free amount is ignored. */
export function costPerMonth(chargedBytesPerSecond: number, pricePerGib: number): number {
  return ((chargedBytesPerSecond * monthSeconds) / gibBytes) * pricePerGib;
}
