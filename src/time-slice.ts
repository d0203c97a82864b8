// Long work on the main thread, cut into portions: a directory with a million names must neither
// block the others' reading nor a probe. The work is a generator that yields where it may pause.

/**
 * Runs `work` to its end or until `endMs` of `performance.now()`, at least `stepsMin` steps.
 * Returns its result when it has ended.
 */
export function runUntil<Result>(
  work: Iterator<void, Result>,
  endMs: number,
  stepsMin: number,
): { readonly value: Result } | undefined {
  for (let steps = 1; ; steps += 1) {
    const step = work.next();
    if (step.done === true) return { value: step.value };
    if (steps >= stepsMin && performance.now() >= endMs) return undefined;
  }
}
