// What is stored of a file, so that a later run finds it and goes on where this one was
// acknowledged.

import assert from 'node:assert/strict';

import type { LogFile } from './log-file.ts';
import type { FileCheckpoint } from './tail-setup.ts';

/** The checkpoint of a file whose identity is known. */
export function checkpointOf(file: LogFile): FileCheckpoint {
  const { identity, owner, device, inode, bornMs, path } = file;
  assert(identity !== undefined, 'what was never identified was never read');
  const { fingerprint, instance } = identity;
  return {
    ...owner,
    fingerprint,
    instance,
    ...file.position.stored,
    size: Math.max(file.committed, file.size),
    device,
    inode,
    bornMs,
    fileName: path.slice(path.lastIndexOf('/') + 1),
  };
}
