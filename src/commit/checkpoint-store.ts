// How far each file was acknowledged: the agent's only memory across restarts.
//
// The whole store is in memory, some hundreds of bytes a row; the file is a copy. When it cannot be
// written (disk full, read-only) the store works on, `healthy` is false, and flushes try again with
// a back-off. A corrupt file is renamed and rewritten from memory. Invariants: nothing is written
// when nothing changed; a flush writes all changes or none; if the file or its last seconds are
// lost, lines are read and sent again, as the same entries.

import { isDeepStrictEqual } from 'node:util';

import { limits } from '../config.ts';
import { AgentError } from '../errors.ts';
import type { Log } from '../log.ts';
import { CheckpointFile, loadReadOnly, setAside, type Change } from './checkpoint-file.ts';
import type { Checkpoint, CheckpointKey } from './checkpoint.ts';

type ContainerKey = Pick<CheckpointKey, 'podUid' | 'container'>;

/** No method throws operating errors. */
export type CheckpointStore = {
  /** Checkpoints of one container, of all restarts. */
  lookup(podUid: string, container: string): Checkpoint[];
  /** The container exists: `forgetUnclaimed` keeps its checkpoints. */
  claim(podUid: string, container: string): void;
  /** In memory at once, in the file with the next flush. The object is kept: do not change it. */
  put(checkpoint: Checkpoint): void;
  forget(key: CheckpointKey): void;
  /** Forgets rows of containers that were not claimed or put since; returns their number. */
  forgetUnclaimed(): number;
  /** Writes what has changed in one transaction. */
  flush(): void;
  /** Flushes without regard to the back-off, and unlocks the file. */
  close(): void;
  /** The last flush succeeded; otherwise the agent is not ready. */
  readonly healthy: boolean;
  readonly lastError: AgentError | undefined;
  /** Checkpoints in memory. */
  readonly size: number;
};

/**
 * Opens the store of a state directory, which is created if need be. Throws STATE_LOCKED if another
 * process has it; any other error of the disk only makes the store unhealthy.
 */
export function openCheckpointStore(stateDir: string, log: Log): CheckpointStore {
  return new FileBackedStore(stateDir, log);
}

class FileBackedStore implements CheckpointStore {
  readonly #stateDir: string;
  readonly #log: Log;
  /** By container, then by restart count and fingerprint. */
  readonly #containers = new Map<string, Map<string, Checkpoint>>();
  readonly #unclaimed = new Set<string>();
  /** By key: what the file lacks. */
  readonly #dirty = new Map<string, Change>();
  #file: CheckpointFile | undefined;
  #size = 0;
  #lastError: AgentError | undefined;
  #healthy = true;
  #retryMs = 0;
  #retryAtMs = 0;
  #closed = false;

