// Long work on the main thread, cut into portions: a directory with a million names must neither
// block the others' reading nor a probe. The work is a generator that yields where it may pause.

/**
 * Runs `work` to its end or until `endMs` of `performance.now()`, at least `stepsMin` steps.
 * Returns whether it has ended.
 */
export function runUntil(work: Iterator<void, void>, endMs: number, stepsMin: number): boolean {
  for (let steps = 1; ; steps += 1) {
    if (work.next().done === true) return true;
    if (steps >= stepsMin && performance.now() >= endMs) return false;
  }
}
