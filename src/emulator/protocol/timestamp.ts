// RFC 3339 instants to the nanosecond: read, compared and written without a Date, which would end
// at the millisecond. An instant is whole seconds since 1970 (negative before) and nanoseconds
// `[0, 1e9)` after them, as in google.protobuf.Timestamp.

export type Instant = { readonly seconds: number; readonly nanos: number };

const shape = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;
const secondsMin = -62_135_596_800;
const secondsMax = 253_402_300_799;

/** The last whole second that was read: entries come in runs of one second. */
let lastRead = { text: '', seconds: 0 };
/** Texts of whole seconds, because a Date's text costs 1 µs. */
const written = new Map<number, string>();
const writtenCountMax = 1000;

/** Nanoseconds of `.123456789Z` or `Z`; undefined for anything else, even if it is valid. */
function plainFraction(text: string, start: number): number | undefined {
  const end = text.length - 1;
  if (text.charCodeAt(end) !== 0x5a) return undefined;
  if (end === start) return 0;
  const digitCount = end - start - 1;
  if (text.charCodeAt(start) !== 0x2e || digitCount < 1 || digitCount > 9) return undefined;
  let nanos = 0;
  for (let at = start + 1; at < end; at += 1) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    nanos = nanos * 10 + digit;
  }
  return nanos * 10 ** (9 - digitCount);
}

/**
 * Reads a google.protobuf.Timestamp of JSON: 0 to 9 digits of fraction, `Z` or an offset, years
 * 0001 to 9999. Undefined for anything else, such as 30 February, 24:00 and leap seconds.
 */
export function parseInstant(text: string): Instant | undefined {
  if (text.startsWith(lastRead.text) && lastRead.text !== '') {
    const nanos = plainFraction(text, lastRead.text.length);
    if (nanos !== undefined) return { seconds: lastRead.seconds, nanos };
  }
  const [, whole, fraction = '', zone] = shape.exec(text) ?? [];
  if (whole === undefined || zone === undefined) return undefined;
  const seconds = secondsOf(`${whole}${zone}`);
  if (seconds === undefined || seconds < secondsMin || seconds > secondsMax) return undefined;
  if (zone === 'Z') lastRead = { text: whole, seconds };
  return { seconds, nanos: Number(fraction.padEnd(9, '0')) };
}

/** For a text without a fraction; undefined for 30 February, 24:00 and the like. */
function secondsOf(text: string): number | undefined {
  try {
    return Temporal.Instant.from(text).epochMilliseconds / 1_000;
  } catch {
    return undefined;
  }
}

/** UTC with 0, 3, 6 or 9 digits of fraction, as proto3 JSON writes it. */
export function formatInstant({ seconds, nanos }: Instant): string {
  let whole = written.get(seconds);
  if (whole === undefined) {
    // toISOString writes four digits of year for every instant of parseInstant.
    whole = new Date(seconds * 1000).toISOString().slice(0, 19);
    if (written.size >= writtenCountMax) written.clear();
    written.set(seconds, whole);
  }
  if (nanos === 0) return `${whole}Z`;
  const digits = String(nanos).padStart(9, '0');
  if (nanos % 1_000_000 === 0) return `${whole}.${digits.slice(0, 3)}Z`;
  if (nanos % 1_000 === 0) return `${whole}.${digits.slice(0, 6)}Z`;
  return `${whole}.${digits}Z`;
}

/** Negative, zero or positive, as for a sort. */
export function compareInstants(left: Instant, right: Instant): number {
  return left.seconds - right.seconds || left.nanos - right.nanos;
}

/** The clock, to the microsecond. */
export function instantNow(): Instant {
  const micros = Math.floor((performance.timeOrigin + performance.now()) * 1000);
  const seconds = Math.floor(micros / 1_000_000);
  return { seconds, nanos: (micros - seconds * 1_000_000) * 1000 };
}
