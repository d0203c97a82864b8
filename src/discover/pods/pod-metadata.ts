// Labels for the containers' entries.
//
// Invariant: no call waits. The containers of an unknown pod are held back once, for `waitMs` at
// most; then they are shipped without labels, and counted.

import { accessSync } from 'node:fs';
import { limits } from '../../config.ts';
import type { Log } from '../../log.ts';
import type { ContainerName } from '../container-name.ts';
import { KubernetesApi } from './kubernetes-api.ts';
import type { PodFacts } from './pod-labels.ts';
import { PodSource, type PodSourceLimits } from './pod-source.ts';
import { PodTable } from './pod-table.ts';

export type PodName = Pick<PodFacts, 'namespace' | 'pod'>;

export type PodMetadataHooks = {
  /** Labels came or changed, or the wait is over. */
  readonly changed: (pod: PodName) => void;
  readonly log: Log;
};

export type PodMetadataOptions = {
  readonly node: string;
  readonly waitMs: number;
  /** For tests. */
  readonly limits?: Partial<PodSourceLimits> | undefined;
};

type PodMetadataConfig = {
  readonly kubernetesMetadata: 'auto' | 'off';
  readonly kubernetesApi: string | undefined;
  readonly kubernetesTokenFile: string;
  readonly kubernetesCaFile: string;
};

type Wait = { isOver: boolean; readonly timer: NodeJS.Timeout };

/** undefined when pod metadata is off: by option, outside a cluster, or without a token. */
export function kubernetesApiOf(config: PodMetadataConfig): KubernetesApi | undefined {
  const { kubernetesMetadata, kubernetesApi, kubernetesTokenFile, kubernetesCaFile } = config;
  if (kubernetesMetadata === 'off' || kubernetesApi === undefined) return undefined;
  const url = new URL(kubernetesApi);
  // Plain http is `kubectl proxy`, which has its own token.
  if (url.protocol === 'https:' && !isReadable(kubernetesTokenFile)) return undefined;
  return new KubernetesApi({ url, tokenFile: kubernetesTokenFile, caFile: kubernetesCaFile });
}

export class PodMetadata {
  /** Resolves when all pods were listed, or after `waitMs`. */
  readonly ready: Promise<void>;
  readonly #table: PodTable;
  readonly #source: PodSource;
  readonly #changed: PodMetadataHooks['changed'];
  #waitMs: number;
  readonly #readyTimer: NodeJS.Timeout;
  /** By the uid of an unknown pod. */
  readonly #waits = new Map<string, Wait>();
  #withoutLabels = 0;

  /** Sends its first request at once. */
  constructor(api: KubernetesApi, options: PodMetadataOptions, hooks: PodMetadataHooks) {
    const { node, waitMs } = options;
    const { promise, resolve: listed } = Promise.withResolvers<void>();
    this.ready = promise;
    this.#waitMs = waitMs;
    this.#readyTimer = setTimeout(listed, waitMs);
    this.#changed = hooks.changed;
    this.#table = new PodTable(limits.podKeptMs, (facts) => {
      this.#endWait(facts.uid);
      hooks.changed(facts);
    });
    this.#source = new PodSource({
      api,
      node,
      table: this.#table,
      listed,
      log: hooks.log,
      limits: options.limits,
    });
  }

  /** `withoutLabels`: pods whose lines were sent before their labels were known. */
  get counters() {
    const { size: pods, labelsCut } = this.#table;
    return { pods, withoutLabels: this.#withoutLabels, labelsCut, ...this.#source.counters };
  }

  find(name: ContainerName): PodFacts | undefined {
    return this.#table.find(name);
  }

  /** For pods that are needed from now on, milliseconds. */
  setWait(waitMs: number): void {
    this.#waitMs = waitMs;
  }

  /** Whether to hold back a container of an unknown pod, for `waitMs` from the first call. */
  holdBack(name: ContainerName): boolean {
    if (this.#table.find(name) !== undefined || this.#waitMs === 0) return false;
    return !(this.#waits.get(name.podUid) ?? this.#beginWait(name)).isOver;
  }

  close(): void {
    clearTimeout(this.#readyTimer);
    this.#source.close();
    for (const uid of this.#waits.keys()) this.#endWait(uid);
  }

  #beginWait(name: ContainerName): Wait {
    const wait: Wait = {
      isOver: false,
      timer: setTimeout(() => {
        wait.isOver = true;
        this.#withoutLabels += 1;
        this.#changed(name);
      }, this.#waitMs).unref(),
    };
    // Kept when it is over, so that a pod is waited for only once.
    const [oldest] = this.#waits.keys();
    if (this.#waits.size >= limits.podsAwaitedMax && oldest !== undefined) this.#endWait(oldest);
    this.#waits.set(name.podUid, wait);
    return wait;
  }

  #endWait(uid: string): void {
    clearTimeout(this.#waits.get(uid)?.timer);
    this.#waits.delete(uid);
  }
}

function isReadable(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}
