// Cuts a JSON text into the objects of one depth while it arrives, so that an answer with hundreds
// of pods is never in memory as a whole. A watch sends one object after another (depth 1), a list
// has them in an array within its envelope (depth 3).
//
//     {"kind":"PodList","metadata":{"resourceVersion":"7"},"items":[{…},{…}]}
//     1                            2                              2 3
//
// Invariant: at most `bytesMax` bytes are held, whatever arrives.

import { AgentError } from '../../errors.ts';

const quote = 0x22;
const backslash = 0x5c;
const braceOpen = 0x7b;
const braceClose = 0x7d;
const bracketOpen = 0x5b;
const bracketClose = 0x5d;
const managedFields = '"managedFields":[';

export type SplitOptions = {
  /** Nesting of the objects; the outermost is 1. */
  readonly depth: number;
  /** A longer object, or envelope, is an error. */
  readonly bytesMax: number;
  readonly onObject: (text: string) => void;
};

/** Follows the nesting of a JSON text, byte by byte, ignoring brackets in strings. */
class Nesting {
  #depth = 0;
  #inString = false;
  #isEscaped = false;

  get depth(): number {
    return this.#depth;
  }

  /** Takes the next byte; true when it changes the depth. */
  step(byte: number): boolean {
    if (this.#inString) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (byte === backslash) this.#isEscaped = true;
      else if (byte === quote) this.#inString = false;
    } else if (byte === quote) {
      this.#inString = true;
    } else if (byte === braceOpen || byte === bracketOpen) {
      this.#depth += 1;
      return true;
    } else if (byte === braceClose || byte === bracketClose) {
      this.#depth -= 1;
      return true;
    }
    return false;
  }
}

export class JsonSplitter {
  readonly #options: SplitOptions;
  readonly #nesting = new Nesting();
  #object: Buffer[] = [];
  /** Everything else, with `0` in place of each object: again a JSON text. */
  readonly #envelope: Buffer[] = [];
  #heldBytes = 0;

  constructor(options: SplitOptions) {
    this.#options = options;
  }

  /** The text around the objects so far, with 0 in place of each. */
  get envelope(): string {
    return Buffer.concat(this.#envelope).toString('utf8');
  }

  /** @throws AgentError POD_METADATA_UNAVAILABLE when an object is too long. */
  push(chunk: Buffer): void {
    const { depth } = this.#options;
    let start = 0;
    for (let index = 0; index < chunk.length; index += 1) {
      const byte = chunk[index]!;
      if (!this.#nesting.step(byte)) continue;
      if (byte === braceOpen && this.#nesting.depth === depth) {
        this.#keep(this.#envelope, chunk.subarray(start, index));
        start = index;
      } else if (byte === braceClose && this.#nesting.depth === depth - 1) {
        this.#handOver(chunk.subarray(start, index + 1));
        start = index + 1;
      }
    }
    this.#keep(this.#nesting.depth >= depth ? this.#object : this.#envelope, chunk.subarray(start));
  }

  #keep(parts: Buffer[], part: Buffer): void {
    // Only white space comes between the objects of a watch.
    if (part.length === 0 || (parts === this.#envelope && this.#options.depth === 1)) return;
    this.#heldBytes += part.length;
    if (this.#heldBytes > this.#options.bytesMax) {
      throw new AgentError('POD_METADATA_UNAVAILABLE', 'the API server sent too long an object');
    }
    // A copy, because the chunk would keep its whole read buffer.
    parts.push(Buffer.from(part));
  }

  #handOver(end: Buffer): void {
    // Most objects are within one chunk.
    let whole = end;
    if (this.#object.length > 0) {
      this.#keep(this.#object, end);
      whole = Buffer.concat(this.#object);
      this.#heldBytes -= whole.length;
      this.#object = [];
    }
    if (this.#options.depth > 1) this.#keep(this.#envelope, Buffer.from('0'));
    this.#options.onObject(whole.toString('utf8'));
  }
}

/**
 * Cuts out managedFields: more than half of the metadata, and expensive to parse because of its
 * many small objects. Inside a string its quotes would be escaped, so it cannot be confused.
 */
export function withoutManagedFields(text: string): string {
  const start = text.indexOf(managedFields);
  if (start === -1) return text;
  const nesting = new Nesting();
  for (let index = start + managedFields.length - 1; index < text.length; index += 1) {
    const isBracket = nesting.step(text.charCodeAt(index));
    if (isBracket && nesting.depth === 0) {
      return `${text.slice(0, start)}${managedFields}${text.slice(index)}`;
    }
  }
  return text;
}
