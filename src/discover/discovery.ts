// Finds the container logs of the node: the scan each second is the truth, chokidar only makes it
// sooner.
//
// chokidar holds one inotify watch, on the directory itself, and sees only links come and go. Where
// it cannot (limits of inotify or of descriptors, a directory that is missing), the scan goes on
// alone and the watch is tried again each minute. Where there are more names than chokidar should
// list, the kernel's events do without it. With many links a scan pauses every 25 ms, so that
// reading and probes go on. Invariant: nothing is known from an event that the next scan would not
// find too.

import { realpathSync, watch as watchNames } from 'node:fs';
import { basename } from 'node:path';
import { threadCpuUsage } from 'node:process';

import { limits } from '../config.ts';
import { LinkTable } from './links/link-table.ts';
import type { LinkCounters, LinkEvents } from './links/link-events.ts';

export type { ContainerLog } from './links/link-events.ts';

export type DiscoveryOptions = {
  /** Need not exist yet. */
  readonly containersDir: string;
  readonly logRoots: readonly string[];
  readonly scanIntervalMs: number;
  /** false: scan by the clock alone, without loading chokidar. */
  readonly watch: boolean;
};

export type DiscoveryEvents = LinkEvents & {
  /** The directory cannot be watched; reported once until a watch has succeeded. */
  degraded?(reason: string): void;
  /** The first scan has come to its end; called once. */
  listed?(): void;
};

export type DiscoveryCounters = Readonly<LinkCounters> & {
  /** Events of chokidar; many make one scan. */
  readonly events: number;
  /** Times that a watch could not be set up or broke. */
  readonly watchErrors: number;
  /** What the scans took of the CPU, with what followed from them. */
  readonly cpuMicros: number;
};

/** Runs until `close`. */
export type Discovery = {
  /** Looks now; everything found is reported before it returns. */
  scan(): void;
  close(): Promise<void>;
  /** As of now. */
  readonly counters: DiscoveryCounters;
  /** Whether events make the scan sooner at present. */
  readonly watching: boolean;
  /** Links whose logs are read. */
  readonly settledCount: number;
  /** Links that lead nowhere (yet), are refused, or lead where another link leads. */
  readonly unsettledCount: number;
  /** Directories of pods with more logs than are read, and how many more. */
  readonly overByPod: ReadonlyMap<string, number>;
  /** No further log is read, of any pod. */
  readonly isFull: boolean;
};

/**
 * The first scan happens before this returns, unless it pauses, which it does with thousands of
 * links and a watch. `listed` is called then.
 */
export function startDiscovery(options: DiscoveryOptions, events: DiscoveryEvents): Discovery {
  return new ScanningDiscovery(options, events);
}

class ScanningDiscovery implements Discovery {
  readonly #counters = { events: 0, watchErrors: 0, cpuMicros: 0 };
  readonly #options: DiscoveryOptions;
  readonly #events: DiscoveryEvents;
  readonly #table: LinkTable;
  readonly #timer: NodeJS.Timeout;
  readonly #touched = new Set<string>();
  #soon: NodeJS.Timeout | undefined;
  #scanMs = 0;
  #isListed = false;
  #next: NodeJS.Immediate | undefined;
  #pausing = false;
  #metCount = 0;
  #closed = false;
  #watcher: { close(): void | Promise<void> } | undefined;
  #isCrowded = false;
  #watching = false;
  #dropped: Promise<void> = Promise.resolve();
  #opening = false;
  /** Identity of the directory that the watcher, if any, was set up for. */
  #watched: string | undefined;
  #retryAtMs = 0;
  #isDegradedReported = false;

