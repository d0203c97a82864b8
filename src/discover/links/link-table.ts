// The links of the containers directory. A scan reports removed links before added ones; when its
// time is up it pauses, and continues later.
//
// A link is settled (its log is read) or unsettled (dangling, refused, or a second link to the same
// file) and retried by each scan. Invariant: `added` and `removed` come in pairs per log, and a log
// is removed only when its link is gone or leads elsewhere; a settled link that dangles keeps its
// log, whose files may still hold bytes.

import assert from 'node:assert/strict';
import { lstatSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { limits } from '../../config.ts';
import { realRoots } from '../../real-roots.ts';
import { runUntil } from '../../time-slice.ts';
import { type ContainerLog, isOwnLog, namesItsContainer } from '../container-name.ts';
import { LinkDirectory } from './link-directory.ts';
import { LinkQuota } from './link-quota.ts';
import { describeLog, ownerOf, readTarget } from './link-target.ts';
import { resolveLog, type Where } from './log-roots.ts';

type Link = {
  target: string;
  log: ContainerLog | undefined;
  reported: string;
  listing: number;
  /** It came after the first listing, and has led nowhere since. */
  isUnseen: boolean;
  /** The directory of its pod, if that has too many logs. */
  crowded: string | undefined;
};

/** Called from within a scan; they must not call `scan`. */
export type LinkEvents = {
  added(log: ContainerLog): void;
  removed(log: ContainerLog): void;
  /** Once per link and reason. */
  refused(linkPath: string, reason: string): void;
  /** A link came and went unseen: its log was never read. */
  missed?(linkPath: string): void;
  /** A pod has too many logs; reported once until it has fewer. */
  crowded?(podDirectory: string): void;
};

/** Names of removed links, for which more events may come. */
const goneNamesMax = 1_024;

export class LinkTable {
  readonly #counters = {
    scans: 0,
    /** Scans that listed the directory. */
    listings: 0,
    /** Scans that could not read the directory. */
    scanErrors: 0,
    refused: 0,
    missed: 0,
    /** Links that led nowhere at the last listing, and are too many to remember. */
    overLimit: 0,
  };
  readonly #directory: string;
  readonly #logRoots: readonly string[];
  readonly #events: LinkEvents;
  readonly #links = new Map<string, Link>();
  readonly #unsettled = new Set<string>();
  readonly #gone = new Set<string>();
  /** Which link reads a file, by the file's path. */
  readonly #readers = new Map<string, string>();
  readonly #quota = new LinkQuota();
  readonly #source: LinkDirectory;
  #verifyCursor: Iterator<string> = this.#links.keys();
  #verifyLeft = 0;
  /** The current scan, while it pauses. */
  #work: Generator<void, void> | undefined;
  readonly #touched = new Set<string>();
  /** Links whose text has changed. */
  readonly #moved: string[] = [];
  #scanning = false;

  constructor(options: { directory: string; logRoots: readonly string[] }, events: LinkEvents) {
    this.#directory = options.directory;
    this.#source = new LinkDirectory(options.directory);
    this.#logRoots = options.logRoots;
    this.#events = events;
  }

  get counters() {
    return { ...this.#counters };
  }

  /** Of the directory; changes when it is replaced, undefined while it is unreadable. */
  get identity(): string | undefined {
    return this.#source.identity;
  }

  /** It holds more names than chokidar should list. */
  get isCrowded(): boolean {
    return this.#source.nameCount > limits.watchedNamesMax;
  }

  get overByPod(): ReadonlyMap<string, number> {
    return this.#quota.over;
  }

  get isFull(): boolean {
    return this.#readers.size >= limits.linksMax;
  }

  get settledCount(): number {
    return this.#readers.size;
  }

  get unsettledCount(): number {
    return this.#unsettled.size;
  }

  /**
   * `touched`: names that events reported. Returns false when it pauses at `endMs` (of
   * `performance.now()`): the next call continues.
   */
  scan(touched: Iterable<string> = [], endMs = Number.POSITIVE_INFINITY): boolean {
    assert(!this.#scanning, 'a scan is not started from its own events');
    this.#scanning = true;
    for (const name of touched) this.#touched.add(name);
    this.#work ??= this.#look();
    try {
      const isDone = runUntil(this.#work, endMs, 1) !== undefined;
      if (isDone) this.#work = undefined;
      return isDone;
    } finally {
      this.#scanning = false;
    }
  }

  /** Reads a new link that an event reported, and its log, at once and without a listing. */
  meet(name: string): void {
    const isNew = name.endsWith('.log') && !this.#links.has(name);
    if (this.#scanning || !isNew || this.#links.size >= limits.linksMax) return;
    if (readTarget(this.#directory, name) === undefined) {
      if (!this.#gone.has(name) && !this.#exists(name)) this.#miss(name);
      return;
    }
    this.#scanning = true;
    try {
      const link = this.#admit(name, true);
      if (!this.#resolve(name, link, this.#where())) this.#unsettled.add(name);
    } finally {
      this.#scanning = false;
    }
  }

  *#look(): Generator<void, void> {
    this.#counters.scans += 1;
    const retries = Math.min(this.#unsettled.size, limits.linksCheckedPerScanMax);
    const look = this.#source.look();
    const fresh = look === 'changed' ? yield* this.#list() : [];
    const touched = [...this.#touched];
    this.#touched.clear();
    if (look === 'unreadable' || fresh === undefined) {
      // Nothing is known of any link: all stay as they are.
      this.#counters.scanErrors += 1;
      return;
    }
    for (const name of touched) this.#verify(name);
    this.#verifySome();
    // Only now: a new link may lead where another one led before.
    yield* this.#settle(fresh);
    yield* this.#retrySome(retries);
  }

  /**
   * Lists the directory and removes the links that are gone. Returns the new names that are not
   * settled yet; undefined when the directory becomes unreadable.
   */
  *#list(): Generator<void, string[] | undefined> {
    this.#counters.listings += 1;
    this.#counters.overLimit = 0;
    const listing = this.#counters.listings;
    const names = this.#source.names();
    let fresh: string[] = [];
    let next = names.next();
    for (; next.done !== true; next = names.next()) {
      const link = this.#links.get(next.value);
      if (link !== undefined) link.listing = listing;
      else if (next.value.endsWith('.log')) fresh.push(next.value);
      yield;
      if (fresh.length < limits.linksPerRoundMax) continue;
      yield* this.#settle(fresh);
      fresh = [];
    }
    if (next.value === 'unreadable') return undefined;
    for (const [name, link] of this.#links) {
      if (link.listing !== listing) this.#remove(name, link);
      yield;
    }
    this.#verifyLeft = this.#links.size;
    return fresh;
  }

  #admit(name: string, isUnseen: boolean): Link {
    const { listings: listing } = this.#counters;
    const link: Link = {
      target: '',
      log: undefined,
      reported: '',
      listing,
      isUnseen,
      crowded: undefined,
    };
    this.#links.set(name, link);
    this.#gone.delete(name);
    return link;
  }

  #exists(name: string): boolean {
    return lstatSync(join(this.#directory, name), { throwIfNoEntry: false }) !== undefined;
  }

  #miss(name: string): void {
    this.#noteGone(name);
    this.#counters.missed += 1;
    this.#events.missed?.(join(this.#directory, name));
  }

  #noteGone(name: string): void {
    this.#gone.add(name);
    const [oldest] = this.#gone;
    if (this.#gone.size > goneNamesMax && oldest !== undefined) this.#gone.delete(oldest);
  }

  *#settle(fresh: readonly string[]): Generator<void, void> {
    const where = this.#where();
    for (const name of fresh.toSorted()) {
      // An event may have reported it meanwhile.
      if (!this.#links.has(name)) this.#meetListed(name, where);
      yield;
    }
  }

  /** A link that leads nowhere, and has no room, is a new one again for the next listing. */
  #meetListed(name: string, where: Where): void {
    const link = this.#admit(name, this.#counters.listings > 1);
    if (this.#resolve(name, link, where)) return;
    if (this.#unsettled.size < limits.linksUnsettledMax) {
      this.#unsettled.add(name);
      return;
    }
    this.#links.delete(name);
    this.#setCrowded(link, undefined);
    this.#counters.overLimit += 1;
  }

  /** All links that lead elsewhere now, and `count` unsettled ones, in turn. */
  *#retrySome(count: number): Generator<void, void> {
    if (count === 0 && this.#moved.length === 0) return;
    const where = this.#where();
    for (let name = this.#moved.pop(); name !== undefined; name = this.#moved.pop()) {
      this.#retry(name, where);
      yield;
    }
    let left = count;
    for (const name of this.#unsettled) {
      if (left === 0) return;
      left -= 1;
      this.#retry(name, where);
      yield;
    }
  }

  #retry(name: string, where: Where): void {
    this.#unsettled.delete(name); // To the end of the queue.
    const link = this.#links.get(name);
    if (link !== undefined && !this.#resolve(name, link, where)) this.#unsettled.add(name);
  }

  /** Whether the link is settled. */
  #resolve(name: string, link: Link, where: Where): boolean {
    const target = readTarget(this.#directory, name);
    if (target === undefined) return false;
    link.target = target;
    if (this.#isKnownAs(target, link)) return false;
    const resolution = resolveLog(target, where);
    if (resolution.kind === 'nowhere') return false;
    link.isUnseen = false;
    if (resolution.kind === 'refused') {
      this.#refuse(name, link, resolution.reason);
      return false;
    }
    const { location } = resolution;
    if (!isOwnLog(name, target, location.realPath)) {
      this.#refuse(name, link, `leads to another container's log, ${location.realPath}`);
      return false;
    }
    if (this.#readers.has(location.realPath)) return false;
    const owner = ownerOf(location);
    if (!this.#quota.hasRoom(owner) || this.isFull) {
      this.#setCrowded(link, owner);
      return false;
    }
    this.#setCrowded(link, undefined);
    this.#quota.take(owner);
    this.#readers.set(location.realPath, name);
    link.log = describeLog(join(this.#directory, name), target, location);
    this.#events.added(link.log);
    return true;
  }

  /** Whether its text alone, as a kubelet writes it, shows that it is not read. */
  #isKnownAs(target: string, link: Link): boolean {
    if (this.#readers.has(target)) return true;
    const owner = dirname(dirname(target));
    if (this.#quota.hasRoom(owner) || !namesItsContainer(target)) return false;
    this.#setCrowded(link, owner);
    return true;
  }

  #where(): Where {
    return { roots: realRoots(this.#logRoots), rotations: new Map() };
  }

  #setCrowded(link: Link, owner: string | undefined): void {
    if (link.crowded === owner) return;
    if (link.crowded !== undefined) this.#quota.removeOver(link.crowded);
    link.crowded = owner;
    if (owner !== undefined && this.#quota.addOver(owner)) this.#events.crowded?.(owner);
  }

  #refuse(name: string, link: Link, reason: string): void {
    const report = `${link.target}\0${reason}`;
    if (link.reported === report) return;
    link.reported = report;
    this.#counters.refused += 1;
    this.#events.refused(join(this.#directory, name), reason);
  }

  /** Only its text shows that a link was replaced: all are read again after a listing. */
  #verifySome(): void {
    const count = Math.min(this.#verifyLeft, limits.linksCheckedPerScanMax);
    this.#verifyLeft -= count;
    for (let index = 0; index < count; index += 1) {
      let next = this.#verifyCursor.next();
      if (next.done === true) {
        this.#verifyCursor = this.#links.keys();
        next = this.#verifyCursor.next();
      }
      if (next.done === true) return;
      this.#verify(next.value);
    }
  }

  #verify(name: string): void {
    const link = this.#links.get(name);
    if (link?.log === undefined) return;
    const target = readTarget(this.#directory, name);
    // If the link is gone, the next listing shows it.
    if (target === undefined || target === link.target) return;
    // It keeps its place in the map: at the end, one round would see it twice and miss another.
    this.#stopReading(link);
    link.reported = '';
    this.#unsettled.add(name);
    this.#moved.push(name);
  }

  #remove(name: string, link: Link): void {
    this.#links.delete(name);
    this.#unsettled.delete(name);
    this.#setCrowded(link, undefined);
    if (link.isUnseen) this.#miss(name);
    else this.#noteGone(name);
    this.#stopReading(link);
  }

  #stopReading(link: Link): void {
    const { log } = link;
    if (log === undefined) return;
    link.log = undefined;
    this.#readers.delete(join(log.directory, log.fileName));
    this.#quota.giveBack(ownerOf(log));
    this.#events.removed(log);
  }
}
