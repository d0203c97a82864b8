// Compiles the patterns of `--redact`.
//
// The invariant: the library is loaded by the first pattern and never without one. It is re2js,
// which searches in time linear in the text: V8's own expressions take exponential time for some
// texts, and the texts are a tenant's.

import { createRequire } from 'node:module';
import type { RE2JS } from 're2js';

import { limits } from './config.ts';

export type RedactionPattern = RE2JS;

/** A worker cannot wait for an `import()` in the middle of a task. */
const require = createRequire(import.meta.url);

/** Throws a RangeError that says what is wrong with the pattern. */
export function compilePattern(pattern: string): RedactionPattern {
  const library = require('re2js') as { readonly RE2JS: typeof RE2JS };
  let compiled: RedactionPattern;
  try {
    compiled = library.RE2JS.compile(pattern);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RangeError(`a regular expression of RE2 (${reason})`, { cause: error });
  }
  if (compiled.test('')) throw new RangeError('a pattern that matches no empty text');
  return compiled;
}

/** Throws a RangeError that says what is wrong with the patterns. */
export function checkPatterns(patterns: readonly string[]): void {
  let steps = 0;
  for (const pattern of new Set(patterns)) steps += compilePattern(pattern).programSize();
  if (steps <= limits.redactStepsMax) return;
  throw new RangeError(`patterns of ${limits.redactStepsMax} steps together; these have ${steps}`);
}
