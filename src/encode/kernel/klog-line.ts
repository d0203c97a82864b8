// The entries of klog lines.

import {
  copyPadded,
  copyTemplate,
  entryEndBytes,
  writeEntryEnd,
  writeLength,
  writeMeta,
} from './envelope';
import { jsonBytesMax, jsonHead, stopLong, tail } from './layout';
import { setStructured, structureHandedBack, structureNone } from './structured-line';
import { escapedOut, escapeText } from './text';

/** Whether the byte is white space inside a line: space, tab, vertical tab, form feed, return. */
// @ts-ignore: decorator
@inline
function isSpace(byte: u32): bool {
  return byte == 0x20 || (byte - 9 < 5 && byte != 10);
}

// @ts-ignore: decorator
@inline
function pastSpaces(at: usize): usize {
  let position = at;
  while (isSpace(<u32>load<u8>(position))) position++;
  return position;
}

// @ts-ignore: decorator
@inline
function pastDigits(at: usize): usize {
  let position = at;
  while (<u32>load<u8>(position) - 0x30 < 10) position++;
  return position;
}

// @ts-ignore: decorator
@inline
function areFourDigits(at: usize): bool {
  const digits = load<u32>(at);
  return (((digits + 0x46464646) | (digits - 0x30303030)) & 0x80808080) == 0;
}

/**
 * One past the date of the klog header that may begin at `at`: a letter, four digits or eight, and
 * the space after them. 0 if there is none.
 */
// @ts-ignore: decorator
@inline
export function klogDateEnd(at: usize): usize {
  if (load<u8>(at, 5) == 0x20) return areFourDigits(at + 1) ? at + 5 : 0;
  if (load<u8>(at, 9) != 0x20) return 0;
  return areFourDigits(at + 1) && areFourDigits(at + 5) ? at + 9 : 0;
}

// The parts of the klog header that `parseKlog` read.
let pidStart: usize = 0;
let pidEnd: usize = 0;
let fileStart: usize = 0;
let fileEnd: usize = 0;
let sourceEnd: usize = 0;

/**
 * Reads `I0305 14:07:21.103990       1 server.go:412] ` from the space on that ends its date.
 * Returns the address of the message, or one of the two constants.
 */
function parseKlog(dateEnd: usize): usize {
  let at = dateEnd + 1;
  let byte = <u32>load<u8>(at);
  while (byte != 10 && !isSpace(byte)) byte = <u32>load<u8>(++at);
  if (byte == 10) return structureNone;
  pidStart = pastSpaces(at);
  pidEnd = pastDigits(pidStart);
  if (pidEnd == pidStart || !isSpace(<u32>load<u8>(pidEnd))) return structureNone;
  fileStart = pastSpaces(pidEnd);
  fileEnd = 0;
  let isPlain = true;
  at = fileStart;
  byte = <u32>load<u8>(at);
  while (byte != 0x20 && byte != 0x5d) {
    if (byte == 10) return structureNone;
    if (byte == 0x3a) fileEnd = at;
    if (byte < 0x20 || byte >= 0x80 || byte == 0x22 || byte == 0x5c) isPlain = false;
    byte = <u32>load<u8>(++at);
  }
  sourceEnd = at;
  const next = <u32>load<u8>(at, 1);
  // A return before the newline is not content, so it is not the space either.
  if (byte != 0x5d || !isSpace(next) || (next == 13 && load<u8>(at, 2) == 10)) return structureNone;
  if (fileEnd <= fileStart || fileEnd + 1 == at || pastDigits(fileEnd + 1) != at) {
    return structureNone;
  }
  return isPlain && at - fileEnd < 19 ? at + 2 : structureHandedBack;
}

/** Severity index of a klog letter, or 0. */
export function klogSeverity(letter: u32): u32 {
  if (letter == 0x49) return 2; // I
  if (letter == 0x57) return 4; // W
  if (letter == 0x45) return 5; // E
  if (letter == 0x46 || letter == 0x43) return 6; // F C
  if (letter == 0x44) return 1; // D
  if (letter == 0x4e) return 3; // N
  return letter == 0x41 ? 7 : 0; // A
}

/** Where the message ends that `beginKlog` wrote. */
export let klogOut: usize = 0;

/**
 * Writes what comes before the entry's last quote, if the content has a klog header, whose date
 * ends at `dateEnd`. Returns the line's newline, or one of the constants of structured-line.ts.
 */
export function beginKlog(
  content: usize,
  dateEnd: usize,
  stream: u32,
  to: usize,
  area: usize,
): usize {
  const message = parseKlog(dateEnd);
  if (message <= structureHandedBack) return message;
  let out = copyTemplate(to, area + jsonHead + <usize>(stream << 3));
  store<u64>(out, 0x223a2264697022); // "pid":"
  out = copyPadded(out + 7, pidStart, pidEnd - pidStart);
  store<u64>(out, 0x617373656d222c22); // ","messa
  store<u64>(out, 0x223a226567, 8); // ge":"
  const newline = escapeText(message, out + 13, area);
  if (newline <= <usize>stopLong) return structureHandedBack;
  if (<i32>(newline - content) > load<i32>(area, jsonBytesMax)) return structureHandedBack;
  klogOut = escapedOut;
  return newline;
}

/**
 * Ends the entry that `beginKlog` began: its message ends at `to`. `bytes` are those of a record
 * that may not be whole, else 0.
 */
export function endKlog(
  to: usize,
  line: usize,
  timeEnd: usize,
  severity: u32,
  offset: u64,
  bytes: usize,
  area: usize,
): void {
  let out = to;
  store<u8>(out++, 0x22);
  out = writeMeta(out, 0x7d, line, timeEnd, severity, offset, area);
  if (bytes != 0) out = writeLength(out, bytes);
  const length = <usize>load<u32>(area, tail + 4);
  out = copyPadded(out, <usize>load<u32>(area, tail), length - entryEndBytes);
  store<u64>(out, 0x656372756f73222c); // ,"source
  store<u64>(out, 0x6e6f697461636f4c, 8); // Location
  store<u64>(out, 0x656c6966227b3a22, 16); // ":{"file
  store<u32>(out, 0x223a22, 24); // ":"
  out = copyPadded(out + 27, fileStart, fileEnd - fileStart);
  store<u64>(out, 0x22656e696c222c22); // ","line"
  store<u16>(out, 0x223a, 8); // :"
  let digits = fileEnd + 1;
  while (load<u8>(digits) == 0x30 && digits + 1 < sourceEnd) digits++;
  out = copyPadded(out + 10, digits, sourceEnd - digits);
  store<u16>(out, 0x7d22); // "}
  setStructured(writeEntryEnd(out + 2), severity);
}

/** Encodes the line at `line` if it begins with a klog header, whose date ends at `dateEnd`. */
export function encodeKlogLine(
  line: usize,
  timeEnd: usize,
  content: usize,
  dateEnd: usize,
  stream: u32,
  offset: u64,
  to: usize,
  area: usize,
): usize {
  const severity = klogSeverity(<u32>load<u8>(content));
  if (severity == 0) return structureNone;
  const newline = beginKlog(content, dateEnd, stream, to, area);
  if (newline <= structureHandedBack) return newline;
  endKlog(klogOut, line, timeEnd, severity, offset, 0, area);
  return newline;
}
