// The times that synthetic log lines carry, to the nanosecond and as the container runtime prints
// them.
//
// All containers of a node share one clock. Invariant: time never goes back, and between two files
// of one container it moves on (a rotation calls `advance`), because identity and order of entries
// rest on that as they do on a real node.

/** containerd drops trailing zeros and may say `Z`; CRI-O writes nine digits and an offset. */
export type CriStyle = 'containerd' | 'crio';

export type ClockOptions = {
  readonly style: CriStyle;
  /** The node's time zone. */
  readonly utcOffsetMinutes?: number;
  /**
   * Milliseconds since the epoch of the first line of a deterministic clock; default is wall time.
   */
  readonly startMs?: number;
  /** How far `tick` moves a deterministic clock; 0 gives equal times. */
  readonly stepNanos?: number;
};

export type CriClock = {
  /** Moves to the time of the next line. */
  tick(): void;
  /** Moves on by this much, whatever the kind of clock. */
  advance(milliseconds: number): void;
  /** Whole seconds since the epoch. */
  seconds(): number;
  /** Prints the current time as the runtime does, ending at `end`; returns where it starts. */
  putBefore(target: Uint8Array, end: number): number;
  /** Prints the current time in UTC with nine digits, 30 bytes, as applications do. */
  putUtc(target: Uint8Array, start: number): void;
  /** The current time as `putBefore` prints it. */
  text(): string;
};

const nanosPerSecond = 1_000_000_000;
const secondsBytes = '2024-03-05T14:07:21'.length;
/** `.104582937` */
const fractionBytes = 10;
const timeBytesMax = secondsBytes + fractionBytes + '+01:00'.length;

/** A clock for lines. */
export function createCriClock(options: ClockOptions): CriClock {
  const offsetMinutes = options.utcOffsetMinutes ?? 0;
  const keepsZeros = options.style === 'crio';
  const zone = Buffer.from(zoneText(offsetMinutes, options.style));
  const stepNanos = options.stepNanos ?? 1_000;
  const isWall = options.startMs === undefined;
  const startMs = options.startMs ?? wallMs();
  let seconds = Math.floor(startMs / 1_000);
  let nanos = Math.round((startMs - seconds * 1_000) * 1_000_000);
  let printedSecond = -1;
  const localSeconds = Buffer.alloc(secondsBytes);
  const utcSeconds = Buffer.alloc(secondsBytes);
  const fraction = Buffer.from('.000000000Z');
  const own = Buffer.alloc(timeBytesMax);

  function move(step: number): void {
    nanos += step;
    seconds += Math.floor(nanos / nanosPerSecond);
    nanos %= nanosPerSecond;
  }

  function tickWall(): void {
    const ms = wallMs();
    const wallSeconds = Math.floor(ms / 1_000);
    const wallNanos = Math.round((ms - wallSeconds * 1_000) * 1_000_000);
    if (wallSeconds > seconds || (wallSeconds === seconds && wallNanos > nanos)) {
      seconds = wallSeconds;
      nanos = Math.min(wallNanos, nanosPerSecond - 1);
    } else {
      move(1);
    }
  }

  function printSeconds(): void {
    if (seconds === printedSecond) return;
    const isoText = (at: number): string =>
      new Date(at * 1_000).toISOString().slice(0, secondsBytes);
    localSeconds.write(isoText(seconds + offsetMinutes * 60), 'latin1');
    utcSeconds.write(isoText(seconds), 'latin1');
    printedSecond = seconds;
  }

  /** Fills `fraction`, and returns its length without trailing zeros. */
  function printFraction(): number {
    let length = 1;
    let rest = nanos;
    for (let index = 9; index > 0; index -= 1) {
      const next = Math.floor(rest / 10);
      const digit = rest - next * 10;
      fraction[index] = 0x30 + digit;
      if (digit !== 0 && length === 1) length = index + 1;
      rest = next;
    }
    return length === 1 ? 0 : length;
  }

  function putBefore(target: Uint8Array, end: number): number {
    printSeconds();
    const significant = printFraction();
    const length = keepsZeros ? fractionBytes : significant;
    const start = end - zone.length - length - secondsBytes;
    target.set(localSeconds, start);
    for (let index = 0; index < length; index += 1) {
      target[start + secondsBytes + index] = fraction[index] ?? 0;
    }
    target.set(zone, end - zone.length);
    return start;
  }

  function putUtc(target: Uint8Array, start: number): void {
    printSeconds();
    printFraction();
    target.set(utcSeconds, start);
    target.set(fraction, start + secondsBytes);
  }

  return {
    tick: isWall ? tickWall : () => move(stepNanos),
    advance: (milliseconds) => move(Math.round(milliseconds * 1_000_000)),
    seconds: () => seconds,
    putBefore,
    putUtc,
    text: () => own.toString('latin1', putBefore(own, timeBytesMax)),
  };
}

function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

function zoneText(offsetMinutes: number, style: CriStyle): string {
  if (offsetMinutes === 0 && style === 'containerd') return 'Z';
  const size = Math.abs(offsetMinutes);
  const hours = String(Math.floor(size / 60)).padStart(2, '0');
  return `${offsetMinutes < 0 ? '-' : '+'}${hours}:${String(size % 60).padStart(2, '0')}`;
}
