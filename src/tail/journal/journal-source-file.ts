// One journal file on the main thread: its header, its progress, and its descriptor while there is
// something to read.
//
// Invariant: a descriptor that a task reads is not closed. A look compares the progress with the
// entry count in the header, which costs one small read.

import { closeSync, constants, fstatSync, openSync } from 'node:fs';

import { limits } from '../../config.ts';
import { isSystemError } from '../../errors.ts';
import { JournalBytes, JournalCorrupt } from '../../journal/journal-bytes.ts';
import { JournalFile } from '../../journal/journal-file.ts';
import { readJournalHeader, type JournalHeader } from '../../journal/journal-header.ts';
import type { JournalResult, JournalSegment } from '../../encode/drain-task.ts';

const blockBytes = 4096;
/** journald has finished such a file, whatever its header says. */
const archivedName = /@[^/]*$|~$/;

export class JournalSourceFile {
  /** The last directory is read first: journald moves from /run to /var. */
  readonly directoryIndex: number;
  #path: string;
  #fd: number | undefined;
  #header: JournalHeader;
  /** The header's entry count when all entries were last handled; -1: never. */
  #handledCount = -1;
  #hint: JournalSegment['hint'];
  #isGone = false;
  #areTwinsPassed = false;
  #awaitsTwinSinceMs: number | undefined;

  /** @throws JournalCorrupt, JournalUnknown, the system's error. */
  constructor(path: string, directoryIndex: number) {
    this.#path = path;
    this.directoryIndex = directoryIndex;
    this.#fd = openFile(path);
    try {
      this.#header = headerOf(this.#fd);
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  get path(): string {
    return this.#path;
  }

  get header(): JournalHeader {
    return this.#header;
  }

  /** Deleted; the rest is read through the descriptor. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Its writer may append to it. */
  get isLive(): boolean {
    return !this.#isGone && !this.#header.isArchived && !archivedName.test(this.#path);
  }

  get hint(): JournalSegment['hint'] {
    return this.#hint;
  }

  /** Copies of entries that were read in other files have been skipped. */
  get areTwinsPassed(): boolean {
    return this.#areTwinsPassed;
  }

  rename(path: string): void {
    // The header read before may lack the last entries.
    if (path !== this.#path) this.look();
    this.#path = path;
    this.#isGone = false;
  }

  /** Entries after a position that were not handled; an estimate: numbers may be missing. */
  unreadAfter(seqnum: number): number {
    return this.#handledCount === this.#header.entryCount ? 0 : this.entriesAfter(seqnum);
  }

  /** Entries after a position, handled or not; an estimate, too. */
  entriesAfter(seqnum: number): number {
    const { entryCount, headSeqnum, tailSeqnum } = this.#header;
    if (tailSeqnum <= seqnum) return 0;
    return Math.min(entryCount, tailSeqnum - Math.max(seqnum, headSeqnum - 1));
  }

  /** Reads the header again. @throws as the constructor. */
  look(): void {
    if (this.isLive && this.#fd !== undefined) this.#header = headerOf(this.#fd);
  }

  /** False when it cannot be opened any more. */
  open(): boolean {
    if (this.#fd !== undefined) return true;
    if (this.#isGone) return false;
    try {
      this.#fd = openFile(this.#path);
      const { fileId } = headerOf(this.#fd);
      if (fileId === this.#header.fileId) return true;
    } catch (error) {
      if (!isSystemError(error)) throw error;
    }
    this.close();
    return false;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  get fd(): number | undefined {
    return this.#fd;
  }

  /** It was deleted. */
  lose(): void {
    this.look();
    this.#isGone = true;
  }

  /** It may hold copies of another file's entries. */
  expectTwins(): void {
    this.#areTwinsPassed = false;
  }

  /** Records the progress of a task. */
  advance(result: JournalResult, nowMs: number): void {
    if (result.awaitsTwin) {
      this.#awaitsTwinSinceMs ??= nowMs;
      this.#areTwinsPassed = nowMs - this.#awaitsTwinSinceMs > limits.journalTwinWaitMs;
      return;
    }
    this.#awaitsTwinSinceMs = undefined;
    this.#areTwinsPassed = true;
    this.#hint = result.hint;
    if (result.isAtEnd) this.#handledCount = result.entryCount;
  }

  /** Looks at some of its entries on this thread; undefined: it is closed, or damaged there. */
  read<Found>(look: (file: JournalFile) => Found): Found | undefined {
    if (this.#fd === undefined) return undefined;
    try {
      const { size } = fstatSync(this.#fd);
      return look(new JournalFile(this.#fd, { size, blockBytes }));
    } catch (error) {
      if (!(error instanceof JournalCorrupt) && !isSystemError(error)) throw error;
      return undefined;
    }
  }
}

/** Refuses links, and pipes, whose opening would block until there is a writer. */
function openFile(path: string): number {
  return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

function headerOf(fd: number): JournalHeader {
  const { size } = fstatSync(fd);
  return readJournalHeader(new JournalBytes(fd, { size, blockBytes: 512 }));
}
