// The links of the containers directory and what became of each. Discovery calls `scan` by the
// clock and after events; all of it is synchronous, so a scan sees one moment and tells its news in
// order: removed before added.
//
// A link is settled (added, its log is read) or unsettled (dangling, refused, or a second link to
// the same file) and retried by each scan. Invariant: `added` and `removed` come in pairs per log,
// and a log is removed only when its link is gone or leads elsewhere; a settled link that dangles
// keeps its log, whose files may still hold bytes.

import assert from 'node:assert/strict';
import { lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { join, resolve } from 'node:path';

import { limits } from '../config.ts';
import { hasCode } from '../errors.ts';
import { isOwnLog, namesItsContainer, parseContainerName } from './container-name.ts';
import type { ContainerName } from './container-name.ts';
import { resolveLog, resolveRoots } from './log-roots.ts';
import type { LogPlace } from './log-roots.ts';

/** One container's log as its link shows it. */
export type ContainerLog = {
  /** E.g. /var/log/containers/x.log. */
  readonly linkPath: string;
  /** Real path of the directory of the log files. */
  readonly directory: string;
  /**
   * Name of the live file in that directory, e.g. `0.log`; in a rotation's gap it does not exist.
   */
  readonly fileName: string;
  readonly format: 'cri' | 'docker' | 'raw';
  /**
   * undefined: neither link nor target names a container; ships as k8s_node with the path as a
   * label.
   */
  readonly name: ContainerName | undefined;
};

/** Called from within a scan; they must not call `scan` themselves. */
export type LinkEvents = {
  added(log: ContainerLog): void;
  removed(log: ContainerLog): void;
  /** Once per link and reason, though the link is tried again at every scan. */
  refused(linkPath: string, reason: string): void;
  /** A link came and went, with what it led to, before anybody looked: its log was never read. */
  missed?(linkPath: string): void;
};

export type LinkCounters = {
  scans: number;
  /** Scans that had to list the directory. */
  listings: number;
  /** Scans that could not look into the directory. */
  scanErrors: number;
  refused: number;
  /** Links that came and went unread. */
  missed: number;
  /** Links that are not looked at because there are more than `limits.linksMax`. */
  overLimit: number;
};

type Link = {
  target: string;
  log: ContainerLog | undefined;
  reported: string;
  listing: number;
  /** Came after the first listing, and has led nowhere ever since. */
  isUnseen: boolean;
};

/** Names of links that went, for which more events may come. */
const goneNamesMax = 1_024;

export class LinkTable {
  readonly counters: LinkCounters = {
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
  #verifyCursor: Iterator<string> = this.#links.keys();
  #verifyLeft = 0;
  #listed = { mtimeMs: Number.NaN, atMs: 0 };
  #identity: string | undefined;
  #scanning = false;

  constructor(options: { directory: string; logRoots: readonly string[] }, events: LinkEvents) {
    this.#directory = options.directory;
    this.#logRoots = options.logRoots;
    this.#events = events;
  }

  /**
   * Which directory the last scan saw; changes when it was replaced, undefined when it was missing
   * or unreadable.
   */
  get identity(): string | undefined {
    return this.#identity;
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
   * Looks at what changed; `touched` are names that an event told of, checked whether or not the
   * rest is.
   */
  scan(touched: Iterable<string> = []): void {
    assert(!this.#scanning, 'a scan is not started from its own events');
    this.#scanning = true;
    try {
      this.counters.scans += 1;
      this.#look(touched);
    } finally {
      this.#scanning = false;
    }
  }

  /**
   * A name that an event told of: a link that is new is read at once, without a listing, and so is
   * what it leads to. All else about it is found by the next scan.
   */
  meet(name: string): void {
    const isNew = name.endsWith('.log') && !this.#links.has(name);
    if (this.#scanning || !isNew || this.#links.size >= limits.linksMax) return;
    if (this.#readTarget(name) === undefined) {
      if (!this.#gone.has(name) && !this.#exists(name)) this.#miss(name);
      return;
    }
    this.#scanning = true;
    try {
      const link = this.#admit(name, true);
      if (!this.#resolve(name, link, resolveRoots(this.#logRoots))) this.#unsettled.add(name);
    } finally {
      this.#scanning = false;
    }
  }

  #look(touched: Iterable<string>): void {
    const fresh: string[] = [];
    const names = this.#readDirectory();
    // No news of any link: what is read goes on being read, and the next scan looks again.
    if (names === 'unreadable') return;
    if (names !== 'unchanged') this.#list(names, fresh);
    for (const name of touched) this.#verify(name);
    this.#verifySome();
    this.#settle(fresh);
  }

  #readDirectory(): readonly string[] | 'unchanged' | 'unreadable' {
    const atMs = Date.now();
    try {
      const stats = statSync(this.#directory);
      const identity = identityOf(stats);
      const same = identity === this.#identity && stats.mtimeMs === this.#listed.mtimeMs;
      // Within one grain of the file system's clock a later change may leave the same time.
      if (same && this.#listed.atMs - stats.mtimeMs > limits.mtimeGrainMs) return 'unchanged';
      const names = readdirSync(this.#directory);
      this.#listed = { mtimeMs: stats.mtimeMs, atMs };
      this.#identity = identity;
      return names;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.counters.scanErrors += 1;
      this.#identity = undefined;
      return 'unreadable';
    }
  }

  /** Takes the names of a whole listing: forgets links that are gone, collects the new ones. */
  #list(names: readonly string[], fresh: string[]): void {
    this.counters.listings += 1;
    this.counters.overLimit = 0;
    const listing = this.counters.listings;
    for (const name of names) {
      const link = this.#links.get(name);
      if (link !== undefined) link.listing = listing;
      else if (!name.endsWith('.log')) continue;
      else fresh.push(name);
    }
    for (const [name, link] of this.#links) {
      if (link.listing !== listing) this.#remove(name, link);
    }
    const room = limits.linksMax - this.#links.size;
    this.counters.overLimit = Math.max(0, fresh.length - room);
    fresh.length = Math.min(fresh.length, room);
    for (const name of fresh) this.#admit(name, listing > 1);
    this.#verifyLeft = this.#links.size;
  }

  #admit(name: string, isUnseen: boolean): Link {
    const { listings: listing } = this.counters;
    const link: Link = { target: '', log: undefined, reported: '', listing, isUnseen };
    this.#links.set(name, link);
    this.#gone.delete(name);
    return link;
  }

  #exists(name: string): boolean {
    return lstatSync(join(this.#directory, name), { throwIfNoEntry: false }) !== undefined;
  }

  /** Nothing of it can be read any more; whoever reads the log shall know. */
  #miss(name: string): void {
    this.#noteGone(name);
    this.counters.missed += 1;
    this.#events.missed?.(join(this.#directory, name));
  }

  #noteGone(name: string): void {
    this.#gone.add(name);
    const [oldest] = this.#gone;
    if (this.#gone.size > goneNamesMax && oldest !== undefined) this.#gone.delete(oldest);
  }

  /**
   * New links are resolved at once, for a pod may live for 300 ms; old ones that lead nowhere in
   * turn, so that many cost little.
   */
  #settle(fresh: readonly string[]): void {
    const names = new Set(fresh);
    for (const name of this.#unsettled) {
      if (names.size - fresh.length >= limits.linksCheckedPerScanMax) break;
      names.add(name);
    }
    if (names.size === 0) return;
    const roots = resolveRoots(this.#logRoots);
    for (const name of names) {
      // To the end of the line.
      this.#unsettled.delete(name);
      const link = this.#links.get(name);
      if (link !== undefined && !this.#resolve(name, link, roots)) this.#unsettled.add(name);
    }
  }

  /** Returns whether the link is settled. */
  #resolve(name: string, link: Link, roots: readonly string[]): boolean {
    const target = this.#readTarget(name);
    if (target === undefined) return false;
    link.target = target;
    const resolution = resolveLog(target, roots);
    if (resolution.kind === 'nowhere') return false;
    link.isUnseen = false;
    if (resolution.kind === 'refused') {
      this.#refuse(name, link, resolution.reason);
      return false;
    }
    const { place } = resolution;
    if (!isOwnLog(name, target, place.realPath)) {
      this.#refuse(name, link, `leads to another container's log, ${place.realPath}`);
      return false;
    }
    const reader = this.#readers.get(place.realPath);
    if (reader !== undefined) return false;
    this.#readers.set(place.realPath, name);
    link.log = this.#describe(name, target, place);
    this.#events.added(link.log);
    return true;
  }

  #describe(name: string, target: string, place: LogPlace): ContainerLog {
    // With docker the link's first hop names the pod and the real path does not; with /var/log/pods
    // a link, both do.
    const named = namesItsContainer(place.realPath) ? place.realPath : target;
    return {
      linkPath: join(this.#directory, name),
      directory: place.directory,
      fileName: place.fileName,
      format: place.fileName.endsWith('-json.log') ? 'docker' : 'cri',
      name: parseContainerName(name, named),
    };
  }

  #refuse(name: string, link: Link, reason: string): void {
    const report = `${link.target}\0${reason}`;
    if (link.reported === report) return;
    link.reported = report;
    this.counters.refused += 1;
    this.#events.refused(join(this.#directory, name), reason);
  }

  /**
   * A link that was made anew under its old name shows in its text alone; after a listing each is
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
    const target = this.#readTarget(name);
    // If the link itself is gone, the next listing tells.
    if (target === undefined || target === link.target) return;
    // In its place in the map: a link that moved to the end would be met twice in one round, and
    // another one not at all.
    this.#stopReading(link);
    link.reported = '';
    this.#unsettled.add(name);
  }

  #remove(name: string, link: Link): void {
    this.#links.delete(name);
    this.#unsettled.delete(name);
    if (link.isUnseen) this.#miss(name);
    else this.#noteGone(name);
    this.#stopReading(link);
  }

  #stopReading(link: Link): void {
    const { log } = link;
    if (log === undefined) return;
    link.log = undefined;
    this.#readers.delete(join(log.directory, log.fileName));
    this.#events.removed(log);
  }

  /**
   * The link's text made absolute; a file that is no link is its own target; undefined when it is
   * gone or unreadable.
   */
  #readTarget(name: string): string | undefined {
    const path = join(this.#directory, name);
    try {
      return resolve(this.#directory, readlinkSync(path));
    } catch (error) {
      return hasCode(error, 'EINVAL') ? path : undefined;
    }
  }
}

/**
 * ext4 gives the inode number of a removed directory to the next one made, but not its time of
 * birth. (Where statx(2) is missing, that time is ctime: then each new link costs a new watch.)
 */
function identityOf(stats: Stats): string {
  return `${stats.dev}:${stats.ino}:${stats.birthtimeMs}`;
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
