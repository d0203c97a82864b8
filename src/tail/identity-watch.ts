// The beginning of one file: read until it identifies the file, and compared later to see whether
// another log has replaced it.

import assert from 'node:assert/strict';

import { limits } from '../config.ts';
import type { LineFormat } from '../encode/drain-task.ts';
import { positionHash } from '../position-hash.ts';
import { steadyNowMs } from '../steady-clock.ts';
import {
  identifyFile,
  readFileHead,
  type FileBirth,
  type FileHead,
  type FileIdentity,
  type FileOwner,
} from './file-identity.ts';
import { peekFile } from './file-peek.ts';

/** What does not follow from the file's bytes. */
type Facts = { readonly owner: FileOwner; readonly birth: FileBirth };

export class IdentityWatch {
  #identity: FileIdentity | undefined;
  #head: FileHead | undefined;
  #hash: number | undefined;
  #hashedBytes = 0;
  #firstHash: number | undefined;
  #sinceMs: number | undefined;

  get identity(): FileIdentity | undefined {
    return this.#identity;
  }

  /** Unknown for a restored copy. */
  get head(): FileHead | undefined {
    return this.#head;
  }

  /**
   * Reads up to `size` bytes. False while the first line is incomplete, and for a while when no
   * record has a time: the next one may. `complete`: nothing more will come.
   */
  read(
    {
      fd,
      size,
      format,
      complete,
    }: { fd: number; size: number; format: LineFormat; complete: boolean },
    facts: Facts,
  ): boolean {
    const { fingerprintBytes, identityBytes } = limits;
    const mayHaveTime = format !== 'raw';
    // Usually one read: a start makes thousands.
    let bytes = peekFile(fd, 0, Math.min(fingerprintBytes, size));
    let head = readFileHead(bytes, format, complete);
    if (head?.time === undefined && mayHaveTime && size > fingerprintBytes) {
      bytes = peekFile(fd, 0, size);
      head = readFileHead(bytes, format, complete);
    }
    if (head === undefined) return false;
    const mayGrow = !complete && size < identityBytes;
    if (head.time === undefined && mayHaveTime && mayGrow && this.#isEarly()) return false;
    // The first line may be that of many files: then all bytes count.
    const isTelling = head.time !== undefined && head.fingerprint === head.lineHash;
    const told = isTelling
      ? bytes.subarray(0, head.lineBytes)
      : withoutHole(peekFile(fd, 0, Math.min(size, identityBytes)));
    // Only zeros: the writer may have reserved the space.
    if (told.length === 0 && mayGrow && !isTelling) return false;
    this.#hashedBytes = told.length;
    this.#hash = positionHash(told);
    this.#firstHash = positionHash(told.subarray(0, fingerprintBytes));
    this.#head = head;
    this.become(undefined, facts);
    return true;
  }

  #isEarly(): boolean {
    this.#sinceMs ??= steadyNowMs();
    return steadyNowMs() - this.#sinceMs < limits.identityWaitMs;
  }

  /** The first bytes of a `.gz` identify it only if they contain a time. */
  readPacked(bytes: Uint8Array, facts: Facts): void {
    this.#head = readFileHead(bytes, 'raw', true);
    if (this.#head?.time !== undefined) this.become(undefined, facts);
  }

  /** Takes the identity from an earlier run; the bytes are not compared. */
  restore(identity: FileIdentity): void {
    this.#identity = identity;
  }

  /** Identifies the file by `instance`, or without one by its bytes and birth. */
  become(instance: string | undefined, { owner, birth }: Facts): void {
    assert(this.#head !== undefined, 'an identity is made of the head');
    this.#identity = identifyFile(this.#head, owner, birth, instance);
  }

  /** How many bytes are compared. */
  get comparedBytes(): number {
    return this.#hash === undefined ? 0 : this.#hashedBytes;
  }

  get #firstBytes(): number {
    return Math.min(this.#hashedBytes, limits.fingerprintBytes);
  }

  /** Whether its first `limits.fingerprintBytes` have changed. */
  isOtherAtFirst(fd: number | undefined): boolean {
    if (this.#firstHash === undefined || fd === undefined) return false;
    return positionHash(peekFile(fd, 0, this.#firstBytes)) !== this.#firstHash;
  }

  /** Whether any of the compared bytes have changed. */
  isOther(fd: number): boolean {
    if (this.#head === undefined || this.#hash === undefined) return false;
    return positionHash(peekFile(fd, 0, this.#hashedBytes)) !== this.#hash;
  }
}

/** Without the zeros at the end, which may still be filled. */
function withoutHole(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return bytes.subarray(0, end);
}
