// Gives the files of one container the positions that were stored of them, and forgets positions
// whose files are gone.
//
// Invariants: a position counts only if the bytes before it are the ones that were acknowledged.
// Where the first records have no time, equal bytes are no proof: then it must be the same file by
// inode and birth, or a copy or `.gz` of it whose bytes were compared. Two files never share a
// place in their insertIds unless their bytes gave it to them.

import { join } from 'node:path';

import { limits } from '../config.ts';
import { AgentError, isSystemError } from '../errors.ts';
import { instanceAfter, mayBecome, type FileHead, type FileIdentity } from './file-identity.ts';
import { parseFileName, sameRotation } from './file-name.ts';
import { isBornAt } from './inode-facts.ts';
import type { ListedFile } from './listing.ts';
import type { LogFile } from './log-file.ts';
import type { LogLocation } from './log-location.ts';
import {
  fitsAsWell,
  hasGrown,
  holds,
  isCopyOf,
  isFileOf,
  isOneLine,
  isSameIdentity,
  ownsPosition,
  provenEnd,
  truncation,
} from './same-log.ts';
import type { KnownOffset, LossReason, TailSetup } from './tail-setup.ts';

/** What a stored position is to a file; `lost`: the file is the same, its bytes are others. */
type Verdict = 'same' | 'copy' | 'lost' | 'other';

export class Positions {
  readonly #location: LogLocation;
  readonly #setup: TailSetup;
  readonly #files: () => readonly LogFile[];
  readonly #storedSizes = new WeakMap<LogFile, number>();
  /**
   * Files that may live on in a `.gz` which is not unpacked yet, or in a copy that was made before
   * they were truncated, with the count of listings by which that is known.
   */
  readonly #forgetsLater = new Map<LogFile, number>();
  #listings = 0;
  #isListed = false;
  /** What a start found shorter than it was, or with other bytes, and what was unread of it. */
  #truncated: { readonly file: LogFile; readonly known: KnownOffset }[] = [];
  /** Of the first listing, whose files are met in several looks when they are many. */
  readonly #firstFrom: 'start' | 'end';

  constructor(location: LogLocation, setup: TailSetup, files: () => readonly LogFile[]) {
    this.#location = location;
    this.#setup = setup;
    this.#firstFrom = setup.from();
    this.#files = files;
  }

  /** Every file of a listing was met. */
  endListing(): void {
    this.#isListed = true;
    this.#listings += 1;
  }

