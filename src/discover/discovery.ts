// Finds the container logs of the node: the scan each second is the truth, chokidar only makes it
// sooner. Started by the agent.
//
// chokidar holds one inotify watch, on the directory itself, and hears only links come and go.
// Where it cannot (limits of inotify or of descriptors, a directory that is missing), the scan goes
// on alone and the watch is tried again each minute. Invariant: nothing is known from an event that
// the next scan would not find too.

import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { threadCpuUsage } from 'node:process';
import type { FSWatcher } from 'chokidar';

import { limits } from '../config.ts';
import { LinkTable } from './link-table.ts';
import type { LinkCounters, LinkEvents } from './link-table.ts';

export type { ContainerLog } from './link-table.ts';

export type DiscoveryOptions = {
  /** Need not exist yet. */
  readonly containersDir: string;
  readonly logRoots: readonly string[];
  readonly scanIntervalMs: number;
  /** false: scan by the clock alone, without loading chokidar. */
  readonly watch: boolean;
};

export type DiscoveryEvents = LinkEvents & {
  /** The directory cannot be watched; told once until a watch has succeeded. */
  degraded?(reason: string): void;
};

export type DiscoveryCounters = LinkCounters & {
  /** Events of chokidar; many make one scan. */
  events: number;
  /** Times that a watch could not be set up or broke. */
  watchErrors: number;
  /** What the scans took of the CPU, with what followed from them. */
  cpuMicros: number;
};

/** Runs until `close`. */
export type Discovery = {
  /** Looks now; everything found is told before it returns. */
  scan(): void;
  close(): Promise<void>;
  readonly counters: Readonly<DiscoveryCounters>;
  /** Whether events make the scan sooner at present. */
  readonly watching: boolean;
  /** Links whose logs are read. */
  readonly settledCount: number;
  /** Links that lead nowhere (yet), are refused, or lead where another link leads. */
  readonly unsettledCount: number;
};

/** The first scan, with all its events, happens before this returns. */
export function startDiscovery(options: DiscoveryOptions, events: DiscoveryEvents): Discovery {
  return new ScanningDiscovery(options, events);
}

class ScanningDiscovery implements Discovery {
  readonly counters: DiscoveryCounters;
  readonly #options: DiscoveryOptions;
  readonly #events: DiscoveryEvents;
  readonly #table: LinkTable;
  readonly #clock: NodeJS.Timeout;
  readonly #touched = new Set<string>();
  #soon: NodeJS.Timeout | undefined;
  #scanMs = 0;
  #closed = false;
  #watcher: FSWatcher | undefined;
  #watching = false;
  #dropped: Promise<void> = Promise.resolve();
  #opening = false;
  /** Identity of the directory that the watcher, if any, was set up for. */
  #watched: string | undefined;
  #retryAtMs = 0;
  #degradedTold = false;

  constructor(options: DiscoveryOptions, events: DiscoveryEvents) {
    this.#options = options;
    this.#events = events;
    this.#table = new LinkTable(
      { directory: options.containersDir, logRoots: options.logRoots },
      events,
    );
    this.counters = Object.assign(this.#table.counters, {
      events: 0,
      watchErrors: 0,
      cpuMicros: 0,
    });
    this.scan();
    this.#clock = setInterval(() => this.scan(), options.scanIntervalMs);
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

  scan(): void {
    if (this.#closed) return;
    clearTimeout(this.#soon);
    this.#soon = undefined;
    const before = threadCpuUsage();
    this.#table.scan(this.#touched);
    this.#touched.clear();
    const { user, system } = threadCpuUsage(before);
    // Not the time that went by: on a loaded machine that would put the next scan off.
    this.#scanMs = (user + system) / 1_000;
    this.counters.cpuMicros += user + system;
    if (this.#options.watch) this.#keepWatch();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#clock);
    clearTimeout(this.#soon);
    this.#dropWatch();
    await this.#dropped;
  }

  /**
   * Sets up a watch where there is none, or where the directory is another one than the watched.
   */
  #keepWatch(): void {
    const identity = this.#table.identity;
    if (this.#watcher !== undefined && identity !== this.#watched) this.#dropWatch();
    if (identity === undefined || this.#watcher !== undefined || this.#opening) return;
    if (performance.now() < this.#retryAtMs) return;
    this.#opening = true;
    this.#openWatch(identity)
      .catch((error: unknown) => this.#degrade(error))
      .finally(() => {
        this.#opening = false;
      });
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
    this.#watcher = watcher;
    this.#watched = identity;
    // The event as the kernel tells it: chokidar's own comes after its look at the directory, in
    // the thread pool, and a pod may live for 300 ms only.
    watcher.on('raw', (_event, name: unknown) => {
      if (this.#closed || typeof name !== 'string') return;
      this.#table.meet(basename(name));
      this.#hear(name);
    });
    watcher.on('all', (_event, path) => this.#hear(path));
    watcher.on('error', (error) => {
      if (this.#watcher === watcher) this.#degrade(error);
    });
    watcher.on('ready', () => {
      if (this.#watcher !== watcher) return;
      this.#watching = true;
      this.#degradedTold = false;
      // What came between the last scan and the watch.
      this.#scanSoon();
    });
  }

  #hear(path: string): void {
    this.counters.events += 1;
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
    this.#soon = setTimeout(() => this.scan(), delayMs);
  }

  #degrade(error: unknown): void {
    this.counters.watchErrors += 1;
    this.#retryAtMs = performance.now() + limits.watchRetryMs;
    this.#dropWatch();
    if (this.#degradedTold || this.#closed) return;
    this.#degradedTold = true;
    this.#events.degraded?.(error instanceof Error ? error.message : String(error));
  }

  #dropWatch(): void {
    const watcher = this.#watcher;
    if (watcher === undefined) return;
    this.#watcher = undefined;
    this.#watching = false;
    this.#dropped = watcher.close().catch(() => {
      // It may hold its inotify watch for ever, which is counted and costs nothing else.
      this.counters.watchErrors += 1;
    });
  }
}
