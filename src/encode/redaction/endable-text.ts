// A text whose search can be ended. re2js reads its text one character at a time and cannot be
// interrupted in between, but what it reads can throw: a pattern of 500 instructions takes 20 s for
// a megabyte, and nothing else of the thread is done meanwhile.
//
// Invariant: what re2js uses of a string, and nothing else, is here; it drops the state of a search
// that throws.

/** The time for the searches of a record is over. */
export class SearchSpent extends Error {}

/** Characters between two looks at the clock: some milliseconds at most. */
const looksEvery = 512;

class EndableText {
  readonly length: number;
  readonly #text: string;
  readonly #isSpent: () => boolean;
  #untilLook = looksEvery;

  constructor(text: string, isSpent: () => boolean) {
    this.length = text.length;
    this.#text = text;
    this.#isSpent = isSpent;
  }

  /** Makes re2js take it for a string. */
  get [Symbol.toStringTag](): string {
    return 'String';
  }

  charCodeAt(index: number): number {
    this.#untilLook -= 1;
    if (this.#untilLook === 0) {
      this.#untilLook = looksEvery;
      if (this.#isSpent()) throw new SearchSpent();
    }
    return this.#text.charCodeAt(index);
  }

  indexOf(searched: string, from?: number): number {
    return this.#text.indexOf(searched, from);
  }
}

/** re2js searches it like `text` until `isSpent`, and then throws SearchSpent. */
export function endableText(text: string, isSpent: () => boolean): string {
  return new EndableText(text, isSpent) as unknown as string;
}
