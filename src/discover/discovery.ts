// Finds the container logs of the node: a scan each second finds everything, chokidar only makes it
// sooner.
//
// chokidar holds one inotify watch on the directory. Where it cannot (limits of inotify or of
// descriptors, a missing directory), the watch is tried again each minute; where there are too many
// names for it, the kernel's events are used directly. With many links a scan pauses every 25 ms
// for reading and probes. Invariant: the next scan would find everything that an event reports.

import { realpathSync, watch as watchNames } from 'node:fs';
import { basename } from 'node:path';
import { threadCpuUsage } from 'node:process';

import { limits } from '../config.ts';
import { errorText } from '../errors.ts';
import { LinkTable, type LinkEvents } from './links/link-table.ts';

export type DiscoveryOptions = {
  /** Need not exist yet. */
  readonly containersDir: string;
  readonly logRoots: readonly string[];
  readonly scanIntervalMs: number;
  /** false: only scan, without loading chokidar or pausing. */
  readonly watch: boolean;
};

export type DiscoveryEvents = LinkEvents & {
  /** The directory cannot be watched; reported once until a watch succeeds. */
  degraded?(reason: string): void;
  /** The first scan has ended; called once. */
  listed?(): void;
};

/** Of chokidar or of node:fs. */
type Watcher = {
  on(event: 'error', listener: (error: unknown) => void): unknown;
  close(): void | Promise<void>;
};

/** Runs until `close`. */
export class Discovery {
  /** `watchErrors`: watches that could not be set up, or broke. */
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
  #watcher: Watcher | undefined;
  #isCrowded = false;
  #watching = false;
  #dropped: Promise<void> = Promise.resolve();
  #opening = false;
  /** Identity of the directory that the watcher, if any, was set up for. */
  #watched: string | undefined;
  #retryAtMs = 0;
  #isDegradedReported = false;

  /** Ends the first scan and calls `listed`, unless the scan pauses: then `listed` comes later. */
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

  get counters() {
    return { ...this.#table.counters, ...this.#counters };
  }

  /** Events make the scan sooner. */
  get watching(): boolean {
    return this.#watching;
  }

  /** Links whose logs are read. */
  get settledCount(): number {
    return this.#table.settledCount;
  }

  /** Links that lead nowhere (yet), are refused, or lead where another link leads. */
  get unsettledCount(): number {
    return this.#table.unsettledCount;
  }

  /** Directories of pods with more logs than are read, and how many more. */
  get overByPod(): ReadonlyMap<string, number> {
    return this.#table.overByPod;
  }

  /** No further log is read, of any pod. */
  get isFull(): boolean {
    return this.#table.isFull;
  }

  /** Scans now; everything found is reported before it returns. */
  scan(): void {
    // The rest of the current scan, and a whole one.
    if (this.#pausing) this.#scan(Number.POSITIVE_INFINITY);
    this.#scan(Number.POSITIVE_INFINITY);
  }

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
    // Not the elapsed time, which on a loaded machine would delay the next scan.
    this.#scanMs = (user + system) / 1_000;
    this.#counters.cpuMicros += user + system;
    if (this.#pausing) {
      // Events report what appears during the scan.
      if (this.#table.isCrowded) this.#keepWatch();
      // Timers and I/O come first.
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

  /** Sets up a watch where there is none, or where the directory was replaced. */
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

  /** chokidar would read all names, and again for each event. */
  async #watchCrowd(identity: string): Promise<void> {
    await this.#dropped;
    if (this.#closed) return;
    const path = realpathSync.native(this.#options.containersDir);
    const watcher = watchNames(path, { persistent: false }, (_event, name) => this.#meet(name));
    this.#take(watcher, identity);
    this.#begin();
  }

  async #openWatch(identity: string): Promise<void> {
    // It takes 17 ms and some MB, which `--once` does not pay.
    const { watch } = await import('chokidar');
    // chokidar shares handles by path: a new watch would join the dead one of a replaced directory.
    await this.#dropped;
    if (this.#closed) return;
    // The real path, because without followSymlinks a link would be watched itself.
    const watcher = watch(realpathSync.native(this.#options.containersDir), {
      backend: 'native',
      followSymlinks: false,
      depth: 0,
      ignoreInitial: true,
      // `atomic` would delay the removal of a link by 100 ms.
      atomic: false,
    });
    this.#take(watcher, identity);
    // The kernel's event: chokidar's own comes after a look at the directory in the thread pool,
    // and a pod may live for only 300 ms.
    watcher.on('raw', (_event, name: unknown) => this.#meet(name));
    watcher.on('all', (_event, path) => this.#noteEvent(path));
    watcher.on('ready', () => {
      if (this.#watcher === watcher) this.#begin();
    });
  }

  #take(watcher: Watcher, identity: string): void {
    this.#watcher = watcher;
    this.#watched = identity;
    watcher.on('error', (error) => {
      if (this.#watcher === watcher) this.#degrade(error);
    });
  }

  #begin(): void {
    this.#watching = true;
    this.#isDegradedReported = false;
    // For what came between the last scan and the watch.
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
    this.#events.degraded?.(errorText(error));
  }

  #dropWatch(): void {
    const watcher = this.#watcher;
    if (watcher === undefined) return;
    this.#watcher = undefined;
    this.#watching = false;
    this.#dropped = Promise.resolve(watcher.close()).catch(() => {
      // It may keep its inotify watch, which costs nothing else.
      this.#counters.watchErrors += 1;
    });
  }
}
