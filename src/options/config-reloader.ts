// Takes over a changed configuration while the agent runs: at SIGHUP, and when the file of --config
// changed, which for a ConfigMap means that the kubelet has moved a symbolic link.
//
// Invariants: a configuration is read and checked as a whole before anything of it holds; one that
// is invalid changes nothing; options that are not hot keep their values until the next start.

import { type BigIntStats, statSync } from 'node:fs';
import { limits } from '../config.ts';
import { configKeys, flagOf, isStream, rowOf } from './config-loader.ts';
import { AgentError, errorText, hasCode } from '../errors.ts';
import type { Log } from '../log.ts';
import { shownValue } from './option-value.ts';
import type { Config, ConfigKey } from './options.ts';

export type ReloadParts = {
  readonly config: Config;
  /** Reads everything again. Rejects with CONFIG_INVALID. */
  readonly load: () => Promise<Config>;
  /** Applies a configuration, between two batches. */
  readonly apply: (config: Config) => void;
  readonly log: Log;
  readonly pollMs?: number;
  readonly settleMs?: number;
};

export type ConfigChange = {
  /** The old configuration with the hot options of the new one. */
  readonly config: Config;
  readonly applied: readonly ConfigKey[];
  /** Changed, too, but applied only by a restart. */
  readonly left: readonly ConfigKey[];
};

export class ConfigReloader {
  readonly #counters = { accepted: 0, refused: 0 };
  readonly #parts: ReloadParts;
  readonly #poll: NodeJS.Timeout | undefined;
  #config: Config;
  /** Unset at first: the file may have changed since it was read at the start. */
  #stamp: string | undefined;
  #reloading: Promise<void> | undefined;
  #isAskedAgain = false;
  #closed = false;

  constructor(parts: ReloadParts) {
    this.#parts = parts;
    this.#config = parts.config;
    const file = parts.config.config;
    if (file === undefined) return;
    this.#poll = setInterval(() => this.#look(file), parts.pollMs ?? limits.configPollMs);
    this.#poll.unref();
  }

  get counters(): Readonly<Record<'accepted' | 'refused', number>> {
    return this.#counters;
  }

  /** The configuration in force. */
  get config(): Config {
    return this.#config;
  }

  /** Reads the configuration now, or again after the reading in progress. */
  reload(): Promise<void> {
    this.#isAskedAgain = true;
    this.#reloading ??= this.#reloadWhileAsked().finally(() => {
      this.#reloading = undefined;
    });
    return this.#reloading;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#poll);
  }

  #look(file: string): void {
    const stamp = stampOf(file, this.#parts.settleMs ?? limits.configSettleMs);
    if (stamp === undefined || stamp === this.#stamp) return;
    this.#stamp = stamp;
    void this.reload();
  }

  async #reloadWhileAsked(): Promise<void> {
    while (this.#isAskedAgain && !this.#closed) {
      this.#isAskedAgain = false;
      await this.#reloadOnce();
    }
  }

  async #reloadOnce(): Promise<void> {
    const { load, apply, log } = this.#parts;
    let change: ConfigChange;
    try {
      change = mergeHot(this.#config, await load());
    } catch (error) {
      this.#counters.refused += 1;
      const text = errorText(error);
      const code = error instanceof AgentError ? error.code : 'CONFIG_INVALID';
      log.error(code, `the configuration stays as it was: ${text}`);
      return;
    }
    if (this.#closed) return;
    const { config, applied, left } = change;
    if (left.length > 0) {
      const names = left.map(flagOf).join(', ');
      log.warn(undefined, `the new configuration holds at the next start only for ${names}`);
    }
    this.#counters.accepted += 1;
    if (applied.length === 0) return;
    this.#config = config;
    apply(config);
    const texts = applied
      .map((key) => `${flagOf(key)} ${shownValue(rowOf(key), config[key])}`)
      .join(', ');
    log.info(undefined, `the new configuration holds: ${texts}`);
  }
}

/** The result of loading `next` while `current` is in force. */
export function mergeHot(current: Config, next: Config): ConfigChange {
  const changed = configKeys.filter(
    (key) => JSON.stringify(current[key]) !== JSON.stringify(next[key]),
  );
  const applied = changed.filter((key) => rowOf(key).isHot === true);
  const left = changed.filter((key) => rowOf(key).isHot !== true);
  const values = Object.fromEntries(applied.map((key) => [key, next[key]]));
  return { config: Object.freeze({ ...current, ...values }), applied, left };
}

/**
 * Changes whenever the file is replaced, also by way of a link. Undefined while there is nothing to
 * read.
 */
function stampOf(file: string, settleMs: number): string | undefined {
  try {
    if (isStream(file)) return undefined;
    const stats = statSync(file, { bigint: true });
    return isFresh(stats, settleMs)
      ? undefined
      : `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`;
  } catch (error) {
    // Between two states of a volume the file may be missing. What else is wrong, reading it tells.
    return hasCode(error, 'ENOENT', 'ENOTDIR') ? undefined : errorText(error);
  }
}

/** It may still be written: half of it is valid, too, and may lack the rules and redactions. */
function isFresh({ mtimeMs }: BigIntStats, settleMs: number): boolean {
  const ageMs = Date.now() - Number(mtimeMs);
  return ageMs >= 0 && ageMs < settleMs;
}
