// The shapes of a source's JSON lines. A program writes its lines with the same keys in the same
// order; only the values differ. So a line that was read in full leaves its shape, and the next one
// like it is only compared:
//
//     {"level":"info","status":200,"path":"/x"}
//     ^^^^^^^^^^    ^^^^^^^^^^^^   ^^^^^^^^^  ^^   glue: all between scalar values, quotes included
//
// If all the glue of a line equals that of a line that was valid, and the values between are valid
// scalars, then the line is a valid object with the same keys: no key twice, and no special key
// that was not there. Glue is compared 32 bytes at a time, and only the ends of values have to be
// found. It halves the CPU of JSON lines: 450 to 590 ns become 256 to 274 ns (bench/kernel.ts).
//
// Shapes are a tree: a node is one piece of glue, its children are what may follow the value after
// it. A node also says what the glue becomes in the payload where that is not itself: white space
// is dropped there, and members that are taken are left out. The pool is emptied for every source,
// so that what a line becomes never depends on another source's lines.

import { copyPadded } from './envelope';
import {
  deepest,
  memberCount,
  memberIsChanged,
  memberIsTaken,
  memberKeyEnd,
  memberKeyStart,
  memberKind,
  memberValueEnd,
  memberValueStart,
  scalarCount,
  tokenCount,
} from './json';
import { isEmptyAt, pastScalar, valueHuge } from './json-number';
import { memberTaken, memberUnknown, resetSpecial, takeMember } from './json-special';
import { resetStringEscapes, stringEnd, stringEscapes, stringHandedBack } from './json-string';
import {
  backslashVector,
  memberBytes,
  memberList,
  quoteVector,
  scalarList,
  scalarsMax,
  shapeBytes,
  shapePool,
  shapesMax,
  spaceVector,
} from './layout';

// A node: the glue's bytes, those that replace it, and u32 fields.
const glueMax: usize = 64;
const insert: usize = 64;
const glueLength: usize = 128;
/** A bit for each of the first 32 bytes of the glue, and of the other 32. */
const glueBitsLow: usize = 132;
const glueBitsHigh: usize = 136;
const child: usize = 140;
const sibling: usize = 144;
const traits: usize = 148;
/**
 * Of the glue: how many bytes are copied with what precedes it, where copying goes on, and what is
 * written between.
 */
const keptBytes: usize = 152;
const resumeAt: usize = 156;
const insertLength: usize = 160;
/** In the last node: how many members stay in the payload. */
const keptMembers: usize = 164;
/** In the last node, too: the object's `tokenCount`. */
const tokens: usize = 168;

// Traits; the kind of a special value is above them.
const isString: u32 = 1;
const isBreak: u32 = 2;
const isTaken: u32 = 4;
const isLast: u32 = 8;
const kindShift: u32 = 8;

/** More that follow the same glue are not learned: they would be compared one by one. */
const siblingsMax: u32 = 12;

/** Deeper objects are not learned: an empty container in place of a scalar is one level deeper. */
const depthLearned: u32 = 32;

/** So many lines of a source leave their shape: more would be shapes that do not come again. */
const shapesLearnedMax: u32 = 64;

/** How many lines left their shape. */
let shapesLearned: u32 = 0;

/** Nodes in use, and the first of those that a line can begin with. */
let nodeCount: u32 = 0;
let firstNode: u32 = 0;

/**
 * Where the payload's members end, and how many there are, of the line that `encodeShape` read
 * last.
 */
export let shapeOut: usize = 0;
export let shapeKept: u32 = 0;
export let shapeTokens: u32 = 0;

/** Forgets all shapes. */
export function forgetShapes(): void {
  nodeCount = 0;
  firstNode = 0;
  shapesLearned = 0;
}

// @ts-ignore: decorator
@inline
function equalBits(one: usize, other: usize): u32 {
  const low = i8x16.bitmask(i8x16.eq(v128.load(one), v128.load(other)));
  return low | (i8x16.bitmask(i8x16.eq(v128.load(one, 16), v128.load(other, 16))) << 16);
}

/** Whether the node's glue is at `at`. */
// @ts-ignore: decorator
@inline
function isGlueAt(at: usize, node: usize): bool {
  if ((~equalBits(at, node) & load<u32>(node, glueBitsLow)) != 0) return false;
  const high = load<u32>(node, glueBitsHigh);
  return high == 0 || (~equalBits(at + 32, node + 32) & high) == 0;
}

