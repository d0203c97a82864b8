// One synthetic container: its log file, how the runtime writes lines into it, and how kubelet and
// others turn the file over.
//
// It writes through one descriptor, as a runtime does: between the rename of a rotation and the
// reopening, lines still go to the renamed file. Invariant: every file on disk that it wrote has
// its range of line numbers in `#ranges`; when such a file goes, its range is moved to the
// account's `deleted`.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import type { CriClock, CriStyle } from './cri-clock.ts';
import type { ContainerAccount, SeqRange } from './log-account.ts';
import { createLineSource, putSeq, timeEnd } from './log-lines.ts';
import type { LineSource, Stream } from './log-lines.ts';
import { compressFile, rotationStamp } from './rotated-file.ts';

/** A line given as text. Its number goes before it as `seq=<n> `, or into an object as `seq`. */
export type WrittenRecord = {
  /** Default stdout. */
  readonly stream?: Stream;
  readonly text: string;
  /** All chunks are P; the next record of the stream continues this one. */
  readonly partial?: boolean;
  /** RFC 3339; default is the clock's. */
  readonly time?: string;
  /** Writes the text as it is, without number and account. */
  readonly isForeign?: boolean;
};

export type WriteOptions = {
  /** Chunks of the records take turns, as when stdout and stderr write long lines at once. */
  readonly interleave?: boolean;
};

export type RotateOptions = {
  /** Runs while the live file does not exist. */
  readonly inGap?: () => void | Promise<void>;
  /** Cuts a record in two: P at the end of the old file, F at the start of the new one. */
  readonly cutRecord?: boolean;
  /** Pause between small steps of compression; 0 is full speed. */
  readonly gzipPauseMs?: number;
};

/** What all containers of a kubelet share. */
export type ContainerFrame = {
  readonly seed: number;
  readonly style: CriStyle;
  readonly clock: CriClock;
  /** One write(2) for each line, or for many lines. */
  readonly writeMode: 'line' | 'batch';
  /** Live and rotated files of one container together, as `containerLogMaxFiles`. */
  readonly filesMax: number;
  readonly scratch: Buffer;
};

type Chunk = { time: string | undefined; stream: Stream; tag: 'P' | 'F'; content: Uint8Array };

const chunkBytesMax = { containerd: 16_384, crio: 8_192 } as const;

/** A container's log. Methods throw the file system's errors as they are. */
export class FakeContainer {
  readonly name: string;
  /** Directory of the log files. */
  readonly directory: string;
  readonly account: ContainerAccount;
  readonly #frame: ContainerFrame;
  readonly #lines: LineSource;
  /** Files on disk and the lines in them. */
  readonly #ranges = new Map<string, SeqRange>();
  /** Records that ended in a P: their number by stream. */
  readonly #open = new Map<Stream, number>();
  #restart = -1;
  #fd = -1;
  /** The name that the last rotation gave. */
  #rotatedPath = '';
  #range: SeqRange = { start: 1, end: 1 };
  /** The first number since the live file was opened. */
  #firstSeq = 1;
  #rotationSecond = 0;
  #isRotating = false;

