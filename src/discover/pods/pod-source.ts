// Keeps a PodTable in step with the API server's pods of the node: lists once, then watches.
//
// Invariants: at most one request at a time, and never two within `podRequestGapMs`; a watch
// resumes at the last resourceVersion it received, and the list is repeated only when the server no
// longer knows that version (410); after a failure it waits, with full jitter, up to
// `podBackoffMaxMs`, because all nodes of a cluster lose the API server at the same time.

import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from '../../backoff.ts';
import { limits } from '../../config.ts';
import { AgentError, errorText } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { JsonSplitter, withoutManagedFields } from './json-splitter.ts';
import type { ApiAnswer, KubernetesApi } from './kubernetes-api.ts';
import type { PodTable } from './pod-table.ts';

export type PodSourceOptions = {
  readonly api: KubernetesApi;
  readonly node: string;
  readonly table: PodTable;
  /** The table is complete. */
  readonly listed: () => void;
  /** For a warning at each failure. */
  readonly log: Log;
  readonly limits?: Partial<PodSourceLimits> | undefined;
};

export type PodSourceLimits = {
  readonly [Name in keyof typeof limits as Name extends `pod${string}` ? Name : never]: number;
};

type WatchEvent = { readonly type?: unknown; readonly object?: unknown };
type ListMeta = { readonly resourceVersion?: unknown; readonly continue?: unknown };
type Status = { readonly code?: unknown; readonly message?: unknown };

// Labels and owners without spec and status, a tenth of the bytes; a server that does not know the
// form sends the whole pods. https://kubernetes.io/docs/reference/using-api/api-concepts/
const acceptList =
  'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json';
const acceptWatch = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json';
const goneStatus = 410;
const badRequestStatus = 400;

export class PodSource {
  readonly #counters = { lists: 0, watches: 0, failures: 0, events: 0 };
  readonly #options: PodSourceOptions;
  readonly #limits: PodSourceLimits;
  readonly #stopping = new AbortController();
  #version: string | undefined;
  #failuresInRow = 0;
  #watchedSinceMs = 0;
  /** The server forgot a version or a page: the next list is requested as a whole. */
  #unpaged = false;

  constructor(options: PodSourceOptions) {
    this.#options = options;
    this.#limits = { ...limits, ...options.limits };
    void this.#run();
  }

  get counters(): Readonly<Record<'lists' | 'watches' | 'failures' | 'events', number>> {
    return this.#counters;
  }