/**
 * Encodes the object whose brace is at `brace` if its shape is known: writes its members that stay,
 * without the braces, to `to`. Returns the address past its last brace, 0 if the shape is not
 * known.
 */
export function encodeShape(
  brace: usize,
  to: usize,
  area: usize,
  line: usize,
  lineEnd: usize,
): usize {
  const space = v128.load(area, spaceVector);
  const quote = v128.load(area, quoteVector);
  const backslash = v128.load(area, backslashVector);
  let node = <usize>firstNode;
  let position = brace + 1;
  let out = to;
  // What is copied next begins here; 0 inside a member that is taken.
  let run: usize = 0;
  resetSpecial(area);
  while (true) {
    while (node != 0 && !isGlueAt(position, node)) node = <usize>load<u32>(node, sibling);
    if (node == 0) return 0;
    const trait = load<u32>(node, traits);
    if ((trait & isBreak) != 0) {
      if (run != 0) out = copyPadded(out, run, position + <usize>load<u32>(node, keptBytes) - run);
      out = copyPadded(out, node + insert, <usize>load<u32>(node, insertLength));
      run = (trait & isTaken) != 0 ? 0 : position + <usize>load<u32>(node, resumeAt);
    }
    position += <usize>load<u32>(node, glueLength);
    if ((trait & isLast) != 0) break;
    const start = position;
    const kind = trait >> kindShift;
    if (kind != 0) resetStringEscapes();
    if ((trait & isString) != 0) position = stringEnd(position, space, quote, backslash);
    else position = isEmptyAt(position) ? position + 2 : pastScalar(position);
    if (position <= valueHuge) return 0;
    if (kind != 0) {
      const quotes = <usize>(trait & isString);
      const fate = takeMember(
        kind,
        start - quotes,
        position + quotes,
        stringEscapes,
        line,
        lineEnd,
      );
      if (fate == memberUnknown || (fate == memberTaken) != ((trait & isTaken) != 0)) return 0;
    }
    node = <usize>load<u32>(node, child);
  }
  shapeOut = out;
  shapeKept = load<u32>(node, keptMembers);
  shapeTokens = load<u32>(node, tokens);
  return position;
}

// @ts-ignore: decorator
@inline
function member(index: u32, field: usize, area: usize): usize {
  return <usize>load<u32>(area + memberList + <usize>(index * memberBytes) + field);
}

// @ts-ignore: decorator
@inline
function isMemberTaken(index: u32, area: usize): bool {
  return (member(index, memberKind, area) & memberIsTaken) != 0;
}

/** An empty node in the pool, which is not counted yet. */
function newNode(area: usize): usize {
  const node = area + shapePool + <usize>(nodeCount * shapeBytes);
  memory.fill(node, 0, shapeBytes);
  return node;
}

/** Fills in the glue [start, end) of a new node. */
function setGlue(node: usize, start: usize, end: usize): void {
  const length = end - start;
  memory.copy(node, start, length);
  store<u32>(node, <u32>length, glueLength);
  store<u32>(node, length < 32 ? (1 << (<u32>length)) - 1 : <u32>-1, glueBitsLow);
  store<u32>(
    node,
    length <= 32 ? 0 : length == 64 ? <u32>-1 : (1 << (<u32>(length - 32))) - 1,
    glueBitsHigh,
  );
}

/**
 * Fills in what becomes of the glue at `start` that begins the member `index`, when `kept` members
 * come before it.
 */
function setBreak(node: usize, start: usize, index: u32, kept: u32, area: usize): bool {
  const keyStart = member(index, memberKeyStart, area);
  const keyEnd = member(index, memberKeyEnd, area);
  const valueStart = member(index, memberValueStart, area);
  const taken = isMemberTaken(index, area);
  const isAfterKept = index > 0 && !isMemberTaken(index - 1, area);
  const end = isAfterKept ? member(index - 1, memberValueEnd, area) : start;
  if (isAfterKept && !taken && keyStart == end + 1 && valueStart == keyEnd + 1) return true;
  store<u32>(node, load<u32>(node, traits) | isBreak | (taken ? isTaken : 0), traits);
  store<u32>(node, <u32>(end - start), keptBytes);
  store<u32>(node, <u32>(valueStart - start), resumeAt);
  if (taken) return true;
  const comma: usize = kept > 0 ? 1 : 0;
  const keyLength = keyEnd - keyStart;
  if (comma + keyLength + 1 > glueMax) return false;
  store<u8>(node, 0x2c, insert);
  memory.copy(node + insert + comma, keyStart, keyLength);
  store<u8>(node + insert + comma + keyLength, 0x3a);
  store<u32>(node, <u32>(comma + keyLength + 1), insertLength);
  return true;
}

