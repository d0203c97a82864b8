// One pass over a request body's bytes for what JSON.parse hides: repeated keys, nesting, lone
// surrogate escapes, and where each entry's bytes begin and end.
//
// It takes bytes that JSON.parse accepts or not: its counts are only meaningful for those that it
// accepts, but it always ends. About 1 ns a byte, which is why it works on bytes and makes no
// strings.

const quote = 0x22;
const backslash = 0x5c;

export type BodyScan = {
  /** `[start, end)` of each object in the root's `entries`, flat: start0, end0, start1, … */
  readonly entrySpans: readonly number[];
  /** Members of all objects, as written: a repeated key counts each time. */
  readonly keyCount: number;
  readonly depthMax: number;
  /** Some string has a `\uD8xx` … `\uDFxx` escape, so well-formedness must be checked. */
  readonly hasSurrogateEscape: boolean;
};

/** The index of the quote that ends the string which opens at `start`, or the length of `bytes`. */
function endOfString(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < bytes.length) {
    const byte = bytes[at];
    if (byte === quote) return at;
    at += byte === backslash ? 2 : 1;
  }
  return bytes.length;
}

function isEntriesKey(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== 9) return false;
  for (let at = 0; at < 7; at += 1) {
    if (bytes[start + 1 + at] !== 'entries'.charCodeAt(at)) return false;
  }
  return true;
}

export function scanBody(bytes: Uint8Array): BodyScan {
  const entrySpans: number[] = [];
  let depth = 0;
  let depthMax = 0;
  let keyCount = 0;
  let hasSurrogateEscape = false;
  let lastKeyIsEntries = false;
  let insideEntries = false;
  let at = 0;
  while (at < bytes.length) {
    const byte = bytes[at] as number;
    if (byte === quote) {
      const start = at;
      at += 1;
      // The loop of endOfString() again: a call per string and a second pass would double the cost.
      for (;;) {
        const inner = bytes[at];
        if (inner === quote || inner === undefined) break;
        if (inner === backslash) {
          if (bytes[at + 1] === 0x75 && ((bytes[at + 2] as number) | 0x20) === 0x64) {
            const third = bytes[at + 3] as number;
            // \uD8xx and above; \uD0xx to \uD7xx are plain characters.
            if (third === 0x38 || third === 0x39 || (third | 0x20) >= 0x61) {
              hasSurrogateEscape = true;
            }
          }
          at += 1;
        }
        at += 1;
      }
      if (depth === 1) lastKeyIsEntries = isEntriesKey(bytes, start, at + 1);
    } else if (byte === 0x3a) {
      keyCount += 1;
    } else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      if (depth > depthMax) depthMax = depth;
      if (depth === 2) insideEntries = lastKeyIsEntries && byte === 0x5b;
      else if (depth === 3 && insideEntries && byte === 0x7b) entrySpans.push(at);
    } else if (byte === 0x7d || byte === 0x5d) {
      if (depth === 3 && insideEntries && byte === 0x7d) entrySpans.push(at + 1);
      depth -= 1;
    }
    at += 1;
  }
  return { entrySpans, keyCount, depthMax, hasSurrogateEscape };
}

export type ValueCensus = {
  /** Distinct members of all objects: fewer than the scan's `keyCount` if a key is repeated. */
  readonly keyCount: number;
  /** Some number is too large for a double. */
  readonly hasInfinity: boolean;
  readonly hasLoneSurrogate: boolean;
};

/** Counts the members of a parsed body. `checkStrings` looks at every string, which takes time. */
export function takeCensus(root: unknown, checkStrings: boolean): ValueCensus {
  let keyCount = 0;
  let hasInfinity = false;
  let hasLoneSurrogate = false;
  const visit = (value: unknown): void => {
    if (typeof value === 'string') {
      if (checkStrings && !value.isWellFormed()) hasLoneSurrogate = true;
    } else if (typeof value === 'number') {
      if (value === Infinity || value === -Infinity) hasInfinity = true;
    } else if (Array.isArray(value)) {
      for (const element of value) visit(element);
    } else if (value !== null && typeof value === 'object') {
      // An object of JSON.parse inherits no members that for-in would show.
      for (const key in value) {
        keyCount += 1;
        if (checkStrings && !key.isWellFormed()) hasLoneSurrogate = true;
        visit((value as Record<string, unknown>)[key]);
      }
    }
  };
  visit(root);
  return { keyCount, hasInfinity, hasLoneSurrogate };
}

export type RepeatedKey = { readonly key: string; readonly path: readonly (string | number)[] };

/** The first key that is twice in one object, and where, of a body that JSON.parse accepts. */
export function findRepeatedKey(bytes: Buffer): RepeatedKey | undefined {
  type Frame = { readonly keys: Set<string> | undefined; step: string | number };
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    const top = frames.at(-1);
    if (byte === 0x7b) frames.push({ keys: new Set(), step: '' });
    else if (byte === 0x5b) frames.push({ keys: undefined, step: 0 });
    else if (byte === 0x7d || byte === 0x5d) frames.pop();
    else if (byte === 0x2c && typeof top?.step === 'number') top.step += 1;
    else if (byte === quote) {
      const end = endOfString(bytes, at);
      if (top?.keys !== undefined && isKey(bytes, end + 1)) {
        const key: string = JSON.parse(bytes.toString('utf8', at, end + 1));
        if (top.keys.has(key)) return { key, path: frames.slice(0, -1).map((frame) => frame.step) };
        top.keys.add(key);
        top.step = key;
      }
      at = end;
    }
  }
  return undefined;
}

/** Whether a colon follows, after white space: the string before it is a key. */
function isKey(bytes: Uint8Array, start: number): boolean {
  let at = start;
  while (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09) {
    at += 1;
  }
  return bytes[at] === 0x3a;
}
