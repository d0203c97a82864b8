// Small readers and writers of JSON texts: the raw source of one value in, what it means out. The
// raw texts come from `scanObject`, so they are valid and hold no lone surrogate.

import type { JsonObject, Member } from './object-scan.ts';

/** The raw text of a member's value. */
export function rawValue(object: JsonObject, member: Member): string {
  return object.text.slice(member.valueStart, member.valueEnd);
}

/** The member as it is in the source, with the white space around the colon gone. */
export function rawMember(object: JsonObject, member: Member): string {
  if (member.valueStart === member.keyEnd + 1) {
    return object.text.slice(member.keyStart, member.valueEnd);
  }
  return `${object.text.slice(member.keyStart, member.keyEnd)}:${rawValue(object, member)}`;
}

/** The string that a raw value is; undefined when it is no string. */
export function stringValue(raw: string): string | undefined {
  if (raw[0] !== '"') return undefined;
  return raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1);
}

/**
 * A raw string in the one spelling that entries use: as JSON.stringify escapes. Undefined when it
 * is no string.
 */
export function canonicalString(raw: string): string | undefined {
  if (raw[0] !== '"') return undefined;
  // Without a backslash nothing in it was escaped, and nothing needs to be.
  return raw.includes('\\') ? JSON.stringify(JSON.parse(raw)) : raw;
}

const int64DigitsMax = 19;

/**
 * The integer that a raw value is: a number without a fraction, or a string of digits. Undefined
 * when it is none or has more digits than an int64.
 */
export function integerValue(raw: string): bigint | undefined {
  const text = stringValue(raw) ?? raw;
  if (/^-?[0-9]+$/.test(text)) {
    const significant = text.replace(/^(-?)0+(?=[0-9])/, '$1');
    return significant.length > int64DigitsMax + 1 ? undefined : BigInt(significant);
  }
  // 2e2 and 200.0 are integers too, but only as numbers.
  if (raw[0] === '"' || !/^-?[0-9]/.test(raw)) return undefined;
  const value = Number(raw);
  return Number.isInteger(value) && Math.abs(value) < 2 ** 63 ? BigInt(value) : undefined;
}