function isSameNode(one: usize, other: usize): bool {
  for (let at: usize = 0; at < glueBitsHigh + 4; at += 4) {
    if (load<u32>(one + at) != load<u32>(other + at)) return false;
  }
  for (let at = traits; at < tokens + 4; at += 4) {
    if (load<u32>(one + at) != load<u32>(other + at)) return false;
  }
  return true;
}

/**
 * Puts the new node among the children of `parent` (0: the first nodes), longest glue first;
 * returns it or its equal, or 0.
 */
function addChild(parent: usize, node: usize): usize {
  let before: usize = 0;
  let next = <usize>(parent == 0 ? firstNode : load<u32>(parent, child));
  let count: u32 = 0;
  const length = load<u32>(node, glueLength);
  for (let at = next; at != 0; at = <usize>load<u32>(at, sibling)) {
    if (isSameNode(at, node)) return at;
    // A shorter glue may be the beginning of a longer one.
    if (load<u32>(at, glueLength) >= length) {
      before = at;
      next = <usize>load<u32>(at, sibling);
    }
    count++;
  }
  if (count >= siblingsMax) return 0;
  nodeCount++;
  store<u32>(node, <u32>next, sibling);
  if (before != 0) store<u32>(before, <u32>node, sibling);
  else if (parent != 0) store<u32>(parent, <u32>node, child);
  else firstNode = <u32>node;
  return node;
}

/**
 * Learns the shape of the object that `readObject` read from `brace` to `end`, if it is one of few
 * and short pieces.
 */
export function learnShape(brace: usize, end: usize, area: usize): void {
  if (scalarCount > <u32>scalarsMax || nodeCount + scalarCount + 1 > <u32>shapesMax) return;
  if (shapesLearned >= shapesLearnedMax || deepest > depthLearned) return;
  shapesLearned++;
  let parent: usize = 0;
  let position = brace + 1;
  let members: u32 = 0;
  let kept: u32 = 0;
  for (let index: u32 = 0; index <= scalarCount; index++) {
    const isEnd = index == scalarCount;
    const scalar = area + scalarList + <usize>(index << 3);
    const start = isEnd ? end : <usize>load<u32>(scalar);
    if (start - position > glueMax) return;
    const node = newNode(area);
    setGlue(node, position, start);
    if (isEnd) {
      if (members != memberCount) return;
      const isKept = members > 0 && !isMemberTaken(members - 1, area);
      store<u32>(node, isLast | isBreak, traits);
      store<u32>(
        node,
        isKept ? <u32>(member(members - 1, memberValueEnd, area) - position) : 0,
        keptBytes,
      );
      store<u32>(node, kept, keptMembers);
      store<u32>(node, tokenCount, tokens);
      addChild(parent, node);
      return;
    }
    const hasQuote = load<u8>(start - 1) == 0x22;
    let trait: u32 = hasQuote ? isString : 0;
    if (members < memberCount && member(members, memberKeyStart, area) < start) {
      const own = members++;
      // A member without a scalar value has no node of its own.
      if (members < memberCount && member(members, memberKeyStart, area) < start) return;
      const isScalar = member(own, memberValueStart, area) == start - <usize>hasQuote;
      const kind = <u32>member(own, memberKind, area);
      if (!isScalar && (kind & (memberIsTaken | memberIsChanged)) != 0) return;
      if (isScalar) trait |= (kind & 0xff) << kindShift;
      store<u32>(node, trait, traits);
      if (!setBreak(node, position, own, kept, area)) return;
      if ((kind & memberIsTaken) == 0) kept++;
    } else {
      store<u32>(node, trait, traits);
    }
    parent = addChild(parent, node);
    if (parent == 0) return;
    position = <usize>load<u32>(scalar, 4);
  }
}
