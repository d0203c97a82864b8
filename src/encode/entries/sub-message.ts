// Moves httpRequest, operation and sourceLocation from a record's payload to the entry's fields.
// The invariant: a strict proto3 JSON parser accepts the field, whatever types the tenant wrote,
// because one wrong type would fail the whole request.

import { scanObject } from '../json/object-scan.ts';
import {
  canonicalString,
  integerValue,
  rawMember,
  rawValue,
  stringValue,
} from '../json/json-text.ts';

/** From a raw JSON value to the field's JSON text; undefined when the type is wrong. */
type Cast = (raw: string) => string | undefined;

type Range = { readonly min: bigint; readonly max: bigint };

const int32: Range = { min: -(2n ** 31n), max: 2n ** 31n - 1n };
const int64: Range = { min: -(2n ** 63n), max: 2n ** 63n - 1n };

/** Seconds that a google.protobuf.Duration can hold. */
const durationSecondsMax = 315_576_000_000;

function castInteger(raw: string, range: Range): string | undefined {
  const value = integerValue(raw);
  return value === undefined || value < range.min || value > range.max ? undefined : String(value);
}

/** A string, as proto3 JSON writes 64 bits. */
function castInt64(raw: string): string | undefined {
  const digits = castInteger(raw, int64);
  return digits === undefined ? undefined : `"${digits}"`;
}

function castBool(raw: string): string | undefined {
  const word = stringValue(raw) ?? raw;
  return word === 'true' || word === 'false' ? word : undefined;
}

/**
 * Digits, perhaps decimals, and an `s`, without white space (both GKE agents). Decimals after the
 * ninth are cut off.
 */
function castLatency(raw: string): string | undefined {
  const match = /^\s*([0-9]+)(?:\.([0-9]+))?\s*s\s*$/.exec(stringValue(raw) ?? '');
  const whole = match?.[1]?.replace(/^0+(?=[0-9])/, '');
  if (whole === undefined || Number(whole) > durationSecondsMax) return undefined;
  const decimals = match?.[2]?.slice(0, 9);
  if (decimals === undefined) return `"${whole}s"`;
  const isOver = Number(whole) === durationSecondsMax && Number(decimals) > 0;
  return isOver ? undefined : `"${whole}.${decimals}s"`;
}

/** The fields of a proto message by JSON name. A Map, because tenants write `constructor`. */
export type MessageFields = ReadonlyMap<string, Cast>;

/** google.logging.type.HttpRequest. */
export const httpRequestFields: MessageFields = new Map<string, Cast>([
  ['requestMethod', canonicalString],
  ['requestUrl', canonicalString],
  ['requestSize', castInt64],
  ['status', (raw) => castInteger(raw, int32)],
  ['responseSize', castInt64],
  ['userAgent', canonicalString],
  ['remoteIp', canonicalString],
  ['serverIp', canonicalString],
  ['referer', canonicalString],
  ['latency', castLatency],
  ['cacheLookup', castBool],
  ['cacheHit', castBool],
  ['cacheValidatedWithOriginServer', castBool],
  ['cacheFillBytes', castInt64],
  ['protocol', canonicalString],
]);

/** google.logging.v2.LogEntryOperation. */
export const operationFields: MessageFields = new Map<string, Cast>([
  ['id', canonicalString],
  ['producer', canonicalString],
  ['first', castBool],
  ['last', castBool],
]);

/** google.logging.v2.LogEntrySourceLocation. */
export const sourceLocationFields: MessageFields = new Map<string, Cast>([
  ['file', canonicalString],
  ['line', castInt64],
  ['function', canonicalString],
]);

export type SubMessage = {
  /** JSON of the entry's field, in the source's order; '' when nothing is usable. */
  readonly field: string;
  /** JSON of the parts that the message does not know, which stay in the payload; '' for none. */
  readonly rest: string;
};

/** Splits a raw object; undefined for any other value, which stays in the payload. */
export function readSubMessage(raw: string, fields: MessageFields): SubMessage | undefined {
  const object = raw[0] === '{' ? scanObject(raw) : undefined;
  if (object === undefined) return undefined;
  const used: string[] = [];
  const left: string[] = [];
  for (const member of object.members) {
    const cast = fields.get(member.key);
    if (cast === undefined) {
      left.push(rawMember(object, member));
      continue;
    }
    const value = cast(rawValue(object, member));
    if (value !== undefined) used.push(`"${member.key}":${value}`);
  }
  return {
    field: used.length === 0 ? '' : `{${used.join(',')}}`,
    rest: left.length === 0 ? '' : `{${left.join(',')}}`,
  };
}
