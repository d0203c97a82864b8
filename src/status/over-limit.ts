// The pods with more files and links than are read, for the status.

import { basename } from 'node:path';

import type { OverLimitStatus } from '../admin/admin-source.ts';
import type { TailedContainer } from '../tail/tailed-container.ts';

/** `linksByPod`: counts by the directory of the pod, `<namespace>_<pod>_<uid>`. Most first. */
export function overLimitOf(
  chains: Iterable<TailedContainer>,
  linksByPod: ReadonlyMap<string, number>,
): OverLimitStatus[] {
  const over: OverLimitStatus[] = [];
  for (const { chain, containerLog } of chains) {
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
