// The entries of structured lines: JSON objects, and klog headers. Both functions that encode
// return the address of the line's newline, or one of the two constants below.

import { copyPadded, copyTemplate, writeMeta } from './envelope';
import {
  memberCount,
  memberIsTaken,
  memberKeyEnd,
  memberKeyStart,
  memberKind,
  memberValueEnd,
  memberValueStart,
  objectHandedBack,
  objectInvalid,
  pastSpace,
  readObject,
  tokenCount,
} from './json';
import {
  areLabelsRaw,
  isMessageOdd,
  isSampled,
  isTraceId,
  labelsEnd,
  labelsStart,
  level,
  locationStart,
  messageEnd,
  messageStart,
  operationStart,
  requestStart,
  severity,
  severityNone,
  spanEnd,
  spanStart,
  timeEnd as ownTimeEnd,
  timeStart as ownTimeStart,
  traceEnd,
  traceStart,
} from './json-special';
import {
  jsonBytesMax,
  jsonHead,
  jsonWeightMax,
  memberBytes,
  memberList,
  stopLong,
  tail,
  textHead,
  tokenBytes,
  traceHead,
} from './layout';
import { encodeShape, learnShape, shapeKept, shapeOut, shapeTokens } from './shapes';
import { writeLabelMembers } from './labels';
import { messageLocation, messageOperation, messageRequest, writeMessage } from './sub-message';
import { escapedOut, escapeText } from './text';

/** It is not structured after all. */
export const structureNone: usize = objectInvalid;
export const structureHandedBack: usize = objectHandedBack;

/** Where the entry ends. */
export let structuredOut: usize = 0;
/** Severity index of the entry. */
export let structuredSeverity: u32 = 0;

const emptyTailBytes: usize = 4; // '"},\n'
const entryEndBytes: usize = 3; // '},\n'

/**
 * What comes before the entry's last brace: the insertId's quote, the source's labels and the
 * record's own.
 */
function writeLabels(to: usize, area: usize): usize {
  const address = <usize>load<u32>(area, tail);
  const length = <usize>load<u32>(area, tail + 4);
  if (labelsStart == 0) return copyPadded(to, address, length - entryEndBytes);
  let out = to;
  if (length == emptyTailBytes) {
    store<u8>(out, 0x22);
    store<u64>(out, 0x736c6562616c222c, 1); // ,"labels
    store<u32>(out, 0x7b3a22, 9); // ":{
    out += 12;
  } else {
    out = copyPadded(out, address, length - entryEndBytes - 1);
    store<u8>(out++, 0x2c);
  }
  if (areLabelsRaw) out = copyPadded(out, labelsStart, labelsEnd - labelsStart);
  else out = writeLabelMembers(labelsStart, out);
  store<u8>(out, 0x7d);
  return out + 1;
}

// @ts-ignore: decorator
@inline
function writeEntryEnd(out: usize): usize {
  store<u32>(out, 0x0a2c7d); // },\n
  return out + entryEndBytes;
}

/** The messages, which come after the labels. */
function writeMessages(to: usize): usize {
  let out = to;
  if (requestStart != 0) {
    store<u64>(out, 0x655270747468222c); // ,"httpRe
    store<u64>(out, 0x3a227473657571, 8); // quest":
    out = writeMessage(messageRequest, requestStart, out + 15);
  }
  if (operationStart != 0) {
    store<u64>(out, 0x74617265706f222c); // ,"operat
    store<u64>(out, 0x3a226e6f69, 8); // ion":
    out = writeMessage(messageOperation, operationStart, out + 13);
  }
  if (locationStart != 0) {
    store<u64>(out, 0x656372756f73222c); // ,"source
    store<u64>(out, 0x6e6f697461636f4c, 8); // Location
    store<u16>(out, 0x3a22, 16); // ":
    out = writeMessage(messageLocation, locationStart, out + 18);
  }
  return out;
}

/** The members after the messages. */
function writeTrace(to: usize, area: usize): usize {
  let out = to;
  if (traceStart != 0) {
    store<u64>(out, 0x226563617274222c); // ,"trace"
    store<u16>(out, 0x223a, 8); // :"
    out += 10;
    if (isTraceId()) out = copyTemplate(out, area + traceHead);
    out = copyPadded(out, traceStart, traceEnd - traceStart);
    store<u8>(out++, 0x22);
  }
  if (spanStart != 0) {
    store<u64>(out, 0x64496e617073222c); // ,"spanId
    store<u32>(out, 0x223a22, 8); // ":"
    out = copyPadded(out + 11, spanStart, spanEnd - spanStart);
    store<u8>(out++, 0x22);
  }
  if (isSampled) {
    store<u64>(out, 0x536563617274222c); // ,"traceS
    store<u64>(out, 0x3a2264656c706d61, 8); // ampled":
    store<u32>(out, 0x65757274, 16); // true
    out += 20;
  }
  return out;
}

