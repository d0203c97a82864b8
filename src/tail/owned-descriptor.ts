// The descriptor of one log file, counted in `OpenFiles`.
//
// Invariant: it has one owner at a time, and is closed once.

import assert from 'node:assert/strict';

import { closeDescriptor } from '../descriptor.ts';
import type { OpenFiles } from './open-files.ts';

export class OwnedDescriptor {
  readonly #openFiles: OpenFiles;
  #fd: number | undefined;

  constructor(openFiles: OpenFiles) {
    this.#openFiles = openFiles;
  }

  get fd(): number | undefined {
    return this.#fd;
  }

  adopt(fd: number): void {
    assert(this.#fd === undefined, 'the previous descriptor must be closed first');
    this.#fd = fd;
    this.#openFiles.noteOpened();
  }

  takeFrom(other: OwnedDescriptor): void {
    const fd = other.#fd;
    if (fd === undefined) return;
    other.#fd = undefined;
    other.#openFiles.noteClosed();
    this.adopt(fd);
  }

  close(): void {
    const fd = this.#fd;
    if (fd === undefined) return;
    this.#fd = undefined;
    this.#openFiles.noteClosed();
    closeDescriptor(fd);
  }
}
