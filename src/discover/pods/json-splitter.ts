// Cuts a JSON text into the objects of one depth while it arrives, so that an answer with hundreds
// of pods is never in memory as a whole. A watch is objects one after the other (depth 1), a list
// holds them in an array within its envelope (depth 3).
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

export type SplitOptions = {
  /** Nesting at which an object is handed over; the outermost is 1. */
  readonly depth: number;
  /** A longer object, or envelope, ends the reading. */
  readonly bytesMax: number;
  readonly onObject: (text: string) => void;
};

export class JsonSplitter {
  readonly #options: SplitOptions;
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** Bytes of the object that has not ended yet. */
  #object: Buffer[] = [];
  /** Everything else, with `0` in place of each object: again a JSON text. */
  readonly #envelope: Buffer[] = [];
  #heldBytes = 0;

  constructor(options: SplitOptions) {
    this.#options = options;
  }

  /** The text around the objects so far; each object in it reads as 0. */
  get envelope(): string {
    return Buffer.concat(this.#envelope).toString('utf8');
  }

  /** @throws AgentError POD_METADATA_UNAVAILABLE when an object is longer than allowed. */
  push(chunk: Buffer): void {
    const { depth } = this.#options;
    let start = 0;
    for (let index = 0; index < chunk.length; index += 1) {
      const byte = chunk[index];
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === backslash) this.#escaped = true;
        else if (byte === quote) this.#inString = false;
      } else if (byte === quote) {
        this.#inString = true;
      } else if (byte === braceOpen || byte === bracketOpen) {
        this.#depth += 1;
        if (this.#depth !== depth || byte !== braceOpen) continue;
        this.#keep(this.#envelope, chunk.subarray(start, index));
        start = index;
      } else if (byte === braceClose || byte === bracketClose) {
        if (this.#depth === depth && byte === braceClose) {
          this.#handOver(chunk.subarray(start, index + 1));
          start = index + 1;
        }
        this.#depth -= 1;
      }
    }
    this.#keep(this.#depth >= depth ? this.#object : this.#envelope, chunk.subarray(start));
  }

  #keep(parts: Buffer[], part: Buffer): void {
    // For hours, only white space comes between the objects of a watch.
    if (part.length === 0 || (parts === this.#envelope && this.#options.depth === 1)) return;
    this.#heldBytes += part.length;
    if (this.#heldBytes > this.#options.bytesMax) {
      throw new AgentError('POD_METADATA_UNAVAILABLE', 'the API server sent too long an object');
    }
    // A copy: the chunk is a piece of a read buffer that would be kept as a whole.
    parts.push(Buffer.from(part));
  }

  #handOver(end: Buffer): void {
    // Most objects lie within one chunk: nothing is copied but the text.
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
