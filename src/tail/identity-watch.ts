// The beginning of one file: read until it tells what the file is, compared later to see whether
// another log has taken its place.

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

/** The file as far as its bytes do not say it. */
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

  /** What the first bytes say; known whenever the identity is. */
  get head(): FileHead | undefined {
    return this.#head;
  }

  /**
   * Reads up to `size` bytes. False while the first line is being written, and for a while as long
   * as no record has a time: the next one may. `complete` when nothing follows.
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
    // Nearly always one read: a start makes thousands.
    let bytes = peekFile(fd, 0, Math.min(fingerprintBytes, size));
    let head = readFileHead(bytes, format, complete);
    if (head?.time === undefined && mayHaveTime && size > fingerprintBytes) {
      bytes = peekFile(fd, 0, size);
      head = readFileHead(bytes, format, complete);
    }
    if (head === undefined) return false;
    const mayGrow = !complete && size < identityBytes;
    if (head.time === undefined && mayHaveTime && mayGrow && this.#isEarly()) return false;
    // Where the first line is that of many files, all that is there tells them apart.
    const isTelling = head.time !== undefined && head.fingerprint === head.lineHash;
    const told = isTelling
      ? bytes.subarray(0, head.lineBytes)
      : withoutHole(peekFile(fd, 0, Math.min(size, identityBytes)));
    // Nothing but zeros: its writer may have reserved the place.
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

  /** Takes what the first bytes of a `.gz` say; without a time among it they are no identity. */
  readPacked(bytes: Uint8Array, facts: Facts): void {
    this.#head = readFileHead(bytes, 'raw', true);
    if (this.#head?.time !== undefined) this.become(undefined, facts);
  }

  /** Takes over what an earlier run found out; the bytes are compared no more. */
  restore(identity: FileIdentity): void {
    this.#identity = identity;
  }

  /** Takes `instance` as its place, or without one that of its bytes, or birth. */
  become(instance: string | undefined, { owner, birth }: Facts): void {
    assert(this.#head !== undefined, 'the head is what an identity is made of');
    this.#identity = identifyFile(this.#head, owner, birth, instance);
  }

  /** How many bytes are compared. */
  get comparedBytes(): number {
    return this.#hash === undefined ? 0 : this.#hashedBytes;
  }

  get #firstBytes(): number {
    return Math.min(this.#hashedBytes, limits.fingerprintBytes);
  }

  /** Whether other bytes are at its very beginning now. */
  isOtherAtFirst(fd: number | undefined): boolean {
    if (this.#firstHash === undefined || fd === undefined) return false;
    return positionHash(peekFile(fd, 0, this.#firstBytes)) !== this.#firstHash;
  }

  /** Whether the file begins with other bytes now. */
  isOther(fd: number): boolean {
    if (this.#head === undefined || this.#hash === undefined) return false;
    return positionHash(peekFile(fd, 0, this.#hashedBytes)) !== this.#hash;
  }
}

/** The bytes that come before the zeros at their end, which may still be filled. */
function withoutHole(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return bytes.subarray(0, end);
}
