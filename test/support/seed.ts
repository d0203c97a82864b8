// The seed of random tests: new at each run, printed, and given again by TAILSHIP_SEED.

/** Prints the seed, so that a failing run can be repeated. */
export function seedOfRun(): number {
  const given = process.env['TAILSHIP_SEED'];
  const seed = given === undefined ? Date.now() & 0x7fff_ffff : Number(given);
  process.stdout.write(`TAILSHIP_SEED=${seed}\n`);
  return seed;
}
