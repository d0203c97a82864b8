// Unpacks files that can only be read from a `.gz`, one at a time, the most urgent one first, and
// opens the copies of deleted files.
//
// Invariants: unpacked files never take more than `spoolsBytesMax` of the state directory; each
// descriptor has one owner, this file until a log file adopts it; what cannot be unpacked
// is given up and counted as lost, a file for which there is no room waits.

import { limits } from '../config.ts';
import { closeDescriptor } from '../descriptor.ts';
import { type ErrorCode, isSystemError, AgentError } from '../errors.ts';
import { steadyNowMs } from '../steady-clock.ts';
import type { Chain } from './chain.ts';
import { isBroken } from './gz-head.ts';
import { salvageCompressed, type Salvaged } from './gz-salvage.ts';
import { unpackCompressed } from './gz-spool.ts';
import { GzTries } from './gz-tries.ts';
import type { LogFile } from './log-file.ts';
import { Orphans } from './orphans.ts';
import { packedSize } from './pack-losses.ts';
import { copyRange, createNameless, filled, SpoolOverflow, type SpoolFile } from './spool-file.ts';

export type SpoolerOptions = {
  readonly directory: string;
  /** Real paths that a `.gz` must lie under. */
  readonly roots: readonly string[];
  report(code: ErrorCode, text: string): void;
};

/** An unpacked file that is not read to its end. */
type Spool = { readonly chain: Chain; storedBytes: number };

type Candidate = { readonly chain: Chain; readonly file: LogFile; readonly readable: number };

export class Spooler {
  readonly orphans: Orphans;
  readonly #options: SpoolerOptions;
  readonly #spools = new Map<LogFile, Spool>();
  readonly #tries = new GzTries();
  #isBusy = false;

  constructor(options: SpoolerOptions) {
    this.#options = options;
    this.orphans = new Orphans(options.directory, (code, text) => options.report(code, text));
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Bytes of the state directory that unpacked files take. */
  get storedBytes(): number {
    let bytes = 0;
    for (const { storedBytes } of this.#spools.values()) bytes += storedBytes;
    return bytes;
  }

  /**
   * Frees what was read, and unpacks the most urgent file of these chains for which there is room.
   * Resolves when that is done; undefined when there is nothing to do.
   */
  start(chains: Iterable<{ readonly chain: Chain }>, nowMs: number): Promise<void> | undefined {
    this.#closeRead();
    if (this.#isBusy) return undefined;
    const next = this.#next(chains, nowMs);
    if (next === undefined) return undefined;
    if (this.orphans.isFound(next.file)) return this.#run(() => this.#open(next));
    if (this.#hasRoomFor(next.file)) return this.#run(() => this.#unpack(next));
    const waiting = this.#shrinkable();
    return waiting && this.#run(() => this.#shrink(...waiting));
  }

  #closeRead(): void {
    for (const [file, { chain }] of this.#spools) {
      if (file.unread === 0 && !chain.draining && !file.spool.isBusy) file.close();
      if (file.fd === undefined) this.#spools.delete(file);
    }
  }

  async #run(work: () => Promise<void>): Promise<void> {
    this.#isBusy = true;
    try {
      await work();
    } finally {
      this.#isBusy = false;
    }
  }

  /** The file of the chain that has least to read without it. */
  #next(chains: Iterable<{ readonly chain: Chain }>, nowMs: number): Candidate | undefined {
    let next: Candidate | undefined;
    for (const { chain } of chains) {
      const file = chain.toSpool(nowMs);
      if (file === undefined) continue;
      // A waiting chain holds a spool already, and needs the next one to release it.
      const isFull = this.#spools.size >= limits.spoolsMax || !this.#hasRoomFor(file);
      if (isFull && !chain.waiting && !this.orphans.isFound(file)) continue;
      const readable = chain.waiting ? 0 : chain.readable(nowMs);
      if (next === undefined || readable < next.readable) next = { chain, file, readable };
    }
    return next;
  }

  /**
   * A file never waits for more than half of the room, because its trailer may claim any size. One
   * that turns out to be too large is tried again when there is more room.
   */
  #hasRoomFor(file: LogFile): boolean {
    const wanted = Math.min(file.unread, roomBytes / 2);
    return this.storedBytes + wanted <= roomBytes;
  }

