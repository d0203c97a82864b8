// Gives the files of one container their stored positions, and forgets positions whose files are
// gone.
//
// Invariants: a position counts only if the bytes before it are the ones that were acknowledged.
// Where the first records have no time, equal bytes prove nothing: then it must be the same file by
// inode and birth, or a copy or `.gz` of it whose bytes were compared. Two files share the place in
// their insertIds only if it follows from their bytes.

import { basename, join } from 'node:path';

import { limits } from '../config.ts';
import { AgentError, isSystemError } from '../errors.ts';
import { instanceAfter, mayBecome, type FileHead, type FileIdentity } from './file-identity.ts';
import { parseFileName, sameRotation } from './file-name.ts';
import type { LogFile } from './log-file.ts';
import { holdsAllRestarts, type LogLocation } from './container-names.ts';
import {
  fitsAsWell,
  goesOnFrom,
  hasGrown,
  hasKey,
  holds,
  isAsLong,
  isByContent,
  isCopyOf,
  isFileOf,
  isOneLine,
  isPartOf,
  isSameIdentity,
  isSameKey,
  isUnknownPack,
  ownsPosition,
  provenEnd,
  truncation,
} from './same-log.ts';
import { isMark, type PackLosses } from './pack-losses.ts';
import type { KnownOffset, LossReason, TailSetup } from './tail-setup.ts';

/** Of which file a stored position is; `lost`: of this one, whose bytes have changed. */
type Verdict = 'same' | 'copy' | 'lost' | 'other';

export class Positions {
  readonly #location: LogLocation;
  readonly #setup: TailSetup;
  readonly #files: () => readonly LogFile[];
  readonly #packs: PackLosses;
  readonly #storedSizes = new WeakMap<LogFile, number>();
  /**
   * Files that may live on in a packed `.gz`, or in a copy made before they were truncated, each
   * with the number of the listing that will show it.
   */
  readonly #forgetsLater = new Map<LogFile, number>();
  #listings = 0;
  #isListed = false;
  /** Files that a start found truncated or overwritten, and what was unread of them. */
  #truncated: { readonly file: LogFile; readonly known: KnownOffset }[] = [];
  /** Those that are read from their beginning. */
  readonly #begun = new WeakSet<LogFile>();
  /** For the first listing, which takes several looks when there are many files. */
  readonly #firstFrom: 'start' | 'end';

  constructor(
    location: LogLocation,
    setup: TailSetup,
    packs: PackLosses,
    files: () => readonly LogFile[],
  ) {
    this.#location = location;
    this.#setup = setup;
    this.#packs = packs;
    this.#firstFrom = setup.from();
    this.#files = files;
  }

  /** Every file of a listing was seen. */
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

  /** A later stored position of the same file, within `size`. */
  laterThan(known: KnownOffset, size: number): KnownOffset | undefined {
    return this.stored.find(
      (each) => isSameKey(each, known) && each.offset > known.offset && each.offset <= size,
    );
  }

  /** Gives a file that was just identified its position. */
  resume(file: LogFile): void {
    this.#resume(file);
    if (file.offset === 0) this.#begun.add(file);
    this.#setup.trace(`${file.path}: ${file.size} bytes, read from ${file.offset} on`);
  }

  #resume(file: LogFile): void {
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