  constructor(options: DiscoveryOptions, events: DiscoveryEvents) {
    this.#options = options;
    this.#events = events;
    this.#table = new LinkTable(
      { directory: options.containersDir, logRoots: options.logRoots },
      events,
    );
    this.#scan(this.#sliceEndMs());
    this.#timer = setInterval(() => this.#scan(this.#sliceEndMs()), options.scanIntervalMs);
  }

  get counters(): DiscoveryCounters {
    return { ...this.#table.counters, ...this.#counters };
  }

  get watching(): boolean {
    return this.#watching;
  }

  get settledCount(): number {
    return this.#table.settledCount;
  }

  get unsettledCount(): number {
    return this.#table.unsettledCount;
  }

  get overByPod(): ReadonlyMap<string, number> {
    return this.#table.overByPod;
  }

  get isFull(): boolean {
    return this.#table.isFull;
  }

  scan(): void {
    // What is left of the present one, and a whole one.
    if (this.#pausing) this.#scan(Number.POSITIVE_INFINITY);
    this.#scan(Number.POSITIVE_INFINITY);
  }

  /** With `--once` there is nothing to pause for. */
  #sliceEndMs(): number {
    const { watch } = this.#options;
    return watch ? performance.now() + limits.scanSliceMs : Number.POSITIVE_INFINITY;
  }

  #scan(endMs: number): void {
    if (this.#closed) return;
    clearImmediate(this.#next);
    clearTimeout(this.#soon);
    this.#soon = undefined;
    const before = threadCpuUsage();
    this.#pausing = !this.#table.scan(this.#touched, endMs);
    this.#touched.clear();
    this.#metCount = 0;
    const { user, system } = threadCpuUsage(before);
    // Not the time that went by: on a loaded machine that would put the next scan off.
    this.#scanMs = (user + system) / 1_000;
    this.#counters.cpuMicros += user + system;
    if (this.#pausing) {
      // Events report what appears during the walk, so that it need not wait for its end.
      if (this.#table.isCrowded) this.#keepWatch();
      // Timers and answers come first.
      this.#next = setImmediate(() => this.#scan(this.#sliceEndMs()));
      return;
    }
    if (!this.#isListed) this.#events.listed?.();
    this.#isListed = true;
    if (this.#options.watch) this.#keepWatch();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    clearImmediate(this.#next);
    clearTimeout(this.#soon);
    this.#dropWatch();
    await this.#dropped;
  }

  /**
   * Sets up a watch where there is none, or where the directory is another one than the watched.
   */
  #keepWatch(): void {
    const { identity, isCrowded } = this.#table;
    const isOther = identity !== this.#watched || isCrowded !== this.#isCrowded;
    if (this.#watcher !== undefined && isOther) this.#dropWatch();
    if (identity === undefined || this.#watcher !== undefined || this.#opening) return;
    if (performance.now() < this.#retryAtMs) return;
    this.#opening = true;
    this.#isCrowded = isCrowded;
    (isCrowded ? this.#watchCrowd(identity) : this.#openWatch(identity))
      .catch((error: unknown) => this.#degrade(error))
      .finally(() => {
        this.#opening = false;
      });
  }

  /** chokidar would read all names, now and again for each event. */
  async #watchCrowd(identity: string): Promise<void> {
    await this.#dropped;
    if (this.#closed) return;
    const path = realpathSync.native(this.#options.containersDir);
    const watcher = watchNames(path, { persistent: false }, (_event, name) => this.#meet(name));
    watcher.on('error', (error) => {
      if (this.#watcher === watcher) this.#degrade(error);
    });
    this.#take(watcher, identity);
    this.#begin();
  }

  async #openWatch(identity: string): Promise<void> {
    // 17 ms and some MB that `--once` and a start without a directory do not pay.
    const { watch } = await import('chokidar');
    // chokidar shares handles by path: a new watch would join the dead one of a directory that was
    // replaced.
    await this.#dropped;
    if (this.#closed) return;
    // With followSymlinks off, a containers directory that is a link itself would be watched as a
    // link.
    const watcher = watch(realpathSync.native(this.#options.containersDir), {
      backend: 'native',
      followSymlinks: false,
      depth: 0,
      ignoreInitial: true,
      // `atomic` would hold back the removal of a link for 100 ms.
      atomic: false,
    });
    this.#take(watcher, identity);
    // The event as the kernel reports it: chokidar's own comes after its look at the directory, in
    // the thread pool, and a pod may live for 300 ms only.
    watcher.on('raw', (_event, name: unknown) => this.#meet(name));
    watcher.on('all', (_event, path) => this.#noteEvent(path));
    watcher.on('error', (error) => {
      if (this.#watcher === watcher) this.#degrade(error);
    });
    watcher.on('ready', () => {
      if (this.#watcher === watcher) this.#begin();
    });
  }

  #take(watcher: { close(): void | Promise<void> }, identity: string): void {
    this.#watcher = watcher;
    this.#watched = identity;
  }

  /** The watch is set up. */
  #begin(): void {
    this.#watching = true;
    this.#isDegradedReported = false;
    // What came between the last scan and the watch.
    this.#scanSoon();
  }

  #meet(name: unknown): void {
    if (this.#closed || typeof name !== 'string') return;
    if (name.endsWith('.log')) this.#metCount += 1;
    if (this.#metCount <= limits.linksMetPerScanMax) this.#table.meet(basename(name));
    this.#noteEvent(name);
  }

  #noteEvent(path: string): void {
    this.#counters.events += 1;
    if (this.#touched.size < limits.linksCheckedPerScanMax) this.#touched.add(basename(path));
    this.#scanSoon();
  }

  /** Many events make one scan; with many links, events cost at most a twentieth of the time. */
  #scanSoon(): void {
    if (this.#closed || this.#soon !== undefined) return;
    const delayMs = Math.min(
      Math.max(limits.scanEventDelayMs, this.#scanMs * 20),
      this.#options.scanIntervalMs,
    );
    this.#soon = setTimeout(() => this.#scan(this.#sliceEndMs()), delayMs);
  }

  #degrade(error: unknown): void {
    this.#counters.watchErrors += 1;
    this.#retryAtMs = performance.now() + limits.watchRetryMs;
    this.#dropWatch();
    if (this.#isDegradedReported || this.#closed) return;
    this.#isDegradedReported = true;
    this.#events.degraded?.(error instanceof Error ? error.message : String(error));
  }

  #dropWatch(): void {
    const watcher = this.#watcher;
    if (watcher === undefined) return;
    this.#watcher = undefined;
    this.#watching = false;
    this.#dropped = Promise.resolve(watcher.close()).catch(() => {
      // It may keep its inotify watch; that is counted and costs nothing else.
      this.#counters.watchErrors += 1;
    });
  }
}
