// Rates and costs of containers: what agent-status.ts says about each beyond its sums. It is
// sampled with the history, so that one look at the agent suffices to see who floods it.
//
// The cost is an estimate: Cloud Logging charges for the size of a LogEntry, which is neither that
// of the line nor that of the request.

import type { FleetChain } from './fleet.ts';
import type { ChainTotals } from './pipeline.ts';
import type { NodePlace } from './tail/workload.ts';

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

/** Of one container; rates of the stretch between the last two samples. */
export type Meter = {
  readonly linesPerSecond: number;
  readonly bytesPerSecond: number;
  readonly chargedBytesPerSecond: number;
};

type State = Meter & { atMs: number; ageMs: number; lines: number; bytes: number; charged: number };

export type WorkloadMeters = {
  /** Takes a sample of one container. */
  readonly sample: (planned: FleetChain, totals: ChainTotals, nowMs: number) => void;
  readonly meterOf: (planned: FleetChain) => Meter;
};

const nothing: Meter = { linesPerSecond: 0, bytesPerSecond: 0, chargedBytesPerSecond: 0 };

/** Meters that forget a container together with its chain. */
export function createWorkloadMeters(place: NodePlace): WorkloadMeters {
  const states = new WeakMap<FleetChain, State>();
  return {
    sample: (planned, totals, nowMs) => {
      const { lines, bytes } = totals;
      const charged = chargedBytes(planned, totals, place);
      const before = states.get(planned);
      const sums = { atMs: nowMs, lines, bytes, charged };
      const seconds = before === undefined ? 0 : (nowMs - before.atMs) / 1_000;
      if (before === undefined || seconds <= 0) {
        states.set(planned, { ...nothing, ...sums, ageMs: 0 });
        return;
      }
      const ageMs = before.ageMs + seconds * 1_000;
      const chargedNow = (charged - before.charged) / seconds;
      // A plain mean while the container is young, then one that forgets.
      const weight = Math.max(
        (seconds * 1_000) / ageMs,
        1 - Math.exp(-seconds / costHorizonSeconds),
      );
      states.set(planned, {
        ...sums,
        ageMs,
        linesPerSecond: (lines - before.lines) / seconds,
        bytesPerSecond: (bytes - before.bytes) / seconds,
        chargedBytesPerSecond:
          before.chargedBytesPerSecond + weight * (chargedNow - before.chargedBytesPerSecond),
      });
    },
    meterOf: (planned) => states.get(planned) ?? nothing,
  };
}

/** Bytes of LogEntries since the start that Cloud Logging would charge for, nearly. */
export function chargedBytes(
  { workload }: FleetChain,
  { lines, bytes, entries }: ChainTotals,
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
