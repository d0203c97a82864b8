// Preserves the unacknowledged bytes of deleted files, which otherwise only a descriptor keeps. One
// second after the deletion they are copied into the state directory, so they survive a kill. A
// later run reads the copies as files of their containers.
//
// Invariants: bytes that are acknowledged in time are not copied; a copy is removed when all of it
// is acknowledged and that is saved, or is lost; a file whose copy fails stays open and is tried
// again.

import { fstatSync } from 'node:fs';

import { limits } from '../config.ts';
import { closeDescriptor } from '../descriptor.ts';
import { storedTemplate } from '../encode/entries/entry-template.ts';
import { isSystemError, type ErrorCode } from '../errors.ts';
import { steadyNowMs } from '../steady-clock.ts';
import type { Chain } from './chain.ts';
import type { LogFile } from './log-file.ts';
import {
  OrphanFolder,
  type FoundOrphan,
  type OrphanCopy,
  type OrphanListing,
} from './orphan-copy.ts';
import type { SpoolFile } from './spool-file.ts';
import type { TailedContainer } from './tailed-container.ts';

type OrphanChain = Pick<
  TailedContainer,
  'chain' | 'containerLog' | 'base' | 'annotations' | 'podTexts'
>;

type Report = (code: ErrorCode, text: string) => void;

type Kept = {
  readonly chain: Chain;
  readonly id: string;
  /** Made by this run; the original is still read. */
  copy: OrphanCopy | undefined;
  /** Of an earlier run, and not opened yet. */
  found: FoundOrphan | undefined;
};

type Candidate = { readonly owner: OrphanChain; readonly file: LogFile };

