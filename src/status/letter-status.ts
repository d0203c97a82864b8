// The newest dead letters as the page shows them: without content, unless the user lets the page
// show logs.

import type { DeadLetterStatus } from '../admin/admin-source.ts';
import { limits } from '../config.ts';
import type { Config } from '../options/options.ts';
import { newestLetters } from '../ship/dead-letter-reader.ts';

const { lettersOnPageMax, lettersPageBytesMax, letterShownCharactersMax } = limits;

/** Newest first. */
export function letterStatus({ stateDir, adminShowContent }: Config): DeadLetterStatus[] {
  const letters = newestLetters(stateDir, lettersOnPageMax, lettersPageBytesMax);
  return letters.map(({ id, time, codeName, container, entryBytes, reason, entry }) => ({
    id,
    time,
    codeName,
    container,
    entryBytes,
    ...(adminShowContent && {
      reason,
      entry: entry.toString('utf8').slice(0, letterShownCharactersMax),
    }),
  }));
}
