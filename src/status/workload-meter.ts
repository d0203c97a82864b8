// Rates and costs of containers: what agent-status.ts says about each beyond its sums. It is
// sampled with the history, so that one look at the agent suffices to see who floods it.
//
// The cost is an estimate: Cloud Logging charges for the size of a LogEntry, which is neither that
// of the line nor that of the request.

import type { FleetChain } from '../fleet.ts';
import { GiB } from '../byte-units.ts';
import type { NodeIdentity } from '../host/node-identity.ts';
import type { ChainTotals } from './totals.ts';

/** Per line of a log file: time, stream, tag, three spaces and the line end, none of it charged. */
const criHeaderBytes = 46;
/** insertId, two times, severity and the tags of the fields in an entry, less `"resource":,`. */
const entryFieldBytes = 58;
/** Label key that carries the node's name into every entry. */
const nodeLabelBytes = 'compute.googleapis.com/resource_name'.length + 4;
/** The cost follows the rate of about this time. */
const costHorizonSeconds = 300;
/** 730 hours, as price lists count. */
const monthSeconds = 2_628_000;

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

/** Changed in place: 10,000 containers are sampled each few seconds. */
type State = { -readonly [Name in keyof Meter]: Meter[Name] } & {
  atMs: number;
  ageSeconds: number;
  readonly totals: { -readonly [Name in keyof Sums]: Sums[Name] };
};

export type WorkloadMeters = {
  /** Takes a sample of one container. */
  readonly sample: (planned: FleetChain, totals: Sums, nowMs: number) => void;
  readonly read: (planned: FleetChain, totals: Sums) => Meter;
};

function begin(atMs: number): State {
  return {
    linesPerSecond: 0,
    bytesPerSecond: 0,
    chargedBytesPerSecond: 0,
    chargedBytes: 0,
    atMs,
    ageSeconds: 0,
    totals: { lines: 0, bytes: 0, entries: 0 },
  };
}

/** Meters that forget a container together with its chain. */
export function createWorkloadMeters(nodeIdentity: NodeIdentity): WorkloadMeters {
  const states = new WeakMap<FleetChain, State>();
  return {
    sample: (planned, totals, nowMs) => {
      let state = states.get(planned);
      if (state === undefined) states.set(planned, (state = begin(nowMs)));
      advance(state, planned, { totals, nowMs, nodeIdentity });
    },
    read: (planned, totals) => {
      const state = states.get(planned) ?? begin(0);
      const more = chargedBytes(planned, differenceOf(totals, state.totals), nodeIdentity);
      return { ...state, chargedBytes: state.chargedBytes + more };
    },
  };
}

function advance(
  state: State,
  planned: FleetChain,
  { totals, nowMs, nodeIdentity }: { totals: Sums; nowMs: number; nodeIdentity: NodeIdentity },
): void {
  const more = differenceOf(totals, state.totals);
  const charged = chargedBytes(planned, more, nodeIdentity);
  const seconds = (nowMs - state.atMs) / 1_000;
  const { lines, bytes, entries } = totals;
  Object.assign(state.totals, { lines, bytes, entries });
  state.atMs = nowMs;
  state.ageSeconds += seconds;
  state.chargedBytes += charged;
  if (seconds <= 0) return;
  // A plain mean while the container is young, then one that forgets.
  const share = Math.max(seconds / state.ageSeconds, 1 - Math.exp(-seconds / costHorizonSeconds));
  state.linesPerSecond = more.lines / seconds;
  state.bytesPerSecond = more.bytes / seconds;
  state.chargedBytesPerSecond += share * (charged / seconds - state.chargedBytesPerSecond);
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
  { template }: FleetChain,
  { lines, bytes, entries }: Sums,
  { project, node }: NodeIdentity,
): number {
  const logNameBytes = `projects/${project}/logs/stdout`.length;
  const labelBytes = template.labels.length + (node === '' ? 0 : nodeLabelBytes + node.length);
  const entryBytes = template.resource.length + logNameBytes + labelBytes + entryFieldBytes;
  return Math.max(0, bytes - lines * criHeaderBytes) + entries * entryBytes;
}

/** US dollars of a month at this rate; the free amount is ignored. */
export function costPerMonth(chargedBytesPerSecond: number, pricePerGib: number): number {
  return ((chargedBytesPerSecond * monthSeconds) / GiB) * pricePerGib;
}