  get #from(): 'start' | 'end' {
    return this.#isListed ? this.#setup.from() : this.#firstFrom;
  }

  /** Of all restarts. */
  get stored(): readonly KnownOffset[] {
    return this.#setup.lookup(this.#location.podUid, this.#location.container);
  }

  /** A file with a position of its own, and a live one, go before one that may be a copy of it. */
  storedFirst<T extends { readonly each: ListedFile }>(strange: T[]): T[] {
    if (strange.length < 2) return strange;
    const births = new Map<number, number[]>();
    for (const { inode, bornMs } of this.stored) {
      births.set(inode, [...(births.get(inode) ?? []), bornMs]);
    }
    const rankOf = ({ each: { stats, name } }: T) => {
      const isStored = births.get(stats.ino)?.some((bornMs) => isBornAt(bornMs, stats.birthtimeMs));
      if (isStored === true) return 0;
      return name.rotation === '' ? 1 : 2;
    };
    return strange.toSorted((a, b) => rankOf(a) - rankOf(b));
  }

  /** What was acknowledged of the same file after `known`, within `size`. */
  laterThan(known: KnownOffset, size: number): KnownOffset | undefined {
    const { restartCount, fingerprint, instance, offset } = known;
    return this.stored.find(
      (each) =>
        each.restartCount === restartCount &&
        each.fingerprint === fingerprint &&
        each.instance === instance &&
        each.offset > offset &&
        each.offset <= size,
    );
  }

  /** Puts a file whose identity became known where it was left. */
  resume(file: LogFile): void {
    const { head, identity, predecessor } = file;
    if (head === undefined || identity === undefined) return;
    if (predecessor !== undefined) return this.#begin(file, predecessor.identity);
    const { known, lost } = this.#find(file, head);
    if (known !== undefined) {
      const isShorter = file.size < (known.size ?? 0) && isFileOf(file, known);
      if (isShorter) this.#noteTruncated(file, known, file.size);
      this.#goOn(file, head, known);
      if (isShorter) this.#setup.remember(file.checkpoint());
      return;
    }
    if (lost === undefined) return this.#begin(file, undefined);
    this.#noteTruncated(file, lost, 0);
    this.#begin(file, { idPrefix: lost.instance === '' ? head.formerPlace : lost.instance });
  }

  /** Reports it; what was unread past `keptBytes` is told when its copy could have been found. */
  #noteTruncated(file: LogFile, known: KnownOffset, keptBytes: number): void {
    const size = known.size ?? known.offset;
    const before = { path: file.path, size, offset: known.offset };
    this.#setup.report('FILE_TRUNCATED', truncation(before, file.size));
    const offset = Math.max(provenEnd(known), keptBytes);
    if (offset < size) this.#truncated.push({ file, known: { ...known, offset } });
  }

  #find(
    file: LogFile,
    head: FileHead,
  ): { known: KnownOffset | undefined; lost: KnownOffset | undefined } {
    let known: KnownOffset | undefined;
    let lost: KnownOffset | undefined;
    let isSame = false;
    for (const each of this.stored) {
      if (each.restartCount !== file.owner.restartCount) continue;
      if (each.fingerprint !== head.fingerprint && !mayBecome(each.fingerprint, head)) continue;
      const verdict = this.#compare(file, head, each);
      if (verdict === 'lost') lost = each;
      if (verdict === 'lost' || verdict === 'other') continue;
      if (verdict === 'copy' && (isSame || this.#isHeld(file, each))) continue;
      if (verdict === 'same' && !isSame) known = undefined;
      isSame = verdict === 'same';
      if (known === undefined || fitsAsWell(file.size, each, known)) known = each;
    }
    return { known, lost };
  }

  #compare(file: LogFile, head: FileHead, known: KnownOffset): Verdict {
    const isHeld = holds(file, known);
    if (isByContent(head, known) || isFileOf(file, known)) {
      return isHeld === false ? 'lost' : 'same';
    }
    if (isHeld === false || file.name.rotation === '') return 'other';
    // Earlier versions stored no hash: the name of a rotation is all there is to go by.
    if (isHeld === undefined) return this.#hasNameOf(file, known) ? 'copy' : 'other';
    // A first line, or all that comes before the first time, may be that of any file, unless it is
    // all that there ever was.
    const isAll = file.size === known.offset && known.size === known.offset;
    return isAll || provenEnd(known) >= head.tellingBytes ? 'copy' : 'other';
  }

  #hasNameOf(file: LogFile, { fileName }: KnownOffset): boolean {
    const name = parseFileName(fileName, this.#location.liveName);
    return name !== undefined && sameRotation(name, file.name);
  }

  /** Whether a file that is still there goes on from this position. */
  #isHeld(file: LogFile, known: KnownOffset): boolean {
    return this.#files().some(
      (other) => other !== file && !other.unlinked && hasKey(other, known) && this.#isIntact(other),
    );
  }

  /** Whether it holds what was read of it; what is closed may have been truncated, too. */
  #isIntact(file: LogFile): boolean {
    return !file.replaced && (this.#withOpen(file, () => file.verify()) ?? true);
  }

  /**
   * Asks a file. False when its name leads to another by now: a file that was renamed is met before
   * any copy of it. Undefined when it cannot be opened, which its own look reports.
   */
  #withOpen(file: LogFile, ask: () => boolean): boolean | undefined {
    const isClosed = file.fd === undefined && !file.name.compressed;
    try {
      if (isClosed && (file.replaced || !file.open())) return false;
    } catch (error) {
      if (!isSystemError(error) && !(error instanceof AgentError)) throw error;
      return undefined;
    }
    const answer = ask();
    if (isClosed && !file.replaced) file.close();
    return answer;
  }

  #goOn(file: LogFile, head: FileHead, known: KnownOffset): void {
    const { owner } = file;
    // Nothing with a time was sent under its instance: from now on the time says what it is.
    const isTold = known.instance !== '' && head.time !== undefined;
    const isByTime = isTold && provenEnd(known) < head.tellingBytes;
    // Earlier versions had no instances: what they sent keeps its ids.
    if (!isByTime && !isByContent(head, known)) file.become(known.instance || head.formerPlace);
    file.resume(known);
    const isOld = known.positionHash === undefined && file.position.hash !== undefined;
    if (hasKey(file, known) && !isOld) return;
    if (!hasKey(file, known)) this.#setup.forget(owner, known);
    this.#setup.remember(file.checkpoint());
  }

  /** Begins a file that no position is known of; `before` was read under the same name. */
  #begin(file: LogFile, before: Pick<FileIdentity, 'idPrefix'> | undefined): void {
    this.#setApart(file, before);
    const isSkipped = file.predecessor === undefined && this.#from === 'end';
    if (isSkipped && file.size > 0) file.skipToEnd();
    // Or else a rename while it is closed, or the next start, would send it from its beginning; and
    // a place that the bytes do not tell must be the same after a kill.
    if (isSkipped || file.identity?.instance !== '') this.#setup.remember(file.checkpoint());
  }

  #setApart(file: LogFile, before: Pick<FileIdentity, 'idPrefix'> | undefined): void {
    if (file.identity?.instance === '') return;
    if (before !== undefined) file.become(instanceAfter(before));
    while (this.#isTaken(file)) file.become(instanceAfter(file.identity ?? { idPrefix: '' }));
  }

  #isTaken(file: LogFile): boolean {
    if (this.#files().some((other) => other !== file && isSameIdentity(other, file))) return true;
    const { restartCount } = file.owner;
    return this.stored.some((each) => each.restartCount === restartCount && hasKey(file, each));
  }

  /**
   * Whether a file is a copy of one that is still there, or is still being read: of logs that begin
   * alike, that is seen only when the original is truncated. Where a time tells whose copy it is,
   * it has to reach what was sent.
   */
  isCopyInProgress(file: LogFile, changedMs: number): boolean {
    const { identity, head, name } = file;
    const isYoung = Math.abs(Date.now() - changedMs) < limits.identityWaitMs;
    if (identity === undefined) return name.rotation !== '' && isYoung;
    if (head === undefined || name.rotation === '') return false;
    if (isYoung && this.stored.some((known) => isPartOf(file, head, known))) return true;
    // A first line that is all there is proves little, but more of the copy is to come.
    if (!isYoung && isOneLine(file)) return false;
    const isKnown = this.stored.some(
      (known) => isFileOf(file, known) && holds(file, known) === true,
    );
    if (isKnown) return false;
    const isCopy = this.#files().some((other) => {
      if (other.identity?.instance === '') return false;
      // The other may be truncated and written again, unseen: its bytes tell.
      const isAlike = isYoung || mayBecome(other.head?.lineHash, head);
      return isAlike && this.#withOpen(other, () => isCopyOf(file, other)) === true;
    });
    // It may be whole, and the other truncated, only since it was opened.
    return isCopy || hasGrown(file);
  }

  /**
   * The length of a file is stored with each answer. While there is none it is stored by itself:
   * should the file go before the next start, so many bytes are known to be lost.
   */
  rememberSize(file: LogFile): void {
    const { identity, name, size } = file;
    if (identity === undefined || name.compressed || this.#storedSizes.get(file) === size) return;
    if (!ownsPosition(this.#files(), file)) return;
    this.#storedSizes.set(file, size);
    this.#setup.remember(file.checkpoint());
  }

  /** The file is gone and acknowledged; `isCopyAwaited`: what lives on may be a copy of it. */
  forget(file: LogFile, isCopyAwaited: boolean): void {
    if (file.identity === undefined) return;
    const isCopied = file.replaced || isCopyAwaited;
    if (isCopied || this.#files().some(isUnknownPack)) {
      this.#forgetsLater.set(file, this.#listings + (isCopied ? 1 : 0));
      return;
    }
    this.#forgetNow(file, file.identity);
  }

  #forgetNow(file: LogFile, identity: FileIdentity): void {
    if (this.#files().some((other) => isSameIdentity(other, file))) return;
    this.#setup.forget(file.owner, identity);
  }

  /** Forgets what had to wait. */
  forgetDelayed(): void {
    if (this.#forgetsLater.size === 0 || this.#files().some(isUnknownPack)) return;
    for (const [file, listings] of this.#forgetsLater) {
      if (listings > this.#listings || file.identity === undefined) continue;
      this.#forgetsLater.delete(file);
      this.#forgetNow(file, file.identity);
    }
  }

  /**
   * The first look after a start: what is stored of files that are gone can never be read. How many
   * bytes were unread is known up to the last look that an agent took.
   */
  forgetVanished(): void {
    const { podUid, container, liveName, restartCount: own } = this.#location;
    // Kubelets before 1.14 gave each restart a name, and so a chain, of its own.
    const holdsAllRestarts = /^\d+\.log$/.test(liveName);
    for (const known of this.stored) {
      const { restartCount } = known;
      if (this.#isThere(known) || !(holdsAllRestarts || restartCount === own)) continue;
      const isCut = this.#truncated.some((each) => isSameKey(each.known, known));
      if (isCut) this.#setup.forget({ podUid, container, restartCount }, known);
      else this.#lose(known, 'deleted');
    }
    for (const { file, known } of this.#truncated) {
      if (!this.#isCopied(file, known)) this.#tell(known, 'truncated');
    }
    this.#truncated = [];
  }

  /** Whether another file may hold what was cut off. */
  #isCopied(file: LogFile, known: KnownOffset): boolean {
    return this.#files().some(
      (other) =>
        other !== file &&
        other.size >= (known.size ?? 0) &&
        (goesOnFrom(other, known) || mayBecome(file.head?.lineHash, other.head)),
    );
  }

  /**
   * A `.gz` is given up: what is stored under its name is lost. False when nothing is; the name is
   * no proof, but all there is to count by.
   */
  loseStored(file: LogFile): boolean {
    const known = this.stored.find(
      (each) =>
        each.restartCount === file.owner.restartCount &&
        this.#hasNameOf(file, each) &&
        !this.#isThere(each),
    );
    if (known !== undefined) this.#lose(known, 'not_unpacked');
    return known !== undefined;
  }

  #isThere(known: KnownOffset): boolean {
    return this.#files().some(
      (file) => file.owner.restartCount === known.restartCount && hasKey(file, known),
    );
  }

  /** What was unread at the last look that an agent took; the position is of no use any more. */
  #lose(known: KnownOffset, reason: LossReason): void {
    const { podUid, container } = this.#location;
    this.#setup.forget({ podUid, container, restartCount: known.restartCount }, known);
    this.#tell(known, reason);
  }

  #tell({ restartCount, fileName, offset, size }: KnownOffset, reason: LossReason): void {
    const { podUid, container, directory } = this.#location;
    const owner = { podUid, container, restartCount };
    const bytes = Math.max(0, (size ?? offset) - offset);
    if (bytes === 0) return;
    const file = { path: join(directory, fileName), owner, offset, identity: undefined };
    this.#setup.lost({ file, reason, bytes });
  }
}