  /** Reports it now, and the bytes lost past `keptBytes` when a copy could have been found. */
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
    // Earlier versions stored no hash: only the name of the rotation is left.
    if (isHeld === undefined) return this.#hasNameOf(file, known) ? 'copy' : 'other';
    // Many files may have the same bytes before the first time, unless there were never more.
    const isAll = file.size === known.offset && known.size === known.offset;
    return isAll || provenEnd(known) >= head.tellingBytes ? 'copy' : 'other';
  }

  #hasNameOf({ name }: LogFile, { fileName }: KnownOffset): boolean {
    const other = parseFileName(fileName, this.#location.liveName);
    return other !== undefined && sameRotation(other, name);
  }

  /** Whether another file that exists has this position. */
  #isHeld(file: LogFile, known: KnownOffset): boolean {
    return this.#files().some(
      (other) => other !== file && !other.unlinked && hasKey(other, known) && this.#isIntact(other),
    );
  }

  /** Whether it holds what was read of it: a closed file may have been truncated. */
  #isIntact(file: LogFile): boolean {
    return !file.replaced && (this.#withOpen(file, () => file.verify()) ?? true);
  }

  /**
   * Opens a file to ask it. False when its name leads to another file: a renamed file is seen
   * before its copies. Undefined when it cannot be opened, which its own look reports.
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
    // No record with a time was sent under its instance: from now on the time identifies it.
    const isTold = known.instance !== '' && head.time !== undefined;
    const isByTime = isTold && provenEnd(known) < head.tellingBytes;
    // Earlier versions had no instances: entries that they sent keep their ids.
    if (!isByTime && !isByContent(head, known)) file.become(known.instance || head.formerPlace);
    file.resume(known);
    const isOld = known.positionHash === undefined && file.position.hash !== undefined;
    const isNamed = file.path.endsWith(`/${known.fileName}`);
    if (hasKey(file, known) && !isOld && isNamed) return;
    if (!hasKey(file, known)) this.#setup.forget(owner, known);
    this.#setup.remember(file.checkpoint());
  }

  /** Begins a file without a position; `before` was read under the same name. */
  #begin(file: LogFile, before: Pick<FileIdentity, 'idPrefix'> | undefined): void {
    this.#setApart(file, before);
    const isSkipped = file.predecessor === undefined && this.#from === 'end';
    if (isSkipped && file.size > 0) file.skipToEnd();
    // Otherwise a rename while it is closed, or the next start, would send all of it; and an
    // instance must be the same after a kill.
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
   * Whether a file is an unfinished copy. Of logs that begin alike, a copy is recognized only when
   * the original is truncated. Where a time identifies it, it must reach what was sent.
   */
  isCopyInProgress(file: LogFile, changedMs: number): boolean {
    const { identity, head, name } = file;
    const isYoung = Math.abs(Date.now() - changedMs) < limits.identityWaitMs;
    if (identity === undefined) return name.rotation !== '' && isYoung;
    if (head === undefined || name.rotation === '') return false;
    if (isYoung && this.stored.some((known) => isPartOf(file, head, known))) return true;
    // A single first line proves little.
    if (!isYoung && isOneLine(file)) return false;
    const isKnown = this.stored.some(
      (known) => isFileOf(file, known) && holds(file, known) === true,
    );
    if (isKnown) return false;
    const isCopy = this.#files().some((other) => {
      if (other.identity?.instance === '') return false;
      // The other may have been truncated and written again since: its bytes decide.
      const isOfEnded = other.name.rotation !== '' && other.size !== file.size;
      const isAlike = isYoung || (!isOfEnded && mayBecome(other.head?.lineHash, head));
      return isAlike && this.#withOpen(other, () => isCopyOf(file, other)) === true;
    });
    // It may have become complete, and the other truncated, since it was opened.
    return isCopy || hasGrown(file);
  }

  /**
   * Each answer stores the size of a file. While there are none, it is stored here: if the file
   * goes before the next start, the number of lost bytes is known.
   */
  rememberSize(file: LogFile): void {
    const { identity, name, size } = file;
    if (identity === undefined || name.compressed || this.#storedSizes.get(file) === size) return;
    if (!ownsPosition(this.#files(), file)) return;
    this.#storedSizes.set(file, size);
    this.#setup.remember(file.checkpoint());
  }

  /** Under its new name its pack is found, should that be damaged. */
  rememberName(file: LogFile): void {
    const isKnown = file.identity !== undefined && ownsPosition(this.#files(), file);
    if (isKnown) this.#setup.remember(file.checkpoint());
  }

  /** The file is gone and acknowledged; `isCopyAwaited`: an unfinished copy may be of it. */
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

  forgetDelayed(): void {
    if (this.#forgetsLater.size === 0 || this.#files().some(isUnknownPack)) return;
    for (const [file, listings] of this.#forgetsLater) {
      if (listings > this.#listings || file.identity === undefined) continue;
      this.#forgetsLater.delete(file);
      this.#forgetNow(file, file.identity);
    }
  }

  /** After the first look: counts what was unread, at the last look, of files that are gone. */
  forgetVanished(): void {
    const { podUid, container, restartCount: own } = this.#location;
    const isForAll = holdsAllRestarts(this.#location);
    for (const known of this.stored) {
      const { restartCount } = known;
      if (this.#packs.keeps(known) || this.#isThere(known) || this.#isPacked(known)) continue;
      if (!isForAll && restartCount !== own) continue;
      if (this.#isCut(known) || this.#isBegunAgain(known)) {
        this.#setup.forget({ podUid, container, restartCount }, known);
      } else {
        this.#lose(known, 'deleted');
      }
    }
    for (const { file, known } of this.#truncated) {
      if (!this.#isCopied(file, known)) this.#tell(known, 'truncated');
    }
    this.#truncated = [];
  }

  /**
   * Whether a file that is read from its beginning is a copy of it. Of a log without a time, of
   * which nothing was read, no bytes prove that: it begins alike, and is as long.
   */
  #isBegunAgain(known: KnownOffset): boolean {
    return this.#files().some((file) => {
      const isBegun = this.#begun.has(file) && file.name.rotation !== '';
      return isBegun && provenEnd(known) === 0 && isAsLong(file, known);
    });
  }

  /** Whether another file may hold the bytes that were cut off. */
  #isCopied(file: LogFile, known: KnownOffset): boolean {
    return this.#files().some(
      (other) =>
        other !== file &&
        other.size >= (known.size ?? 0) &&
        (goesOnFrom(other, known) || mayBecome(file.head?.lineHash, other.head)),
    );
  }

  /**
   * A `.gz` is given up: counts what is stored under its name as lost; false when nothing is. It is
   * read on if it is completed after all.
   */
  loseStored(file: LogFile, keptBytes = 0): boolean {
    const { podUid, container, liveName } = this.#location;
    const gone = this.stored.filter(
      (each) =>
        each.restartCount === file.owner.restartCount &&
        !(isMark(each) || this.#isThere(each) || this.#isCut(each)),
    );
    // The live file may have been renamed and packed while no agent ran, and have grown before.
    const known =
      gone.find((each) => this.#hasNameOf(file, each)) ??
      gone.find((each) => each.fileName === liveName && (each.size ?? 0) > each.offset);
    if (known === undefined) return false;
    const fileName = basename(file.path);
    this.#setup.remember({ ...known, podUid, container, fileName, size: known.offset });
    this.#tell({ ...known, offset: Math.max(known.offset, keptBytes) }, 'not_unpacked');
    return true;
  }

  /** Whether its pack is not unpacked yet, which may be damaged. */
  #isPacked(known: KnownOffset): boolean {
    return this.#files().some((file) => file.spool.isNeeded && this.#hasNameOf(file, known));
  }

  #isCut(known: KnownOffset): boolean {
    return this.#truncated.some((each) => isSameKey(each.known, known));
  }

  #isThere(known: KnownOffset): boolean {
    return this.#files().some(
      (file) => file.owner.restartCount === known.restartCount && hasKey(file, known),
    );
  }

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