  constructor(stateDir: string, log: Log) {
    this.#stateDir = stateDir;
    this.#log = log;
    try {
      this.#write();
    } catch (error) {
      if (!(error instanceof AgentError) || error.code === 'STATE_LOCKED') throw error;
      if (this.#file === undefined) this.#adopt(loadReadOnly(stateDir));
      this.#fail(error);
    }
  }

  get healthy(): boolean {
    return this.#healthy;
  }

  get lastError(): AgentError | undefined {
    return this.#lastError;
  }

  get size(): number {
    return this.#size;
  }

  lookup(podUid: string, container: string): Checkpoint[] {
    return [...(this.#containers.get(containerKey({ podUid, container }))?.values() ?? [])];
  }

  claim(podUid: string, container: string): void {
    this.#unclaimed.delete(containerKey({ podUid, container }));
  }

  put(checkpoint: Checkpoint): void {
    const key = containerKey(checkpoint);
    const file = fileKey(checkpoint);
    this.#unclaimed.delete(key);
    const known = this.#containers.get(key)?.get(file);
    if (known !== undefined && isSame(known, checkpoint)) return;
    this.#keep(checkpoint, key, file);
    this.#dirty.set(key + file, { put: checkpoint });
  }

  forget(key: CheckpointKey): void {
    const container = containerKey(key);
    const files = this.#containers.get(container);
    if (files?.delete(fileKey(key)) !== true) return;
    if (files.size === 0) this.#containers.delete(container);
    this.#size -= 1;
    this.#dirty.set(container + fileKey(key), { forget: { ...key } });
  }

  forgetUnclaimed(): number {
    const before = this.#size;
    for (const key of this.#unclaimed) {
      for (const checkpoint of this.#containers.get(key)?.values() ?? []) this.forget(checkpoint);
    }
    this.#unclaimed.clear();
    return before - this.#size;
  }

  flush(): void {
    if (this.#closed) return;
    if (this.#healthy ? this.#dirty.size === 0 : performance.now() < this.#retryAtMs) return;
    this.#tryWrite();
  }

  close(): void {
    if (this.#closed) return;
    if (!this.#healthy || this.#dirty.size > 0) this.#tryWrite();
    this.#file?.close();
    this.#file = undefined;
    this.#closed = true;
  }

  #tryWrite(): void {
    try {
      this.#write();
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      this.#fail(error);
      return;
    }
    if (this.#healthy) return;
    this.#healthy = true;
    this.#lastError = undefined;
    this.#retryMs = 0;
    this.#log.info('STATE_UNWRITABLE', `${this.#stateDir}: checkpoints are saved again`);
  }

  /** Writes all changes; a corrupt file is replaced, once. */
  #write(): void {
    try {
      this.#writeFile();
    } catch (error) {
      if (!(error instanceof AgentError) || error.code !== 'STATE_CORRUPT') throw error;
      this.#replaceCorrupt(error);
      this.#writeFile();
    }
  }

  #writeFile(): void {
    this.#file ??= this.#openFile();
    this.#file.write(this.#dirty.values());
    this.#dirty.clear();
  }

  /** Opens the file, adopts rows that only the file has, and marks all others dirty. */
  #openFile(): CheckpointFile {
    const file = new CheckpointFile(this.#stateDir);
    try {
      const known = [...this.#containers.values()].flatMap((files) => [...files.values()]);
      this.#adopt(file.load());
      for (const put of known) this.#dirty.set(containerKey(put) + fileKey(put), { put });
      return file;
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Adopts rows of an earlier run, unless this run knows, or has forgotten, newer ones. */
  #adopt(checkpoints: readonly Checkpoint[]): void {
    for (const checkpoint of checkpoints) {
      const key = containerKey(checkpoint);
      const file = fileKey(checkpoint);
      if (this.#dirty.has(key + file)) continue;
      const files = this.#containers.get(key);
      if (files === undefined) this.#unclaimed.add(key);
      if (files?.has(file) !== true) this.#keep(checkpoint, key, file);
    }
  }

  #keep(checkpoint: Checkpoint, key: string, file: string): void {
    let files = this.#containers.get(key);
    if (files === undefined) this.#containers.set(key, (files = new Map()));
    const before = files.size;
    files.set(file, checkpoint);
    this.#size += files.size - before;
  }

  #replaceCorrupt(error: AgentError): void {
    let aside: string;
    try {
      // While the file is locked, so that no other agent finds it meanwhile.
      aside = setAside(this.#stateDir);
    } catch (cause) {
      throw new AgentError(
        'STATE_UNWRITABLE',
        `${this.#stateDir}: the corrupt store cannot be renamed`,
        { cause },
      );
    } finally {
      this.#file?.close();
      this.#file = undefined;
    }
    this.#log.error('STATE_CORRUPT', `${error.message}; set aside as ${aside}`);
  }

  #fail(error: AgentError): void {
    // On a full disk the open file may soon work again; after other errors it is opened again.
    if (!isDiskFull(error)) {
      this.#file?.close();
      this.#file = undefined;
    }
    this.#retryMs = Math.min(
      Math.max(this.#retryMs * 2, limits.stateRetryMsMin),
      limits.stateRetryMsMax,
    );
    this.#retryAtMs = performance.now() + this.#retryMs;
    const isReported = this.#lastError?.code === error.code;
    this.#healthy = false;
    this.#lastError = error;
    if (!isReported) this.#log.error(error.code, `${error.message}; going on from memory`);
  }
}

function containerKey({ podUid, container }: ContainerKey): string {
  return `${podUid}/${container}/`;
}

function fileKey(key: Omit<CheckpointKey, keyof ContainerKey>): string {
  return `${key.restartCount}/${key.fingerprint}/${key.instance}`;
}

function isSame(one: Checkpoint, other: Checkpoint): boolean {
  return (
    one.offset === other.offset &&
    one.positionHash === other.positionHash &&
    one.size === other.size &&
    one.bornMs === other.bornMs &&
    isDeepStrictEqual(one.readTimes, other.readTimes) &&
    one.device === other.device &&
    one.inode === other.inode &&
    one.fileName === other.fileName
  );
}

function isDiskFull(error: AgentError): boolean {
  const { cause } = error;
  // SQLITE_FULL
  return cause instanceof Error && 'errcode' in cause && cause.errcode === 13;
}
