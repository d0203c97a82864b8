// A configuration for tests, which have no command line.

import { configKeys, rowOf } from '../../src/options/config-loader.ts';
import type { Config } from '../../src/options/options.ts';

/** The defaults, with some values of the right type replaced. */
export function makeConfig(overrides: Partial<Config> = {}): Config {
  const defaults = configKeys.map((key) => [key, rowOf(key).default]);
  return Object.freeze({ ...(Object.fromEntries(defaults) as Config), ...overrides });
}