  constructor(frame: ContainerFrame, account: ContainerAccount, directory: string) {
    const { namespace, pod, container, kind, bytes } = account;
    this.name = container;
    this.directory = directory;
    this.account = account;
    this.#frame = frame;
    this.#lines = createLineSource({
      seed: frame.seed,
      container: `${namespace}/${pod}/${container}`,
      kind,
      ...(bytes === undefined ? {} : { bytes }),
    });
  }

  /** Number of earlier starts. */
  get restart(): number {
    return this.#restart;
  }

  /** The live file, whether or not it exists at the moment. */
  get logPath(): string {
    return path.join(this.directory, `${this.#restart}.log`);
  }

  get isRunning(): boolean {
    return this.#fd >= 0;
  }

  /** Whether it runs and is not being rotated. */
  get isSteady(): boolean {
    return this.isRunning && !this.#isRotating;
  }

  /** Whether the live file holds the end of a record that began in the file before it. */
  get isContinuing(): boolean {
    return this.#range.start < this.#firstSeq;
  }

  /** Bytes of the file that is being written. */
  get fileBytes(): number {
    return fs.fstatSync(this.#fd).size;
  }

  /** Opens `<n+1>.log`; the run before has ended. */
  start(): void {
    assert(!this.isRunning, 'a container is started once');
    fs.mkdirSync(this.directory, { recursive: true });
    this.#restart += 1;
    this.#frame.clock.advance(1);
    this.#openLive();
  }

  /** Ends the run: nothing more is written, and an open record stays a P. */
  kill(): void {
    if (!this.isRunning) return;
    fs.closeSync(this.#fd);
    this.#fd = -1;
    this.#isRotating = false;
    this.#open.clear();
  }

  /** Writes the next `count` lines of the container's kind. */
  writeNext(count: number): void {
    this.#closeRecords();
    const { clock, scratch, writeMode } = this.#frame;
    const { account } = this;
    const first = account.lines + 1;
    let filled = 0;
    for (let seq = first; seq < first + count; seq += 1) {
      const template = this.#lines.at(seq);
      const { bytes, timeStart } = template;
      clock.tick();
      const start = clock.putBefore(bytes, timeEnd);
      if (timeStart > 0) clock.putUtc(bytes, timeStart);
      putSeq(template, seq);
      if (writeMode === 'line') {
        this.#writeBytes(bytes, start, bytes.length);
        continue;
      }
      if (filled + bytes.length > scratch.length) {
        this.#writeBytes(scratch, 0, filled);
        filled = 0;
      }
      filled += bytes.copy(scratch, filled, start);
    }
    account.lines += count;
    this.#range.end = account.lines + 1;
    if (filled > 0) this.#writeBytes(scratch, 0, filled);
  }

  /** Writes these records; those longer than the runtime's limit are cut into P … F by bytes. */
  write(records: readonly (string | WrittenRecord)[], options: WriteOptions = {}): void {
    const queues = records.map((record) =>
      this.#chunks(typeof record === 'string' ? { text: record } : record),
    );
    const chunks = queues.flatMap((queue) => [...queue.entries()]);
    if (options.interleave === true) chunks.sort(([turn], [otherTurn]) => turn - otherTurn);
    // conmon stamps all lines of one read with one time.
    if (this.#frame.style === 'crio') this.#frame.clock.tick();
    for (const [, chunk] of chunks) this.#writeChunk(chunk);
  }

  #chunks(record: WrittenRecord): Chunk[] {
    const stream = record.stream ?? 'stdout';
    const content = Buffer.from(record.isForeign === true ? record.text : this.#enter(record));
    const bytesMax = chunkBytesMax[this.#frame.style];
    const chunks: Chunk[] = [];
    let start = 0;
    // A full read of conmon has no newline yet: the closing F is then empty.
    const isCut = (left: number): boolean =>
      this.#frame.style === 'crio' ? left >= bytesMax : left > bytesMax;
    while (isCut(content.length - start)) {
      const part = content.subarray(start, start + bytesMax);
      chunks.push({ time: record.time, stream, tag: 'P', content: part });
      start += bytesMax;
    }
    const tag = record.partial === true ? 'P' : 'F';
    chunks.push({ time: record.time, stream, tag, content: content.subarray(start) });
    return chunks;
  }

  /** Enters the record into the account and returns its text with its number. */
  #enter(record: WrittenRecord): string {
    const { account } = this;
    const stream = record.stream ?? 'stdout';
    const openSeq = this.#open.get(stream);
    let text = record.text;
    if (openSeq === undefined) {
      account.lines += 1;
      const seq = account.lines;
      const isObject = text.startsWith('{"') && text.endsWith('}');
      text = isObject ? `{"seq":${seq},${text.slice(1)}` : `seq=${seq} ${text}`;
      account.explicit.set(seq, { stream, text });
      if (record.partial === true) this.#open.set(stream, seq);
    } else {
      const begun = account.explicit.get(openSeq);
      assert(begun !== undefined, 'an open record is in the account');
      begun.text += text;
      if (record.partial !== true) this.#open.delete(stream);
      this.#range.start = Math.min(this.#range.start, openSeq);
    }
    this.#range.end = account.lines + 1;
    return text;
  }

  /** Ends records that were left open, so that generated lines do not continue them. */
  #closeRecords(): void {
    for (const stream of this.#open.keys()) this.write([{ stream, text: '' }]);
  }

  #writeChunk(chunk: Chunk): void {
    const { clock, style } = this.#frame;
    if (style === 'containerd') clock.tick();
    const header = `${chunk.time ?? clock.text()} ${chunk.stream} ${chunk.tag} `;
    const line = Buffer.concat([Buffer.from(header), chunk.content, Buffer.from('\n')]);
    this.#writeBytes(line, 0, line.length);
  }

  #writeBytes(bytes: Uint8Array, start: number, end: number): void {
    assert(this.isRunning, `${this.name} runs`);
    const written = fs.writeSync(this.#fd, bytes, start, end - start);
    assert.equal(written, end - start, 'the file system takes whole lines');
    this.account.fileBytes += written;
  }

  #openLive(): void {
    const { logPath } = this;
    if (this.#frame.style === 'crio') {
      // conmon first gives the new file another name: the same inode appears as 0.log.tmp.
      this.#fd = fs.openSync(`${logPath}.tmp`, 'a');
      fs.renameSync(`${logPath}.tmp`, logPath);
    } else {
      this.#fd = fs.openSync(logPath, 'a');
    }
    this.#beginRange();
  }

  #beginRange(): void {
    this.#firstSeq = this.account.lines + 1;
    this.#range = { start: this.#firstSeq, end: this.#firstSeq };
    this.#ranges.set(this.logPath, this.#range);
  }

  /** The kubelet's whole rotation: rotateStart and rotateFinish. */
  async rotate(options: RotateOptions = {}): Promise<void> {
    const isCut = options.cutRecord === true;
    if (isCut) this.write([{ text: 'begun before the rotation', partial: true }]);
    await this.rotateStart(options);
    await options.inGap?.();
    this.rotateFinish();
    if (isCut) this.write([', ended after it']);
  }

  /**
   * Prunes, compresses and renames. Then there is no live file, and lines go to the renamed one.
   */
  async rotateStart(options: RotateOptions = {}): Promise<void> {
    const { logPath } = this;
    assert(this.isSteady, 'only a live file is rotated');
    this.#isRotating = true;
    for (const name of this.rotatedNames()) {
      const isDone =
        name.endsWith('.tmp') || fs.existsSync(path.join(this.directory, `${name}.gz`));
      if (isDone) this.removeFile(path.join(this.directory, name));
    }
    const rotated = this.rotatedNames();
    const keep = Math.max(this.#frame.filesMax - 2, 0);
    for (const name of rotated.splice(0, Math.max(rotated.length - keep, 0))) {
      this.removeFile(path.join(this.directory, name));
    }
    for (const name of rotated) {
      if (name.endsWith('.gz')) continue;
      const file = path.join(this.directory, name);
      await compressFile(file, options.gzipPauseMs ?? 0);
      this.#moveRange(file, `${file}.gz`);
    }
    this.#rotationSecond = Math.max(this.#frame.clock.seconds(), this.#rotationSecond + 1);
    this.#rotatedPath = `${logPath}.${rotationStamp(this.#rotationSecond)}`;
    fs.renameSync(logPath, this.#rotatedPath);
    this.#moveRange(logPath, this.#rotatedPath);
  }

  /** ReopenContainerLog: the runtime opens the live path again. */
  rotateFinish(): void {
    fs.closeSync(this.#fd);
    this.#frame.clock.advance(1);
    this.#isRotating = false;
    this.#openLive();
  }

  /** As the kubelet when the reopening fails: the file gets its name back. */
  rotateUndo(): void {
    fs.renameSync(this.#rotatedPath, this.logPath);
    this.#moveRange(this.#rotatedPath, this.logPath);
    this.#isRotating = false;
  }

  /** logrotate's copytruncate: the file stays, its content goes (a copy is `<n>.log.1`). */
  copyTruncate(options: { readonly keepCopy?: boolean } = {}): void {
    const { logPath } = this;
    assert(this.isSteady, 'only a live file is truncated');
    const next = this.account.lines + 1;
    const gone: SeqRange = { start: this.#range.start, end: next };
    if (options.keepCopy === true) {
      fs.copyFileSync(logPath, `${logPath}.1`);
      this.#forget(`${logPath}.1`);
      this.#ranges.set(`${logPath}.1`, gone);
    } else {
      this.#enterDeleted(gone);
    }
    fs.truncateSync(logPath, 0);
    this.#beginRange();
    this.#frame.clock.advance(1);
  }

  /** CRI-O's own `log_size_max`: a new file takes the name at once, and the old content is lost. */
  replaceFile(): void {
    const { logPath } = this;
    assert(this.isSteady, 'only a live file is replaced');
    fs.closeSync(this.#fd);
    this.#fd = fs.openSync(`${logPath}.tmp`, 'a');
    fs.renameSync(`${logPath}.tmp`, logPath);
    this.#forget(logPath);
    this.#frame.clock.advance(1);
    this.#beginRange();
  }

  /** Names of the current run's rotated files, oldest first. */
  rotatedNames(): string[] {
    const prefix = `${this.#restart}.log.`;
    return fs
      .readdirSync(this.directory)
      .filter((name) => name.startsWith(prefix))
      .toSorted();
  }

  /** Removes all files of a finished run, like the kubelet's clean-up of `<logpath>*`. */
  removeRun(restart: number): void {
    for (const name of fs.readdirSync(this.directory).toSorted()) {
      if (name.startsWith(`${restart}.log`)) this.removeFile(path.join(this.directory, name));
    }
  }

  /** Removes one file, and enters its lines into the account as deleted. */
  removeFile(file: string): void {
    fs.unlinkSync(file);
    this.#forget(file);
  }

  #moveRange(from: string, to: string): void {
    const range = this.#ranges.get(from);
    if (range === undefined) return;
    this.#ranges.delete(from);
    this.#ranges.set(to, range);
  }

  #forget(file: string): void {
    const range = this.#ranges.get(file);
    this.#ranges.delete(file);
    if (range !== undefined) this.#enterDeleted(range);
  }

  #enterDeleted(range: SeqRange): void {
    if (range.end > range.start) this.account.deleted.push({ ...range });
  }
}