/** Whether the bytes alone say that both are one log. */
function isByContent(head: FileHead, known: KnownOffset): boolean {
  return head.time !== undefined && known.instance === '' && known.fingerprint === head.fingerprint;
}

/** Whether a file is, by its bytes, the beginning of a copy of the log that `known` is of. */
function isPartOf(file: LogFile, head: FileHead, known: KnownOffset): boolean {
  if (known.restartCount !== file.owner.restartCount || isFileOf(file, known)) return false;
  return isByContent(head, known) && file.size < provenEnd(known);
}

function hasKey({ identity }: LogFile, known: KnownOffset): boolean {
  return identity?.fingerprint === known.fingerprint && identity.instance === known.instance;
}

/** Whether it has the place of `known`, whose beginning may have been a hole. */
function goesOnFrom({ identity }: LogFile, { instance }: KnownOffset): boolean {
  return instance !== '' && identity?.instance === instance;
}

function isSameKey(a: KnownOffset, b: KnownOffset): boolean {
  return (
    a.restartCount === b.restartCount &&
    a.fingerprint === b.fingerprint &&
    a.instance === b.instance
  );
}

/** A `.gz` that is known only when it is unpacked. */
function isUnknownPack(file: LogFile): boolean {
  return file.name.compressed && file.identity === undefined && file.unread > 0;
}