/** How many members `writeMembers` kept. */
let membersKept: u32 = 0;

/**
 * Writes the listed members that stay, without white space between them: at once where they come
 * one after the other.
 */
function writeMembers(to: usize, area: usize): usize {
  let out = to;
  let kept: u32 = 0;
  let run: usize = 0;
  let runEnd: usize = 0;
  for (let index: u32 = 0; index < memberCount; index++) {
    const member = area + memberList + <usize>(index * memberBytes);
    if ((load<u32>(member, memberKind) & memberIsTaken) != 0) continue;
    const keyStart = <usize>load<u32>(member, memberKeyStart);
    const keyEnd = <usize>load<u32>(member, memberKeyEnd);
    const valueStart = <usize>load<u32>(member, memberValueStart);
    if (run == 0 || keyStart != runEnd + 1) {
      if (run != 0) out = copyPadded(out, run, runEnd - run);
      store<u8>(out, 0x2c);
      out += kept != 0 ? 1 : 0;
      run = keyStart;
    }
    if (valueStart != keyEnd + 1) {
      out = copyPadded(out, run, keyEnd - run);
      store<u8>(out++, 0x3a);
      run = valueStart;
    }
    runEnd = <usize>load<u32>(member, memberValueEnd);
    kept++;
  }
  membersKept = kept;
  return run == 0 ? out : copyPadded(out, run, runEnd - run);
}

/**
 * Encodes the line at `line` whose content, from `content` on, has its first brace at `brace`.
 * `streamSeverity` is what it has without a severity of its own.
 */
export function encodeJsonLine(
  line: usize,
  timeEnd: usize,
  content: usize,
  brace: usize,
  stream: u32,
  streamSeverity: u32,
  offset: u64,
  to: usize,
  area: usize,
): usize {
  const head = copyTemplate(to, area + jsonHead + <usize>(stream << 3));
  let end = encodeShape(brace, head, area, line, timeEnd);
  let out = shapeOut;
  let kept = shapeKept;
  let tokens = shapeTokens;
  if (end == 0) {
    end = readObject(brace, area, line, timeEnd);
    if (end <= structureHandedBack) return end;
    out = writeMembers(head, area);
    kept = membersKept;
    tokens = tokenCount;
    learnShape(brace, end, area);
  }
  const newline = pastSpace(end);
  if (load<u8>(newline) != 10) return structureNone;
  const length = newline - content;
  if (<i32>length > load<i32>(area, jsonBytesMax)) {
    if (length + <usize>(tokens * tokenBytes) > <usize>jsonWeightMax) return structureHandedBack;
  }
  let closer: u8 = 0x7d;
  if (kept == 1 && messageStart != 0) {
    if (isMessageOdd) return structureHandedBack;
    out = copyTemplate(to, area + textHead + <usize>(stream << 3));
    out = copyPadded(out, messageStart, messageEnd - messageStart);
    closer = 0x22;
  }
  let own = severity != severityNone ? severity : level;
  if (own == severityNone) own = streamSeverity;
  structuredSeverity = own;
  const time = ownTimeStart != 0 ? ownTimeStart : line;
  out = writeMeta(out, closer, time, ownTimeStart != 0 ? ownTimeEnd : timeEnd, own, offset, area);
  const messages = requestStart | operationStart | locationStart;
  if ((labelsStart | traceStart | spanStart | messages) == 0 && !isSampled) {
    structuredOut = copyTemplate(out, area + tail);
    return newline;
  }
  structuredOut = writeEntryEnd(writeTrace(writeMessages(writeLabels(out, area)), area));
  return newline;
}

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
function klogSeverity(letter: u32): u32 {
  if (letter == 0x49) return 2; // I
  if (letter == 0x57) return 4; // W
  if (letter == 0x45) return 5; // E
  if (letter == 0x46 || letter == 0x43) return 6; // F C
  if (letter == 0x44) return 1; // D
  if (letter == 0x4e) return 3; // N
  return letter == 0x41 ? 7 : 0; // A
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
  const klog = klogSeverity(<u32>load<u8>(content));
  if (klog == 0) return structureNone;
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
  out = escapedOut;
  store<u8>(out++, 0x22);
  out = writeMeta(out, 0x7d, line, timeEnd, klog, offset, area);
  structuredSeverity = klog;
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
  structuredOut = writeEntryEnd(out + 2);
  return newline;
}
