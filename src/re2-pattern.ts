// Compiles regular expressions of RE2.
//
// The invariant: the library is loaded by the first pattern and never without one. It is re2js,
// which searches in time linear in the text: V8's own expressions take exponential time for some
// texts, and the texts are a tenant's.

import { createRequire } from 'node:module';
import type { RE2JS } from 're2js';

import { errorText } from './errors.ts';
import { limits } from './config.ts';

export type Re2Pattern = RE2JS;

/** A worker cannot wait for an `import()` in the middle of a task. */
const require = createRequire(import.meta.url);

/** A pattern takes a millisecond to compile. */
const compiledPatterns = new Map<string, Re2Pattern>();

/** Throws a RangeError that says what is wrong with the pattern. */
export function compileRe2(pattern: string): Re2Pattern {
  const known = compiledPatterns.get(pattern);
  if (known !== undefined) return known;
  const library = require('re2js') as { readonly RE2JS: typeof RE2JS };
  try {
    const compiled = library.RE2JS.compile(pattern);
    if (compiledPatterns.size >= limits.redactPatternsKept) compiledPatterns.clear();
    compiledPatterns.set(pattern, compiled);
    return compiled;
  } catch (error) {
    const reason = errorText(error);
    throw new RangeError(`a regular expression of RE2 (${reason})`, { cause: error });
  }
}
