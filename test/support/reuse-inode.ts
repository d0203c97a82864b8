// Gives a file the inode number of the one that it replaces, as ext4 does when it likes.

import { renameSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';

const triesMax = 200;

/**
 * Replaces the file at `path` by one with this content and the same inode number. False where the
 * file system does not give the number again, or somebody else got it.
 */
export function replaceOnSameInode(path: string, content: string): boolean {
  const { ino } = statSync(path);
  unlinkSync(path);
  const tried: string[] = [];
  try {
    for (let index = 0; index < triesMax; index += 1) {
      const candidate = `${path}.try-${index}`;
      writeFileSync(candidate, content);
      if (statSync(candidate).ino === ino) {
        renameSync(candidate, path);
        return true;
      }
      tried.push(candidate);
    }
    writeFileSync(path, content);
    return false;
  } finally {
    for (const each of tried) rmSync(each);
  }
}