  close(): void {
    this.#stopping.abort();
    this.#options.api.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      let waitMs = this.#limits.podRequestGapMs * (0.5 + Math.random());
      try {
        if (this.#version === undefined) await this.#list();
        else await this.#watch(this.#version);
      } catch (error) {
        if (signal.aborted) return;
        this.#counters.failures += 1;
        this.#failuresInRow += 1;
        waitMs += this.#backoffMs();
        if (error instanceof ServerRefusal) waitMs = Math.max(waitMs, error.waitMs);
        this.#options.log.warn('POD_METADATA_UNAVAILABLE', errorText(error));
      }
      // No pause between the first list and the first watch.
      if (this.#failuresInRow === 0 && this.#counters.watches === 0) continue;
      await sleep(waitMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  #backoffMs(): number {
    const { podBackoffBaseMs: baseMs, podBackoffMaxMs: maxMs } = this.#limits;
    return backoffMs(this.#failuresInRow, { baseMs, maxMs });
  }

  async #list(): Promise<void> {
    const { table } = this.#options;
    this.#counters.lists += 1;
    table.beginListing();
    let next: string | undefined;
    do {
      // Version 0 is what the API server has in memory, without reading etcd for every node. It may
      // be a little old; the watch brings it up to date.
      const from = { resourceVersion: '0', ...this.#pageSize() };
      const page = next === undefined ? from : { ...this.#pageSize(), continue: next };
      const meta = await this.#listPage(page);
      next = typeof meta.continue === 'string' && meta.continue !== '' ? meta.continue : undefined;
      if (typeof meta.resourceVersion === 'string') this.#version = meta.resourceVersion;
    } while (next !== undefined);
    if (this.#version === undefined) throw unusable('a list without resourceVersion');
    this.#unpaged = false;
    table.endListing();
    this.#options.listed();
  }

  #pageSize(): { limit?: string } {
    return this.#unpaged ? {} : { limit: String(this.#limits.podListPageMax) };
  }

  async #listPage(query: Record<string, string>): Promise<ListMeta> {
    const { table } = this.#options;
    const splitter = new JsonSplitter({
      depth: 3,
      bytesMax: this.#limits.podObjectBytesMax,
      onObject: (text) => table.seen(parse(withoutManagedFields(text))),
    });
    const answer = await this.#options.api.get({
      path: this.#path(query),
      accept: acceptList,
      deadlineMs: this.#limits.podListMs,
      onChunk: (chunk) => splitter.push(chunk),
    });
    if (answer.status !== 200) {
      this.#version = undefined;
      this.#unpaged = answer.status === goneStatus;
      throw refusal('listing the pods', answer);
    }
    const { metadata } = parse(splitter.envelope) as { metadata?: ListMeta | null };
    return metadata ?? {};
  }

  /** Resolves when the server ends the watch after its time. */
  async #watch(version: string): Promise<void> {
    this.#counters.watches += 1;
    this.#watchedSinceMs = performance.now();
    const seconds = Math.round((this.#limits.podWatchMs / 1_000) * (1 + Math.random()));
    const splitter = new JsonSplitter({
      depth: 1,
      bytesMax: this.#limits.podObjectBytesMax,
      onObject: (text) => this.#take(parse(withoutManagedFields(text)) as WatchEvent),
    });
    const answer = await this.#options.api.get({
      path: this.#path({
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: version,
        timeoutSeconds: String(seconds),
      }),
      accept: acceptWatch,
      deadlineMs: seconds * 1_000 + this.#limits.podListMs,
      onChunk: (chunk) => splitter.push(chunk),
    });
    if ([goneStatus, badRequestStatus].includes(answer.status)) this.#version = undefined;
    if (answer.status !== 200) throw refusal('watching the pods', answer);
    if (this.#isShort()) throw unusable('a watch that ended at once');
    this.#failuresInRow = 0;
  }

  /** A server that ends each watch at once counts as failing. */
  #isShort(): boolean {
    return performance.now() - this.#watchedSinceMs < this.#limits.podWatchShortMs;
  }

  #take({ type, object }: WatchEvent): void {
    this.#counters.events += 1;
    if (type === 'ERROR') {
      const { code, message } = object as Status;
      if (code === goneStatus) this.#version = undefined;
      throw new ServerRefusal(`watching the pods: ${String(code)} ${String(message)}`, 0);
    }
    const { table } = this.#options;
    if (type === 'DELETED') table.gone(object);
    else if (type !== 'BOOKMARK') table.seen(object);
    const { metadata } = object as { metadata?: ListMeta };
    if (typeof metadata?.resourceVersion === 'string') this.#version = metadata.resourceVersion;
    if (!this.#isShort()) this.#failuresInRow = 0;
  }

  #path(query: Record<string, string>): string {
    const search = new URLSearchParams({
      fieldSelector: `spec.nodeName=${this.#options.node}`,
      ...query,
    });
    return `/api/v1/pods?${search.toString()}`;
  }
}

class ServerRefusal extends AgentError {
  /** What the server asks to wait for. */
  readonly waitMs: number;

  constructor(text: string, waitMs: number) {
    super('POD_METADATA_UNAVAILABLE', text);
    this.waitMs = waitMs;
  }
}

function refusal(step: string, { status, text, waitMs }: ApiAnswer): ServerRefusal {
  let reason = text.slice(0, 200);
  try {
    const { message } = JSON.parse(text) as Status;
    if (typeof message === 'string') reason = message;
  } catch {
    // The page of a proxy: shown as it is.
  }
  return new ServerRefusal(`${step}: the API server answered ${status} ${reason}`, waitMs);
}

function unusable(text: string): AgentError {
  return new AgentError('POD_METADATA_UNAVAILABLE', `the API server sent ${text}`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = 'the API server sent something that is no JSON';
    throw new AgentError('POD_METADATA_UNAVAILABLE', message, { cause: error });
  }
}
