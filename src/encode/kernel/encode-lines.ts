// The kernel: CRI lines in, LogEntries out, one pass over the bytes of a chunk.
//
// It encodes the common lines and hands back the rest, with a position and a reason, to the
// reference encoder (log-entry.ts), which is the specification: both write the same bytes. It never
// allocates and has no static data: all that can change is in the area or in globals, which every
// instance has for itself.

import { copyTemplate, writeBase36Pairs, writeEnvelope } from './envelope';
import { pastSpace } from './json';
import { beginTimes, headerStream, headerTimeEnd, parseHeader } from './header';
import {
  backslashVector,
  labelRoom,
  quoteVector,
  resultLastLine,
  resultLines,
  resultOut,
  resultPosition,
  severityCounts,
  spaceVector,
  stopDone,
  stopFull,
  stopIncomplete,
  stopJson,
  stopKlog,
  stopLong,
  stopTag,
  textHead,
} from './layout';
import { setLabelRules } from './json-special';
import { clearKeys } from './key-table';
import { forgetShapes } from './shapes';
import {
  encodeJsonLine,
  encodeKlogLine,
  structuredOut,
  structuredSeverity,
  structureHandedBack,
  structureNone,
} from './structured-line';
import { escapedOut, escapeText } from './text';

let area: usize = 0;

/** Severity indexes of plain text by stream: INFO, ERROR. */
const streamSeverities: u32 = 0x0502;

/** Prepares the area; once per instance, before anything else. */
export function prepare(areaAddress: usize): void {
  area = areaAddress;
  writeBase36Pairs(area);
  clearKeys(area);
  v128.store(area, i8x16.splat(0x20), spaceVector);
  v128.store(area, i8x16.splat(0x22), quoteVector);
  v128.store(area, i8x16.splat(0x5c), backslashVector);
}

/**
 * Begins a new source: what was learned of the last one's lines is forgotten. `mayTakeLabels` if
 * all its labels have keys of the agent's; `limit` is the second from which on a time is too far
 * ahead.
 */
export function beginSource(mayTakeLabels: bool, limit: f64): void {
  beginTimes(<i64>limit, area);
  setLabelRules(mayTakeLabels, load<i32>(area, labelRoom));
  forgetShapes();
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
function klogDateEnd(at: usize): usize {
  if (load<u8>(at, 5) == 0x20) return areFourDigits(at + 1) ? at + 5 : 0;
  if (load<u8>(at, 9) != 0x20) return 0;
  return areFourDigits(at + 1) && areFourDigits(at + 5) ? at + 9 : 0;
}

/**
 * Encodes the line at `line` as JSON or klog, if its content looks like one of them. Returns the
 * address of its newline, or one of the two constants.
 */
// @ts-ignore: decorator
@inline
function encodeStructured(
  line: usize,
  timeEnd: usize,
  content: usize,
  stream: u32,
  streamSeverity: u32,
  offset: u64,
  out: usize,
): usize {
  const first = pastSpace(content);
  if (load<u8>(first) == 0x7b) {
    return encodeJsonLine(line, timeEnd, content, first, stream, streamSeverity, offset, out, area);
  }
  const dateEnd = klogDateEnd(content);
  if (dateEnd == 0) return structureNone;
  return encodeKlogLine(line, timeEnd, content, dateEnd, stream, offset, out, area);
}

// @ts-ignore: decorator
@inline
function writeResults(position: usize, out: usize, lines: u32, lastLine: usize): void {
  store<u32>(area, <u32>position, resultPosition);
  store<u32>(area, <u32>out, resultOut);
  store<u32>(area, lines, resultLines);
  store<u32>(area, <u32>lastLine, resultLastLine);
}

/**
 * Encodes the lines of [position, end) to `out`, until it has to hand a line back or the slot's
 * soft end is reached. `base` is the file offset of address 0; `held` has the bits of streams with
 * an open partial line. Returns the stop reason; the other results are in the area.
 */
export function encodeLines(
  position: usize,
  end: usize,
  out: usize,
  softEnd: usize,
  base: f64,
  held: u32,
): u32 {
  const fileBase = <u64>(<i64>base);
  let lines: u32 = 0;
  let lastLine: usize = 0;
  let reason: u32 = stopDone;
  store<u8>(end, 10);
  while (position < end) {
    if (out >= softEnd) {
      reason = stopFull;
      break;
    }
    const content = parseHeader(position, area);
    if (content <= <usize>stopLong) {
      reason = <u32>content;
      break;
    }
    if (content > end) {
      reason = stopIncomplete;
      break;
    }
    if (((held >> headerStream) & 1) != 0) {
      reason = stopTag;
      break;
    }
    const stream = headerStream;
    const timeEnd = headerTimeEnd;
    const offset = fileBase + <u64>position;
    let severity = (streamSeverities >> (stream << 3)) & 0xff;
    let lineOut: usize = 0;
    let newline = encodeStructured(position, timeEnd, content, stream, severity, offset, out);
    if (newline == structureHandedBack) {
      reason = load<u8>(pastSpace(content)) == 0x7b ? stopJson : stopKlog;
      break;
    }
    if (newline == structureNone) {
      newline = escapeText(
        content,
        copyTemplate(out, area + textHead + <usize>(stream << 3)),
        area,
      );
      if (newline <= <usize>stopLong) {
        reason = <u32>newline;
        break;
      }
      lineOut = writeEnvelope(escapedOut, 0x22, position, timeEnd, severity, offset, area);
    } else {
      lineOut = structuredOut;
      severity = structuredSeverity;
    }
    if (newline >= end) {
      reason = stopIncomplete;
      break;
    }
    const counted = area + <usize>(severity << 2);
    store<u32>(counted, load<u32>(counted, severityCounts) + 1, severityCounts);
    out = lineOut;
    lastLine = position;
    lines++;
    position = newline + 1;
  }
  writeResults(position, out, lines, lastLine);
  return reason;
}
