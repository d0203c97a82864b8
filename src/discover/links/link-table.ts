// The links of the containers directory and what became of each. A scan reports its changes in
// order, removed before added. A scan of many thousand links pauses when its time is up and
// continues later where it paused.
//
// A link is settled (added, its log is read) or unsettled (dangling, refused, or a second link to
// the same file) and retried by each scan. Invariant: `added` and `removed` come in pairs per log,
// and a log is removed only when its link is gone or leads elsewhere; a settled link that dangles
// keeps its log, whose files may still hold bytes.

import assert from 'node:assert/strict';
import { lstatSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { limits } from '../../config.ts';
import { realRoots } from '../../real-roots.ts';
import { runUntil } from '../../time-slice.ts';
import { isOwnLog, namesItsContainer } from '../container-name.ts';
import { LinkDirectory } from './link-directory.ts';
import { LinkQuota } from './link-quota.ts';
import { describeLog, ownerOf, readTarget } from './link-target.ts';
import { resolveLog } from './log-roots.ts';
import type { Rotations } from './log-roots.ts';
import type { ContainerLog, LinkCounters, LinkEvents } from './link-events.ts';

/** What the links that are resolved together share. */
type Where = { readonly roots: readonly string[]; readonly rotations: Rotations };

type Link = {
  target: string;
  log: ContainerLog | undefined;
  reported: string;
  listing: number;
  /** Came after the first listing, and has led nowhere ever since. */
  isUnseen: boolean;
  /** The directory of its pod, when that one has too many. */
  crowded: string | undefined;
};

/** Names of links that went, for which more events may come. */
const goneNamesMax = 1_024;

export class LinkTable {
  readonly #counters: LinkCounters = {
    scans: 0,
    listings: 0,
    scanErrors: 0,
    refused: 0,
    missed: 0,
    overLimit: 0,
  };
  readonly #directory: string;
  readonly #logRoots: readonly string[];
  readonly #events: LinkEvents;
  readonly #links = new Map<string, Link>();
  readonly #unsettled = new Set<string>();
  readonly #gone = new Set<string>();
  /** Which link reads a file, by the file's path: a second link to it must not read it again. */
  readonly #readers = new Map<string, string>();
  readonly #quota = new LinkQuota();
  readonly #source: LinkDirectory;
  #verifyCursor: Iterator<string> = this.#links.keys();
  #verifyLeft = 0;
  /** The present scan, while it pauses. */
  #work: Generator<void, void> | undefined;
  readonly #touched = new Set<string>();
  /** Links whose text has changed, to be read again by the present scan. */
  readonly #moved: string[] = [];
  #scanning = false;

  constructor(options: { directory: string; logRoots: readonly string[] }, events: LinkEvents) {
    this.#directory = options.directory;
    this.#source = new LinkDirectory(options.directory);
    this.#logRoots = options.logRoots;
    this.#events = events;
  }

  get counters(): Readonly<LinkCounters> {
    return this.#counters;
  }

  /**
   * Which directory the last scan saw; changes when it was replaced, undefined when it was missing
   * or unreadable.
   */
  get identity(): string | undefined {
    return this.#source.identity;
  }

  /** It holds more names than a watcher may be made to list. */
  get isCrowded(): boolean {
    return this.#source.nameCount > limits.watchedNamesMax;
  }

  /** Directories of pods with more logs than are read, and how many more. */
  get overByPod(): ReadonlyMap<string, number> {
    return this.#quota.over;
  }

  /** No further log is read, of any pod. */
  get isFull(): boolean {
    return this.#readers.size >= limits.linksMax;
  }

  /** Links that are read. */
  get settledCount(): number {
    return this.#readers.size;
  }

  /** Links that lead nowhere (yet), are refused, or lead where another link leads. */
  get unsettledCount(): number {
    return this.#unsettled.size;
  }

  /**
   * Looks at what changed; `touched` are names that events reported, checked whether or not the
   * rest is. Returns false when it paused at `endMs` (of `performance.now()`): the next call goes
   * on.
   */
  scan(touched: Iterable<string> = [], endMs = Number.POSITIVE_INFINITY): boolean {
    assert(!this.#scanning, 'a scan is not started from its own events');
    this.#scanning = true;
    for (const name of touched) this.#touched.add(name);
    this.#work ??= this.#look();
    try {
      const isDone = runUntil(this.#work, endMs, 1);
      if (isDone) this.#work = undefined;
      return isDone;
    } finally {
      this.#scanning = false;
    }
  }

  /**
   * A name that an event reported: a link that is new is read at once, without a listing, and so is
   * what it leads to. All else about it is found by the next scan.
   */
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
      // No news of any link: what is read is read on, and the next scan looks again.
      this.#counters.scanErrors += 1;
      return;
    }
    for (const name of touched) this.#verify(name);
    this.#verifySome();
    // Not before: a new link may lead where another one has led so far.
    yield* this.#settle(fresh);
    yield* this.#retrySome(retries);
  }

  /**
   * Lists the directory and forgets the links that are gone. Returns the new names, the last ones
   * of very many; undefined when it became unreadable.
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

  /** Nothing of it can be read any more, which the agent's log must say. */
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

  /** New links are resolved at once, for a pod may live for 300 ms. */
  *#settle(fresh: readonly string[]): Generator<void, void> {
    const where = this.#where();
    for (const name of fresh.toSorted()) {
      // An event may have brought it in the meantime.
      if (!this.#links.has(name)) this.#meetListed(name, where);
      yield;
    }
  }

  /** What leads nowhere and is not remembered is a new one again for the next listing. */
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

  /**
   * Links that lead elsewhere by now; and those that led nowhere, in turn, some per scan, so that
   * many cost little.
   */
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
    // To the end of the line.
    this.#unsettled.delete(name);
    const link = this.#links.get(name);
    if (link !== undefined && !this.#resolve(name, link, where)) this.#unsettled.add(name);
  }

  /** Returns whether the link is settled. */
  #resolve(name: string, link: Link, where: Where): boolean {
    const target = readTarget(this.#directory, name);
    if (target === undefined) return false;
    link.target = target;
    if (this.#isKnownAs(target, link)) return false;
    const resolution = resolveLog(target, where.roots, where.rotations);
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
    const reader = this.#readers.get(location.realPath);
    if (reader !== undefined) return false;
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

  /** What its text alone tells, without a look at the disk, as a kubelet writes it. */
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

  /**
   * A link that was replaced under its old name shows in its text alone; after a listing each is
   * read once more, some per scan.
   */
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
    // If the link itself is gone, the next listing tells.
    if (target === undefined || target === link.target) return;
    // It keeps its position in the map: at the end, one round would meet it twice and miss another.
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
