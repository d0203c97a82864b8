// What is not in Cloud Logging, as the page and `top` list it: losses, dead letters, and pods with
// more files or links than are read.

import { basename } from 'node:path';

import type { DeadLetterStatus, LossEventStatus, OverLimitStatus } from '../admin/admin-source.ts';
import { limits } from '../config.ts';
import type { Config } from '../options/options.ts';
import { newestLetters } from '../ship/dead-letter-reader.ts';
import { type LossLedger, lossWords } from '../tail/loss-ledger.ts';
import type { TailedContainer } from '../tail/tailed-container.ts';

/** Newest first. */
export function lossStatus({ events }: Pick<LossLedger, 'events'>): LossEventStatus[] {
  return events.toReversed().map(({ atMs, lastAtMs, names, cause, bytes, entries }) => ({
    time: new Date(atMs).toISOString(),
    ...(lastAtMs > atMs && { lastTime: new Date(lastAtMs).toISOString() }),
    ...names,
    reason: cause,
    why: lossWords[cause],
    ...(bytes > 0 && { bytes }),
    ...(entries > 0 && { entries }),
  }));
}

/** Newest first; without content, unless the user lets the page show logs. */
export function letterStatus({ stateDir, adminShowContent }: Config): DeadLetterStatus[] {
  const { lettersOnPageMax, lettersPageBytesMax, letterShownCharactersMax } = limits;
  const letters = newestLetters(stateDir, lettersOnPageMax, lettersPageBytesMax);
  return letters.map(({ reason, entry, ...letter }) => {
    const { id, time, codeName, container, entryBytes } = letter;
    const text = entry.toString('utf8').slice(0, letterShownCharactersMax);
    const content = adminShowContent && { reason, entry: text };
    return { id, time, codeName, container, entryBytes, ...content };
  });
}

/** `linksByPod`: counts by the directory of the pod, `<namespace>_<pod>_<uid>`. Most first. */
export function overLimitOf(
  containers: Iterable<TailedContainer>,
  linksByPod: ReadonlyMap<string, number>,
): OverLimitStatus[] {
  const over: OverLimitStatus[] = [];
  for (const { chain, containerLog } of containers) {
    const count = chain.filesOverLimit;
    if (count === 0) continue;
    const { namespace = '', pod = containerLog.directory } = containerLog.name ?? {};
    over.push({ namespace, pod, kind: 'files', count });
  }
  for (const [directory, count] of linksByPod) {
    const [namespace = '', pod = directory] = basename(directory).split('_');
    over.push({ namespace, pod, kind: 'links', count });
  }
  return over.sort((a, b) => b.count - a.count);
}
