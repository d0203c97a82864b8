// What is stored of a file, so that a later run finds it and goes on where this one was
// acknowledged.

import assert from 'node:assert/strict';

import type { FileIdentity, FileOwner } from './file-identity.ts';
import type { Position } from './position.ts';

type StoredFile = Pick<Checkpoint, 'device' | 'inode' | 'bornMs'> & {
  readonly identity: FileIdentity | undefined;
  readonly owner: FileOwner;
  readonly path: string;
  readonly size: number;
  readonly position: Pick<Position, 'committed' | 'stored'>;
};
import type { Checkpoint } from '../commit/checkpoint.ts';

/** The checkpoint of a file whose identity is known. */
export function checkpointOf(file: StoredFile): Checkpoint {
  const { identity, owner, device, inode, bornMs, path } = file;
  assert(identity !== undefined, 'what was never identified was never read');
  const { offset, positionHash, readTimes } = file.position.stored;
  // Without spreads: they cost three times the garbage, for each container and flush.
  return {
    podUid: owner.podUid,
    container: owner.container,
    restartCount: owner.restartCount,
    fingerprint: identity.fingerprint,
    instance: identity.instance,
    offset,
    positionHash,
    readTimes,
    size: Math.max(file.position.committed, file.size),
    device,
    inode,
    bornMs,
    fileName: path.slice(path.lastIndexOf('/') + 1),
  };
}
