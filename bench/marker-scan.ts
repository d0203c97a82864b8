// Finds the benchmark's line markers in a stream of body chunks: `seq=<10 digits>`, and in the live
// scenario ` at=<16 digits>` right behind it. A marker that is cut by the end of a chunk is found
// with the next one.

const marker = Buffer.from('seq=');
const seqDigits = 10;
const seqEnd = marker.length + seqDigits;
const timeMarker = Buffer.from(' at=');
const timeDigits = 16;
const timeEnd = seqEnd + timeMarker.length + timeDigits;

/** Called once a marker; `writtenMicros` is on the monotonic clock, undefined without a time. */
export type OnMarker = (seq: number, writtenMicros: number | undefined) => void;

/** Decimal number in `[start, end)`; NaN if a byte is no digit. */
function readDigits(bytes: Buffer, start: number, end: number): number {
  let value = 0;
  for (let index = start; index < end; index++) {
    const digit = (bytes[index] ?? 0) - 48;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

function readTime(bytes: Buffer, at: number): number | undefined {
  const start = at + seqEnd;
  for (let index = 0; index < timeMarker.length; index++) {
    if (bytes[start + index] !== timeMarker[index]) return undefined;
  }
  const micros = readDigits(bytes, start + timeMarker.length, at + timeEnd);
  return Number.isNaN(micros) ? undefined : micros;
}

/** Returns a function that takes the chunks of one body in order, and `true` with the last. */
export function makeMarkerScan(onMarker: OnMarker): (chunk: Buffer, isLast: boolean) => void {
  let carry: Buffer = Buffer.alloc(0);
  return (chunk, isLast) => {
    const bytes = carry.length === 0 ? chunk : Buffer.concat([carry, chunk]);
    let from = 0;
    for (;;) {
      const at = bytes.indexOf(marker, from);
      if (at === -1 || (!isLast && at + timeEnd > bytes.length)) {
        const kept = at === -1 ? Math.max(from, bytes.length - marker.length + 1) : at;
        // A copy, because the socket may fill the chunk's memory again.
        carry = isLast ? Buffer.alloc(0) : Buffer.from(bytes.subarray(kept));
        return;
      }
      const seq = readDigits(bytes, at + marker.length, Math.min(at + seqEnd, bytes.length));
      if (!Number.isNaN(seq)) onMarker(seq, readTime(bytes, at));
      from = at + marker.length;
    }
  };
}
