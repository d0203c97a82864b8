// A container's log: all its files, oldest first, as one chain. agent.ts makes one for each directory that discovery found, the
// wake and plan files of this stage ask it for news and for segments.
//
// Invariants: bytes leave the chain in write order; a file leaves it only when it has ended, was read to its end and every byte of
// it was answered for; what the listing says is the truth, every difference is repaired at the next look.

import assert from 'node:assert/strict';
import { lstatSync, readdirSync, statSync, type Stats } from 'node:fs';
import { join } from 'node:path';

import { limits } from '../config.ts';
import type { LineFormat, Segment } from '../encode/drain-task.ts';
import { AgentError, hasCode } from '../errors.ts';
import { compareFileNames, parseFileName, sameRotation, type FileName } from './file-name.ts';
import { peekCompressed } from './gz-spool.ts';
import { LogFile } from './log-file.ts';
import type { TailSetup } from './tail-setup.ts';

/** What discovery knows of a container: as much of it as the chain needs. */
export type ChainPlace = {
  readonly directory: string;
  readonly liveName: string;
  readonly format: LineFormat;
  readonly podUid: string;
  readonly container: string;
  /** For files whose names do not tell it. */
  readonly restartCount: number;
};

/** Segments of one chain for one task, with the files they are of. */
export type ChainCut = {
  readonly segments: Segment[];
  readonly files: LogFile[];
  readonly bytes: number;
  /** The container's log is over after the last segment. */
  readonly ended: boolean;
};

export class Chain {
  readonly place: ChainPlace;
  /** Links that lead here; when the last one goes, the container is gone. */
  readonly links = new Set<string>();
  /** In a plan whose task has not answered yet. */
  draining = false;
  /** The last task could not take more, and nothing has been written since. */
  waiting = false;
  /** Milliseconds since the epoch since when the record at `#stuckAt` has been waiting for its end. */
  stuckSinceMs: number | undefined;
  /** When a task was last told to flush that record. */
  flushedAtMs: number | undefined;
  /** Milliseconds since the epoch of the look that found the oldest byte that is not answered for; undefined when all are. */
  behindSinceMs: number | undefined;
  /** Bytes answered for since the start. */
  committedBytes = 0;
  files: LogFile[] = [];
  readonly #setup: TailSetup;
  #stuckAt = '';
  #lagEndsAtBytes = 0;
  #listedMtimeMs = -1;
  #listedAtMs = 0;
  #directoryGone = false;

  constructor(place: ChainPlace, setup: TailSetup) {
    this.place = place;
    this.#setup = setup;
  }

  /** The newest file: the one that a writer appends to. */
  get live(): LogFile | undefined {
    return this.files.at(-1);
  }

  /** Bytes that are not read yet. */
  get unread(): number {
    let bytes = 0;
    for (const file of this.files) bytes += file.unread;
    return bytes;
  }

  /** Bytes that are not answered for yet. */
  get behindBytes(): number {
    let bytes = 0;
    for (const file of this.files) bytes += Math.max(0, file.size - file.committed);
    return bytes;
  }

  /** Some file may still become `ended`, or holds unread bytes that only a descriptor keeps. */
  get unsettled(): boolean {
    return this.files.some((file) => file.supersededAtMs !== undefined && !file.finished);
  }

  /** Gone from the disk and answered for: the chain can be dropped. */
  get over(): boolean {
    return this.#directoryGone && this.links.size === 0 && this.files.length === 0;
  }

  /** Some file's bytes are in danger: it was deleted or rotated and is not read to its end. */
  get atRisk(): boolean {
    return this.files.some((file) => file.unread > 0 && (file.unlinked || file.name.rotation !== ''));
  }

