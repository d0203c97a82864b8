// The kernel: CRI lines in, LogEntries out, one pass over the bytes. Called by drain.ts through
// kernel.ts, once per chunk.
//
// It does the common lines and hands back the rest with a position and a reason; the reference
// encoder (log-entry.ts), which is the specification, does those. What it writes equals the
// reference's bytes. It never allocates and has no static data: everything that can change is in
// the worker's area or in globals, which every instance has for itself.

import { copyTemplate, writeBase36Pairs, writeEnvelope } from './envelope';
import { pastSpace } from './json';
import { beginTimes, headerStream, headerTimeEnd, parseHeader } from './header';
import {
  backslashVector, labelRoom, quoteVector, resultLastLine, resultLines, resultOut, resultPosition, severityCounts, spaceVector,
  stopDone, stopFull, stopIncomplete, stopJson, stopKlog, stopLong, stopTag, textHead,
} from './layout';
import { setLabelRules } from './json-special';
import { clearKeys } from './key-table';
import { forgetShapes } from './shapes';
import {
  encodeJsonLine, encodeKlogLine, structuredOut, structuredSeverity, structureHandedBack, structureNone,
} from './structured-line';
import { escapedOut, escapeText } from './text';

let area: usize = 0;

/** Severity indexes of plain text by stream: INFO, ERROR. */
const streamSeverities: u32 = 0x0502;

/** Prepares the worker's area; once per instance, before anything else. */
export function prepare(areaAddress: usize): void {
  area = areaAddress;
  writeBase36Pairs(area);
  clearKeys(area);
  v128.store(area, i8x16.splat(0x20), spaceVector);
  v128.store(area, i8x16.splat(0x22), quoteVector);
  v128.store(area, i8x16.splat(0x5c), backslashVector);
}

/**
 * Begins a new source: what was learned of the last one's lines is forgotten. `mayTakeLabels` if all
 * its labels have keys of the agent's; `limit` is the second from which on a time is too far ahead.
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
 * Encodes the lines of [position, end) to `out`, until a line is not its own or the slot's soft end
 * is reached. `base` is the file offset of address 0; `held` has the bits of streams with an open
 * partial line. Returns the stop reason; the other results stand in the area.
 */
export function encodeLines(position: usize, end: usize, out: usize, softEnd: usize, base: f64, held: u32): u32 {
  const fileBase = <u64><i64>base;
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
    const first = pastSpace(content);
    let newline = structureNone;
    let lineOut: usize = 0;
    if (load<u8>(first) == 0x7b) {
      newline = encodeJsonLine(position, timeEnd, content, first, stream, severity, offset, out, area);
      if (newline == structureHandedBack) reason = stopJson;
    } else {
      const dateEnd = klogDateEnd(content);
      if (dateEnd != 0) newline = encodeKlogLine(position, timeEnd, content, dateEnd, stream, offset, out, area);
      if (newline == structureHandedBack) reason = stopKlog;
    }
    if (reason != stopDone) break;
    if (newline == structureNone) {
      newline = escapeText(content, copyTemplate(out, area + textHead + <usize>(stream << 3)), area);
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
  store<u32>(area, <u32>position, resultPosition);
  store<u32>(area, <u32>out, resultOut);
  store<u32>(area, lines, resultLines);
  store<u32>(area, <u32>lastLine, resultLastLine);
  return reason;
}
