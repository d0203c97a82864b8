// The entries of JSON lines. What encodes a structured line (here and in klog-line.ts) returns the
// address of its newline, or one of the two constants below.

import { copyPadded, copyTemplate, entryEndBytes, writeEntryEnd, writeMeta } from './envelope';
import { copyWithoutDoubles, doubleCount, newlineAfter } from './double-keys';
import {
  refusedEnd,
  refusedStart,
  timeEnd as ownTimeEnd,
  timeStart as ownTimeStart,
} from './event-time';
import {
  endMembers,
  hasPair,
  memberCount,
  memberIsTaken,
  memberKeyEnd,
  memberKeyStart,
  memberKind,
  memberValueEnd,
  memberValueStart,
  objectBroken,
  objectHandedBack,
  objectInvalid,
  readObject,
  tokenCount,
} from './json';
import {
  isMessageOdd,
  isSampled,
  isTraceId,
  level,
  locationEnd,
  locationStart,
  messageEnd,
  messageStart,
  operationEnd,
  operationStart,
  ownIdEnd,
  ownIdStart,
  requestEnd,
  requestStart,
  severity,
  spanEnd,
  spanStart,
  traceEnd,
  traceStart,
} from './json-special';
import { pastSpace } from './json-string';
import { addOriginalTime, labelsEnd, labelsStart, writeOtherLabels } from './labels';
import {
  idPrefixBytes,
  jsonBytesMax,
  jsonHead,
  jsonWeightMax,
  large,
  largeContentStart,
  largeEntryStart,
  largeNewline,
  largeSeverity,
  largeTimeEnd,
  largeTimeStart,
  memberBytes,
  memberList,
  offsetBytes,
  tail,
  textHead,
  tokenBytes,
  wholeContentMax,
  traceHead,
} from './layout';
import { judgeSize, sizeFits, sizeUnknown } from './object-size';
import { encodeShape, learnShape, shapeKept, shapeOut, shapeTokens } from './shapes';
import { writeCanonical } from './json-escapes';
import { isTextRepaired, repairInvalid, repairJson, repairTooLong } from './repair-json';
import { severityNone } from './severity-words';

/** It is not structured after all. */
export const structureNone: usize = objectInvalid;
export const structureHandedBack: usize = objectHandedBack;

/** Where the entry ends. */
export let structuredOut: usize = 0;
/** Severity index of the entry. */
export let structuredSeverity: u32 = 0;

/** Says where the entry of a line ends, and its severity. */
export function setStructured(out: usize, severity: u32): void {
  structuredOut = out;
  structuredSeverity = severity;
}

const emptyTailBytes: usize = 4; // '"},\n'
const labelsHeadBytes: usize = 12; // '","labels":{'

/**
 * What comes before the entry's last brace: the insertId's quote, the source's labels and the
 * record's own.
 */
function writeLabels(to: usize, area: usize): usize {
  const address = <usize>load<u32>(area, tail);
  const length = <usize>load<u32>(area, tail + 4);
  if (refusedStart != 0) addOriginalTime(refusedStart, refusedEnd);
  if (labelsStart == 0) return copyPadded(to, address, length - entryEndBytes);
  let out = to;
  store<u8>(out, 0x22);
  store<u64>(out, 0x736c6562616c222c, 1); // ,"labels
  store<u32>(out, 0x7b3a22, 9); // ":{
  out += labelsHeadBytes;
  if (length != emptyTailBytes) {
    const end = address + length - entryEndBytes - 1;
    out = writeOtherLabels(address + labelsHeadBytes, end, out);
  }
  out = copyPadded(out, labelsStart, labelsEnd - labelsStart);
  store<u8>(out, 0x7d);
  return out + 1;
}

