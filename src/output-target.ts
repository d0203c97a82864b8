// Where entries go: `endpoint` (Cloud Logging), `stdout`, or `file:PATH`, as --output names them.

import { hostname } from 'node:os';
import { resolve } from 'node:path';

export const outputText = 'endpoint, stdout or file:PATH';

type Exclusions = {
  readonly output: readonly string[];
  readonly exclude: readonly string[];
  readonly ownPod: string | undefined;
};

const filePrefix = 'file:';

/** With an absolute path. Throws a RangeError that says what is allowed. */
export function parseOutput(text: string): string {
  if (text === 'endpoint' || text === 'stdout') return text;
  const path = outputPath(text) ?? '';
  if (path === '' || path.endsWith('/')) throw new RangeError(outputText);
  return `${filePrefix}${resolve(path)}`;
}

/** The path of `file:PATH`; undefined for others. */
export function outputPath(output: string): string | undefined {
  return output.startsWith(filePrefix) ? output.slice(filePrefix.length) : undefined;
}

/** Excludes the agent's own log if its entries go there: it would feed itself. */
export function withoutFeedback<Options extends Exclusions>(options: Options): Options {
  if (!options.output.includes('stdout')) return options;
  const ownPod = options.ownPod ?? hostname();
  const own = `*/${ownPod.replaceAll(/[^A-Za-z0-9.-]/g, '?')}`;
  return { ...options, exclude: [...options.exclude, own] };
}