  /** Looks at the directory and at the open files. True when there is news: bytes, files, or an end. */
  look(nowMs: number): boolean {
    let news = this.#lookAtDirectory(nowMs);
    for (const [index, file] of this.files.entries()) {
      const change = file.refresh(nowMs);
      if (change === 'truncated') this.#replaceTruncated(index);
      if (change !== 'same') news = true;
      if (file.identify()) this.#resume(file);
    }
    if (this.#settleEnds(nowMs)) news = true;
    this.#dropFinished();
    if (news) this.waiting = false;
    this.#measureLag(nowMs);
    return news;
  }

  /** The lag counts from the look that found what is oldest now: when all that it found was answered for, it starts anew. */
  #measureLag(nowMs: number): void {
    const bytes = this.behindBytes;
    if (bytes === 0) {
      this.behindSinceMs = undefined;
    } else if (this.behindSinceMs === undefined || this.committedBytes >= this.#lagEndsAtBytes) {
      this.behindSinceMs = nowMs;
      this.#lagEndsAtBytes = this.committedBytes + bytes;
    }
  }

  #lookAtDirectory(nowMs: number): boolean {
    let mtimeMs: number;
    try {
      mtimeMs = statSync(this.place.directory).mtimeMs;
      this.#directoryGone = false;
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
      const news = !this.#directoryGone;
      this.#directoryGone = true;
      if (news) this.#adoptListing([], nowMs);
      return news;
    }
    // A change within the clock's grain of the listing could have been missed by it.
    const listed = mtimeMs === this.#listedMtimeMs && this.#listedAtMs - mtimeMs > limits.mtimeGrainMs;
    if (listed) return false;
    this.#listedMtimeMs = mtimeMs;
    this.#listedAtMs = nowMs;
    return this.list(nowMs);
  }

  /** Reads the directory and repairs the chain to it. True when a file came or went. */
  list(nowMs: number): boolean {
    let names: string[];
    try {
      names = readdirSync(this.place.directory);
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
      names = []; // Deleted between stat and readdir.
    }
    const found: { fileName: string; name: FileName; stats: Stats }[] = [];
    for (const fileName of names) {
      const name = parseFileName(fileName, this.place.liveName);
      if (name === undefined) continue;
      const stats = lstatSync(join(this.place.directory, fileName), { throwIfNoEntry: false });
      if (stats?.isFile() === true) found.push({ fileName, name, stats });
    }
    return this.#adoptListing(found, nowMs);
  }

  #adoptListing(found: { fileName: string; name: FileName; stats: Stats }[], nowMs: number): boolean {
    let news = false;
    const seen = new Set<LogFile>();
    const plain = found.filter(({ name }) => !name.compressed);
    const compressed = found.filter(({ name }) => name.compressed);
    for (const { fileName, name, stats } of [...plain, ...compressed]) {
      const path = join(this.place.directory, fileName);
      const known = this.files.find((file) => isSameFile(file, name, stats));
      if (known !== undefined) {
        if (!seen.has(known) && !(name.compressed && known.fd !== undefined)) known.path = path;
        if (!name.compressed || known.name.compressed) known.name = name;
        seen.add(known);
        continue;
      }
      const file = this.#admit(path, name, stats);
      if (file === undefined) continue;
      seen.add(file);
      news = true;
    }
    for (const file of this.files) {
      if (seen.has(file)) continue;
      if (!file.unlinked) news = true;
      file.unlinked = true;
      file.supersededAtMs ??= nowMs;
    }
    if (news) this.files.sort((a, b) => compareFileNames(a.name, b.name));
    return news;
  }

  #admit(path: string, name: FileName, stats: Stats): LogFile | undefined {
    const { podUid, container } = this.place;
    const restartCount = Math.max(name.restartCount, this.place.format === 'cri' ? 0 : this.place.restartCount);
    const file = new LogFile({ name, path, owner: { podUid, container, restartCount } }, this.#setup);
    file.device = stats.dev;
    file.inode = stats.ino;
    try {
      if (name.compressed) this.#admitCompressed(file, stats);
      else if (file.open() && file.identify()) this.#resume(file);
      if (this.#setup.openFiles.count > this.#setup.openFiles.max) file.close();
    } catch (error) {
      const code = error instanceof AgentError ? error.code : 'FILE_UNREADABLE';
      this.#setup.report(code, `${path}: ${(error as Error).message}`);
      this.#listedMtimeMs = -1; // Look again at the next tick: rights and limits change.
      if (!hasCode(error, 'EMFILE', 'ENFILE')) return undefined;
      file.size = stats.size;
    }
    this.files.push(file);
    return file;
  }

  /** A rotation that the kubelet has compressed: its first bytes tell who it is, its last four how long it was. */
  #admitCompressed(file: LogFile, stats: Stats): void {
    const { head, bytes } = peekCompressed(file.path, this.#setup.roots);
    file.identifyBy(head, stats.mtimeMs);
    file.size = bytes;
    file.needsSpool = true;
    this.#resume(file);
    // ISIZE holds the length modulo 2^32: a file that was read past that is longer than it says.
    while (file.size < file.offset) file.size += 2 ** 32;
  }

  /** Goes on where an earlier run was answered for. */
  #resume(file: LogFile): void {
    const { podUid, container } = this.place;
    const known = this.#setup
      .lookup(podUid, container, file.owner.restartCount)
      .find((checkpoint) => checkpoint.fingerprint === file.identity?.fingerprint);
    if (known !== undefined) {
      const fits = known.offset <= file.size || file.name.compressed;
      if (!fits) this.#setup.report('FILE_TRUNCATED', `${file.path} is shorter than what was read of it`);
      file.offset = fits ? known.offset : 0;
    } else if (this.#setup.from === 'end') {
      file.offset = file.size;
    }
    file.committed = file.offset;
  }

  /** The same inode holds another log now (copytruncate): the old one ends where it was read to. */
  #replaceTruncated(index: number): void {
    const old = this.files[index];
    if (old === undefined) return;
    this.#setup.report('FILE_TRUNCATED', `${old.path} was truncated at ${old.offset} of ${old.size} bytes`);
    old.size = old.offset; // What was cut off cannot be read any more.
    old.ended = true;
    const fresh = new LogFile({ name: old.name, path: old.path, owner: old.owner }, this.#setup);
    old.name = { ...old.name, rotation: old.name.rotation === '' ? '~' : old.name.rotation };
    old.close();
    old.inode = 0;
    this.files.splice(index + 1, 0, fresh);
    try {
      fresh.open();
      if (fresh.identify()) this.#resume(fresh);
    } catch (error) {
      this.#setup.report('FILE_UNREADABLE', `${fresh.path}: ${(error as Error).message}`);
    }
  }

  /** Marks files that nothing will be appended to any more: superseded, and quiet since. */
  #settleEnds(nowMs: number): boolean {
    let news = false;
    for (const [index, file] of this.files.entries()) {
      if (file.ended) continue;
      const superseded = index < this.files.length - 1 || file.unlinked || this.links.size === 0;
      if (this.#setup.once || file.name.compressed) file.ended = true;
      else if (!superseded) file.supersededAtMs = undefined;
      else file.supersededAtMs ??= nowMs;
      // The runtime opens the new file before it closes the old one: lines may come after the successor was seen.
      const quietSinceMs = Math.max(file.supersededAtMs ?? nowMs, file.grownAtMs);
      if (superseded && nowMs - quietSinceMs >= limits.settleMs) file.ended = true;
      if (!file.ended) continue;
      news = true;
      if (file.identify()) this.#resume(file);
    }
    return news;
  }

  /** Closes what is finished; forgets what is no longer on the disk. */
  #dropFinished(): void {
    const dropped = new Set<LogFile>();
    for (const file of this.files) {
      if (!file.finished) continue;
      file.close();
      if (file.unlinked || file.inode === 0) dropped.add(file);
    }
    if (dropped.size === 0) return;
    this.files = this.files.filter((file) => !dropped.has(file));
    for (const file of dropped) {
      const again = this.files.some((other) => isSameIdentity(other, file));
      if (!again && file.identity !== undefined) this.#setup.forget(file.owner, file.identity.fingerprint);
    }
  }

  /**
   * Up to `bytesMax` bytes from the oldest unread place on, of one restart. A file that has not ended is followed by the next one
   * only when it was read to its end: what dangles in it may still get its end there.
   */
  cut(bytesMax: number): ChainCut {
    const segments: Segment[] = [];
    const files: LogFile[] = [];
    let bytes = 0;
    for (const file of this.files) {
      if (file.unread === 0) continue;
      const first = files[0];
      if (first !== undefined && first.owner.restartCount !== file.owner.restartCount) break;
      if (bytes >= bytesMax || !this.#makeReadable(file)) break;
      if (file.unread === 0) continue; // Only its identity told that it was read before.
      const end = Math.min(file.size, file.offset + bytesMax - bytes);
      segments.push(segmentOf(file, end, this.place.format));
      files.push(file);
      bytes += end - file.offset;
      if (!file.ended || end < file.size) break;
    }
    return { segments, files, bytes, ended: this.#endsAfter(files, segments) };
  }

  /** Whether nothing of the same restart will follow the last of these segments. */
  #endsAfter(files: LogFile[], segments: Segment[]): boolean {
    const last = files.at(-1);
    if (last === undefined || segments.at(-1)?.ended !== true) return false;
    const next = this.files[this.files.indexOf(last) + 1];
    if (next !== undefined) return next.owner.restartCount !== last.owner.restartCount;
    return this.#setup.once || this.links.size === 0;
  }

  #makeReadable(file: LogFile): boolean {
    if (file.needsSpool || (file.fd === undefined && !this.#reopen(file))) return false;
    if (file.identify()) this.#resume(file);
    return file.identity !== undefined;
  }

  #reopen(file: LogFile): boolean {
    try {
      if (file.open()) return true;
      this.#listedMtimeMs = -1;
    } catch (error) {
      this.#setup.report('FILE_UNREADABLE', `${file.path}: ${(error as Error).message}`);
      if (hasCode(error, 'ENOENT')) this.#listedMtimeMs = -1;
    }
    return false;
  }

  /**
   * The file that must be unpacked before the chain can go on: the oldest unread one, or the one after it when the oldest ends in
   * a record that goes on there.
   */
  get toSpool(): LogFile | undefined {
    const [first, second] = this.files.filter((file) => file.unread > 0);
    if (first?.needsSpool === true) return first;
    return this.waiting && second?.needsSpool === true ? second : undefined;
  }

  /** Notes how far a task came. Returns whether the chain can be planned again at once. */
  advance(cut: ChainCut, drained: { consumed: readonly number[]; more: boolean }, nowMs: number): boolean {
    this.draining = false;
    for (const [index, file] of cut.files.entries()) {
      file.offset = drained.consumed[index] ?? file.offset;
    }
    const stop = cut.files.findIndex((file, index) => file.offset < (cut.segments[index]?.end ?? 0));
    if (stop === -1 || drained.more) {
      this.stuckSinceMs = undefined;
      return this.unread > 0;
    }
    const stuckAt = `${cut.files[stop]?.identity?.idPrefix}/${cut.files[stop]?.offset}`;
    if (stuckAt !== this.#stuckAt) this.stuckSinceMs = nowMs;
    this.#stuckAt = stuckAt;
    this.stuckSinceMs ??= nowMs;
    // What is left waits for its end; a longer look may hold it already.
    const cutShort = cut.files.some((file, index) => (cut.segments[index]?.end ?? 0) < file.size);
    this.waiting = !cutShort;
    return cutShort;
  }

  /** Closes the descriptors that an idle chain does not need, when there are many. */
  rest(): void {
    const { count, max } = this.#setup.openFiles;
    if (count < max) return;
    for (const file of this.files) if (file.unread === 0 && !file.unlinked) file.close();
  }

  close(): void {
    for (const file of this.files) file.close();
  }
}

function segmentOf(file: LogFile, end: number, format: LineFormat): Segment {
  assert(file.fd !== undefined && file.identity !== undefined);
  const { idPrefix } = file.identity;
  // Raw lines have no time of their own: it is that of reading.
  const fallbackTime = format === 'raw' ? new Date().toISOString() : file.identity.fallbackTime;
  const ended = file.ended && end === file.size;
  return { fd: file.fd, start: file.offset, end, ended, idPrefix, fallbackTime };
}

/** An inode number alone says who a file is only while its descriptor keeps the number from being used again. */
function isSameFile(file: LogFile, name: FileName, stats: Stats): boolean {
  const sameInode = file.inode === stats.ino && file.device === stats.dev;
  if (file.fd !== undefined && !file.name.compressed && !name.compressed) return sameInode;
  return (sameInode && compareFileNames(file.name, name) === 0) || sameRotation(file.name, name);
}

function isSameIdentity(a: LogFile, b: LogFile): boolean {
  return a.identity?.idPrefix === b.identity?.idPrefix;
}