/** The messages, which come after the labels. */
function writeMessages(to: usize): usize {
  let out = to;
  if (requestStart != 0) {
    store<u64>(out, 0x655270747468222c); // ,"httpRe
    store<u64>(out, 0x3a227473657571, 8); // quest":
    out = copyPadded(out + 15, requestStart, requestEnd - requestStart);
  }
  if (operationStart != 0) {
    store<u64>(out, 0x74617265706f222c); // ,"operat
    store<u64>(out, 0x3a226e6f69, 8); // ion":
    out = copyPadded(out + 13, operationStart, operationEnd - operationStart);
  }
  if (locationStart != 0) {
    store<u64>(out, 0x656372756f73222c); // ,"source
    store<u64>(out, 0x6e6f697461636f4c, 8); // Location
    store<u16>(out, 0x3a22, 16); // ":
    out = copyPadded(out + 18, locationStart, locationEnd - locationStart);
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

/** What comes after the insertId, whose quote is still missing. */
// @ts-ignore: decorator
@inline
function writeFields(to: usize, area: usize): usize {
  const messages = requestStart | operationStart | locationStart;
  const labels = labelsStart | refusedStart;
  if ((labels | traceStart | spanStart | messages) == 0 && !isSampled) {
    return copyTemplate(to, area + tail);
  }
  return writeEntryEnd(writeTrace(writeMessages(writeLabels(to, area)), area));
}

let isLargeJudged: bool = false;

/** Notes what `judgeSize` does not know of a large entry. */
function noteLarge(
  entry: usize,
  own: u32,
  content: usize,
  newline: usize,
  time: usize,
  lastTime: usize,
  area: usize,
): void {
  isLargeJudged = true;
  const record = area + large;
  store<u32>(record, <u32>entry, largeEntryStart);
  store<u32>(record, own, largeSeverity);
  store<u32>(record, <u32>content, largeContentStart);
  store<u32>(record, <u32>newline, largeNewline);
  store<u32>(record, <u32>time, largeTimeStart);
  store<u32>(record, <u32>lastTime, largeTimeEnd);
}

/** How many members `writeMembers` kept. */
let membersKept: u32 = 0;

/**
 * Writes the listed members that stay, without white space between them: at once where they come
 * one after the other. A value that was changed is elsewhere.
 */
function writeMembers(to: usize, area: usize): usize {
  let out = to;
  let kept: u32 = 0;
  let run: usize = 0;
  let runEnd: usize = 0;
  for (let index: u32 = 0; index < memberCount; index++) {
    const member = area + memberList + <usize>(index * memberBytes);
    const kind = load<u32>(member, memberKind);
    if ((kind & memberIsTaken) != 0) continue;
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

// Of the object that `readMembers` read: how many bytes a copy has of which it is made, 0 if it is
// the line's own, and whether something in it was repaired.
let copiedBytes: usize = 0;
let isRepaired: bool = false;

/**
 * Reads the object at `brace` and says what becomes of its members. Returns the address past it, in
 * the line or in the line that was repaired, or one of the two constants.
 */
function readMembers(brace: usize, line: usize, timeEnd: usize, area: usize): usize {
  let from = brace;
  let end = readObject(from, area, line, timeEnd);
  copiedBytes = 0;
  isRepaired = end == objectBroken;
  if (isRepaired) {
    from = repairJson(brace, area);
    if (from <= repairTooLong) return from == repairInvalid ? structureNone : structureHandedBack;
    end = readObject(from, area, line, timeEnd);
    copiedBytes = end - from;
  }
  if (end <= objectBroken) return end == objectInvalid ? structureNone : structureHandedBack;
  if (doubleCount != 0) {
    const copy = copyWithoutDoubles(from, end, area);
    const copyEnd = readObject(copy, area, line, timeEnd);
    if (copyEnd <= objectBroken) return structureHandedBack;
    copiedBytes = copyEnd - copy;
  }
  return endMembers(line, timeEnd) ? end : structureHandedBack;
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
  let bytes: usize = 0;
  if (end == 0) {
    end = readMembers(brace, line, timeEnd, area);
    if (end <= structureHandedBack) return end;
    out = writeMembers(head, area);
    kept = membersKept;
    tokens = tokenCount;
    bytes = copiedBytes;
    if (bytes == 0 && !hasPair()) learnShape(brace, end, area);
  } else {
    isRepaired = false;
  }
  let newline = pastSpace(end);
  if (load<u8>(newline) != 10) return structureNone;
  if (isRepaired) newline = newlineAfter(content);
  const length = newline - content;
  let isLarge = false;
  if (<i32>length > load<i32>(area, jsonBytesMax)) {
    // Ids are in an entry twice.
    if (length > <usize>wholeContentMax || ownIdStart != 0) return structureHandedBack;
    const weight = (bytes != 0 ? bytes : length) + <usize>(tokens * tokenBytes);
    isLarge = weight > <usize>jsonWeightMax;
  }
  let closer: u8 = 0x7d;
  let payload = head;
  if (kept == 1 && messageStart != 0) {
    payload = copyTemplate(to, area + textHead + <usize>(stream << 3));
    if (isMessageOdd) out = writeCanonical(messageStart, messageEnd, payload);
    else out = copyPadded(payload, messageStart, messageEnd - messageStart);
    closer = 0x22;
  }
  let own = severity != severityNone ? severity : level;
  if (own == severityNone) own = streamSeverity;
  structuredSeverity = own;
  const time = ownTimeStart != 0 ? ownTimeStart : line;
  const lastTime = ownTimeStart != 0 ? ownTimeEnd : timeEnd;
  let idEnd = writeMeta(out, closer, time, lastTime, own, offset, area);
  if (ownIdStart != 0) {
    idEnd = copyPadded(idEnd - idPrefixBytes - offsetBytes, ownIdStart, ownIdEnd - ownIdStart);
  }
  structuredOut = writeFields(idEnd, area);
  if (!isLarge) return newline;
  const size = judgeSize(closer == 0x22, payload, out, idEnd, structuredOut, isSampled, area);
  if (size == sizeFits) return newline;
  // As text, it would have to be repaired otherwise.
  const isKnown = size != sizeUnknown && !(isRepaired && isTextRepaired);
  if (isKnown) noteLarge(to, own, content, newline, time, lastTime, area);
  return structureHandedBack;
}

/** Whether the entry that was handed back last is too large, and the area says what it is. */
export function takeLargeJudged(): bool {
  const isJudged = isLargeJudged;
  isLargeJudged = false;
  return isJudged;
}
