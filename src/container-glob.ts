// `namespace/pod/container` with `*` and `?`, and `glob=bytes` a second.

import { byteUnits } from './byte-units.ts';
import { limits } from './config.ts';

export type ContainerGlob = (names: {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** Another name of the container: `journal`, for each of the journal's logs. */
  readonly group?: string;
}) => boolean;

export const globText = 'NAMESPACE, NAMESPACE/POD or NAMESPACE/POD/CONTAINER, with * and ?';
export const rateText = `GLOB=BYTES a second of at least 1Ki, such as shop/*/app=64Ki; GLOB is ${globText}`;

const partPattern = /^[A-Za-z0-9.*?_-]+$/;

/** Missing parts match everything. Throws a RangeError that says what is allowed. */
export function parseGlob(text: string): ContainerGlob {
  const parts = text.split('/');
  if (parts.length > 3 || !parts.every((part) => partPattern.test(part))) {
    throw new RangeError(globText);
  }
  const [namespace = '*', pod = '*', container = '*'] = parts;
  return (names) =>
    matchesGlob(namespace, names.namespace) &&
    matchesGlob(pod, names.pod) &&
    (matchesGlob(container, names.container) ||
      (names.group !== undefined && matchesGlob(container, names.group)));
}

/** Throws a RangeError that says what is allowed. */
export function parseRate(text: string): { glob: ContainerGlob; bytesPerSecond: number } {
  const [, globPart = '', number, unit = ''] = /^([^=]+)=(\d{1,12})([A-Za-z]*)$/.exec(text) ?? [];
  const bytesPerSecond = Number(number) * (byteUnits[unit] ?? Number.NaN);
  if (!(bytesPerSecond >= limits.rateBytesMin)) throw new RangeError(rateText);
  return { glob: parseGlob(globPart), bytesPerSecond };
}

/**
 * Whether the whole name matches, in time of the product of both lengths: no name may stall the
 * agent.
 */
export function matchesGlob(pattern: string, name: string): boolean {
  let at = 0;
  let star = -1;
  let starName = 0;
  for (let index = 0; index < name.length;) {
    const wanted = pattern[at];
    if (wanted === '*') {
      star = at;
      starName = index;
      at += 1;
    } else if (wanted !== undefined && (wanted === '?' || wanted === name[index])) {
      at += 1;
      index += 1;
    } else if (star !== -1) {
      // The last star takes one more character.
      starName += 1;
      index = starName;
      at = star + 1;
    } else {
      return false;
    }
  }
  while (pattern[at] === '*') at += 1;
  return at === pattern.length;
}
