// Checks the patterns of `--redact`. The invariant: a pattern that it lets pass matches no empty
// text, so that every match hides something.

import { limits } from './config.ts';
import { compileRe2, type Re2Pattern } from './re2-pattern.ts';

/** Throws a RangeError that says what is wrong with the pattern. */
export function compilePattern(pattern: string): Re2Pattern {
  const compiled = compileRe2(pattern);
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
