// Makes the checkpoint of a file.

import assert from 'node:assert/strict';

import type { Checkpoint } from '../commit/checkpoint.ts';
import type { FileIdentity, FileOwner } from './file-identity.ts';
import type { Position } from './position.ts';

type StoredFile = Pick<Checkpoint, 'device' | 'inode' | 'bornMs'> & {
  readonly identity: FileIdentity | undefined;
  readonly owner: FileOwner;
  readonly path: string;
  readonly size: number;
  readonly position: Pick<Position, 'committed' | 'stored'>;
};

/** The file's identity is known. */
export function checkpointOf(file: StoredFile): Checkpoint {
  const { identity, owner, device, inode, bornMs, path } = file;
  assert(identity !== undefined, 'a file that was not identified was not read');
  const { offset, positionHash, readTimes } = file.position.stored;
  // Without spreads, which make three times the garbage for each container and flush.
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