  async #unpack({ chain, file }: Candidate): Promise<void> {
    file.spool.begin();
    try {
      const spool = await this.#unpacked(file.path);
      if (chain.isClosed || !chain.files.includes(file)) return closeDescriptor(spool.fd);
      const isAdopted = handOver({ chain, file }, spool);
      this.#tries.forget(file.path);
      if (isAdopted) this.#spools.set(file, { chain, storedBytes: spool.storedBytes });
    } catch (error) {
      this.#fail({ chain, file }, error);
    } finally {
      file.spool.end();
      chain.endWait();
    }
  }

  /** All of it, or what can be unpacked when it has been broken for so many tries. */
  async #unpacked(path: string): Promise<SpoolFile | Salvaged> {
    const { directory: spoolDir, roots } = this.#options;
    const options = { spoolDir, roots, bytesMax: roomBytes - this.storedBytes };
    try {
      return await unpackCompressed(path, options);
    } catch (error) {
      if (!isBroken(error) || !this.#tries.fail(path, packedSize(path))) throw error;
      this.#options.report('FILE_UNREADABLE', `${path}: ${String(error)}`);
      return await salvageCompressed(path, options);
    }
  }

  /** The copy of a deleted file needs no new room. */
  async #open({ chain, file }: Candidate): Promise<void> {
    file.spool.begin();
    try {
      const copy = await this.orphans.open(file);
      if (copy === undefined) return;
      if (chain.isClosed) closeDescriptor(copy.fd);
      else file.moveToCopy(copy);
    } catch (error) {
      this.#fail({ chain, file }, error);
    } finally {
      file.spool.end();
      chain.endWait();
    }
  }

  /** Gives a broken file up; where there is no room, tries again later. */
  #fail({ chain, file }: Omit<Candidate, 'readable'>, error: unknown): void {
    if (!isBroken(error) && !(error instanceof SpoolOverflow) && !isExpected(error)) throw error;
    this.#options.report('FILE_UNREADABLE', `${file.path}: ${String(error)}`);
    if (error instanceof SpoolOverflow) {
      const isAlone = [...this.#spools.values()].every((spool) => spool.chain === chain);
      if (isAlone) {
        const packedBytes = packedSize(file.path);
        return chain.packs.lose(file, { packedBytes, sizeMin: error.bytes });
      }
    } else if (isBroken(error)) {
      const packedBytes = packedSize(file.path);
      if (this.#tries.isGivenUp(file.path, packedBytes)) chain.packs.lose(file, { packedBytes });
      return;
    }
    file.spool.postpone(steadyNowMs() + limits.spoolRetryMs);
  }

  /** A spool of which only the beginning of a record is unread, which continues in another file. */
  #shrinkable(): [LogFile, Spool] | undefined {
    for (const [file, spool] of this.#spools) {
      const { chain, storedBytes } = spool;
      const isIdle = chain.waiting && !chain.draining && !chain.isClosed && !file.spool.isBusy;
      const bytes = file.size - keptFrom(file);
      // The copy must fit beside what is there.
      if (isIdle && bytes < Math.min(storedBytes / 2, limits.windowBytes)) return [file, spool];
    }
    return undefined;
  }

  /** Copies the rest of a spool to free what was read. */
  async #shrink(file: LogFile, spool: Spool): Promise<void> {
    const { fd, size } = file;
    if (fd === undefined) return;
    file.spool.begin();
    try {
      const copy = await filled(createNameless(this.#options.directory), (target) =>
        copyRange(fd, target, { from: keptFrom(file), to: size }),
      );
      if (spool.chain.isClosed || spool.chain.draining) return closeDescriptor(copy.fd);
      file.moveToCopy(copy);
      spool.storedBytes = copy.storedBytes;
    } catch (error) {
      if (!isExpected(error)) throw error;
      this.#options.report('STATE_UNWRITABLE', `copying what is left of ${file.path}: ${error}`);
    } finally {
      file.spool.end();
    }
  }
}

/** False when nothing of it is left to read. */
function handOver(
  { chain, file }: Pick<Candidate, 'chain' | 'file'>,
  spool: SpoolFile | Salvaged,
): boolean {
  try {
    const isNews = chain.packs.adopt(file, spool);
    if (!isNews) closeDescriptor(spool.fd);
    return isNews;
  } catch (error) {
    closeDescriptor(spool.fd);
    throw error;
  }
}

/** For spools; the rest is for the copy of one that is shrunk. */
const roomBytes = limits.spoolsBytesMax - limits.windowBytes;

/** A copy holds the unacknowledged bytes, and those that a look back may need. */
function keptFrom({ committed }: LogFile): number {
  return Math.max(0, committed - limits.lookBackBytes);
}

function isExpected(error: unknown): error is Error {
  return isSystemError(error) || error instanceof AgentError;
}