export class Orphans {
  readonly #counters = { copiedBytes: 0, failures: 0, damaged: 0 };
  readonly #folder: OrphanFolder;
  readonly #report: Report;
  readonly #kept = new Map<LogFile, Kept>();
  readonly #retryAtMs = new WeakMap<LogFile, number>();
  #work: Promise<void> | undefined;
  /** Of `performance.now()`: when copying ends. */
  #endMs = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(stateDir: string, report: Report) {
    this.#folder = new OrphanFolder(stateDir);
    this.#report = report;
  }

  /** Since the start. */
  get counters(): Readonly<Record<'copiedBytes' | 'failures' | 'damaged', number>> {
    return this.#counters;
  }

  /** Bytes of the state directory that copies take. */
  get heldBytes(): number {
    let bytes = 0;
    for (const file of this.#kept.keys()) bytes += file.spool.keptBytes ?? 0;
    return bytes;
  }

  /** Copies in the background what was deleted a second ago; sets a timer for the rest. */
  keep(chains: () => Iterable<OrphanChain>, failed: (error: unknown) => void): void {
    if (this.#work !== undefined) return;
    if (this.#folder.isReplaced) this.#forgetRemoved();
    const nowMs = steadyNowMs();
    const { due, nextMs } = this.#candidates(chains(), nowMs);
    if (nextMs !== undefined && this.#timer === undefined) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.keep(chains, failed);
      }, nextMs - nowMs);
      this.#timer.unref();
    }
    const hasCopies = [...this.#kept.values()].some(({ copy }) => copy !== undefined);
    if (due.length === 0 && !hasCopies) return;
    this.#work = this.#copyAll(due)
      .catch(failed)
      .finally(() => (this.#work = undefined));
  }

  /** Copies all that is deleted and not acknowledged, for at most `withinMs`. */
  async keepAll(chains: Iterable<OrphanChain>, withinMs: number): Promise<void> {
    clearTimeout(this.#timer);
    this.#endMs = performance.now() + withinMs;
    await this.#work;
    this.#forgetRemoved();
    await this.#copyAll(this.#candidates(chains, Number.POSITIVE_INFINITY).due);
  }

  #candidates(
    chains: Iterable<OrphanChain>,
    nowMs: number,
  ): { due: Candidate[]; nextMs: number | undefined } {
    const due: Candidate[] = [];
    let nextMs: number | undefined;
    for (const owner of chains) {
      for (const file of owner.chain.files) {
        const { unlinkedAtMs } = file.life;
        if (unlinkedAtMs === undefined || !this.#isInDanger(owner.chain, file)) continue;
        const dueMs = Math.max(unlinkedAtMs + limits.orphanAfterMs, this.#retryAtMs.get(file) ?? 0);
        if (dueMs <= nowMs) due.push({ owner, file });
        else nextMs = Math.min(dueMs, nextMs ?? dueMs);
      }
    }
    // Small ones first, so that most files are safe soon.
    due.sort((a, b) => unsavedBytes(a.file) - unsavedBytes(b.file));
    return { due, nextMs };
  }

  /** The deleted log of a running container stays open: it is still written to. */
  #isInDanger(chain: Chain, file: LogFile): boolean {
    if (file.fd === undefined || file.spool.isBusy || this.#kept.has(file)) return false;
    return file.identity !== undefined && unsavedBytes(file) > 0 && (file.ended || chain.isGone);
  }

  /** Makes all copies, which survive a kill, before it syncs the first one. */
  async #copyAll(candidates: readonly Candidate[]): Promise<void> {
    for (const candidate of candidates) await this.#copy(candidate);
    for (const [file, kept] of this.#kept) {
      if (performance.now() > this.#endMs) return;
      if (kept.copy !== undefined) await this.#moveToCopy(file, kept, kept.copy);
    }
  }

  async #copy({ owner, file }: Candidate): Promise<void> {
    const { chain, containerLog: log, base, annotations, podTexts } = owner;
    const { fd, identity, name, path } = file;
    const { unlinkedAtMs } = file.life;
    // It may have been read, or found again, while others were copied.
    if (fd === undefined || identity === undefined || unlinkedAtMs === undefined) return;
    if (!this.#isInDanger(chain, file)) return;
    if (performance.now() > this.#endMs) return;
    file.spool.begin();
    try {
      const copy = await this.#folder.write(fd, {
        source: {
          log,
          workload: storedTemplate(base),
          annotations,
          podTexts,
        },
        name,
        path,
        identity,
        checkpoint: file.checkpoint(),
        deletedAtMs: Date.now() - (steadyNowMs() - unlinkedAtMs),
        from: Math.max(0, file.committed - limits.lookBackBytes),
        to: fstatSync(fd).size,
        isLate: () => performance.now() > this.#endMs,
      });
      this.#counters.copiedBytes += copy.storedBytes;
      file.spool.noteKept(copy.storedBytes);
      this.#kept.set(file, { chain, id: copy.id, copy, found: undefined });
    } catch (error) {
      this.#fail(file, error);
    } finally {
      file.spool.end();
    }
  }

  #fail(file: LogFile, error: unknown): void {
    if (!isSystemError(error)) throw error;
    this.#counters.failures += 1;
    this.#retryAtMs.set(file, steadyNowMs() + limits.spoolRetryMs);
    const text = `${file.path} was deleted and is held open only: ${error.message}`;
    this.#report('STATE_UNWRITABLE', text);
  }

  /** Frees the blocks of the original once the copy is synced. */
  async #moveToCopy(file: LogFile, kept: Kept, copy: OrphanCopy): Promise<void> {
    const { chain } = kept;
    if ((this.#retryAtMs.get(file) ?? 0) > steadyNowMs()) return;
    file.spool.begin();
    try {
      if (!(await this.#sync(file, kept, copy))) return;
      if (chain.draining || chain.isClosed || file.fd === undefined) return;
      // It was written to after all: it is copied again.
      if (fstatSync(file.fd).size > copy.size) return this.#drop(file, kept);
      kept.copy = undefined;
      file.moveToCopy(copy);
    } catch (error) {
      this.#fail(file, error);
    } finally {
      file.spool.end();
    }
  }

  /**
   * Whether the copy is on the disk. Only one fsync reports an error, and the kernel may drop the
   * data: then the file is copied again.
   */
  async #sync(file: LogFile, kept: Kept, copy: OrphanCopy): Promise<boolean> {
    try {
      await copy.sync();
      return true;
    } catch (error) {
      this.#drop(file, kept);
      this.#fail(file, error);
      return false;
    }
  }

  /** Takes over a copy of an earlier run. */
  adopt(file: LogFile, chain: Chain, found: FoundOrphan): void {
    file.spool.noteKept(found.record.storedBytes);
    this.#kept.set(file, { chain, id: found.id, copy: undefined, found });
  }

  /** The copies of earlier runs; each is to be adopted or dropped. */
  list(): readonly FoundOrphan[] {
    const { found, damaged } = this.#listFolder();
    for (const aside of damaged) {
      this.#counters.damaged += 1;
      this.#report(
        'ORPHAN_CORRUPT',
        `its record is damaged: whose it is cannot be known; set aside as ${aside}`,
      );
    }
    return found.toSorted((a, b) => a.record.deletedAtMs - b.record.deletedAtMs);
  }

  #listFolder(): OrphanListing {
    try {
      return this.#folder.list();
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.#counters.failures += 1;
      const text = 'copies of deleted log files cannot be listed, and are left for the next start';
      this.#report('STATE_UNWRITABLE', `${text}: ${error.message}`);
      return { found: [], damaged: [] };
    }
  }

  drop({ id }: FoundOrphan): void {
    this.#folder.remove(id);
  }

  isFound(file: LogFile): boolean {
    return this.#kept.get(file)?.found !== undefined;
  }

  /** Opens the copy of an earlier run; a damaged one is set aside and counted as lost. */
  async open(file: LogFile): Promise<SpoolFile | undefined> {
    const kept = this.#kept.get(file);
    if (kept?.found === undefined) return undefined;
    const opened = await this.#folder.open(kept.found);
    if (opened !== undefined) {
      kept.found = undefined;
      return opened;
    }
    this.#counters.damaged += 1;
    const aside = this.#folder.setAside(kept.id);
    this.#report('ORPHAN_CORRUPT', `a copy of ${file.path}; set aside as ${aside}`);
    this.#kept.delete(file);
    file.spool.noteKept(undefined);
    file.giveUp('damaged');
    return undefined;
  }

  /**
   * Removes copies that are acknowledged or lost. Call it when the positions are saved: a start
   * that finds neither copy nor position counts the bytes as lost.
   */
  sweep(): void {
    for (const [file, kept] of this.#kept) {
      const isGone = file.fd === undefined && !file.spool.isNeeded;
      if (file.spool.isBusy || !(isGone || file.committed >= file.size)) continue;
      this.#drop(file, kept);
    }
  }

  /** Somebody has removed copies that are still open: they are made again, of themselves. */
  #forgetRemoved(): void {
    for (const [file, kept] of this.#kept) {
      if (kept.found === undefined && !file.spool.isBusy && !this.#folder.has(kept.id)) {
        this.#drop(file, kept);
      }
    }
  }

  #drop(file: LogFile, { id, copy }: Kept): void {
    this.#kept.delete(file);
    file.spool.noteKept(undefined);
    if (copy !== undefined) closeDescriptor(copy.fd);
    this.#folder.remove(id);
  }
}

function unsavedBytes({ size, committed }: LogFile): number {
  return size - committed;
}
