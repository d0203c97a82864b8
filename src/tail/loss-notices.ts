// The notices of lost bytes, until they are in the logs of their containers, whose readers must see
// the gap.
//
// Invariant: from `save` until it is accepted, a notice is in the state directory, so that no kill
// loses it. Past a limit, losses are only counted. Notices of rate limits are not saved.

import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';

import { limits } from '../config.ts';
import type { EntryTemplate } from '../encode/entries/entry-template.ts';
import { isSystemError, type ErrorCode } from '../errors.ts';
import { steadyNowMs } from '../steady-clock.ts';
import type { LossReason } from './tail-setup.ts';

/** Bytes `[offset, offset + bytes)` of one file that are lost, or held back. */
export type LossNotice = {
  readonly template: EntryTemplate;
  readonly path: string;
  /** The first 22 characters of the file's insertIds; undefined when its first line was unknown. */
  readonly idPrefix: string | undefined;
  readonly reason: LossReason | 'rate_limit';
  readonly offset: number;
  readonly bytes: number;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
};

type Report = (code: ErrorCode, text: string) => void;

export class LossNotices {
  readonly #path: string;
  readonly #report: Report;
  /** Oldest first, including those in flight. */
  readonly #notices = new Set<LossNotice>();
  readonly #underWay = new Set<LossNotice>();
  #isSaved = true;
  /** Of `steadyNowMs()`. */
  #retryAtMs = 0;

  /** Loads what an earlier run could not deliver. */
  constructor(stateDir: string, report: Report) {
    this.#path = join(stateDir, 'loss-notices.json');
    this.#report = report;
    for (const notice of this.#load()) this.#notices.add(notice);
  }

  add(notice: LossNotice): void {
    if (this.#notices.size >= limits.lossNoticesMax) return;
    // After a kill before the positions were saved, the next run finds the same loss.
    for (const each of this.#notices) if (isSame(each, notice)) return;
    this.#notices.add(notice);
    if (isKept(notice)) this.#isSaved = false;
  }

  /** The oldest notices that were not taken before, of the first project that is not busy. */
  take(countMax: number, isBusy: (project: string | undefined) => boolean): LossNotice[] {
    if (this.#notices.size === this.#underWay.size) return []; // Called at each pump.
    const waiting = [...this.#notices].filter((notice) => !this.#underWay.has(notice));
    const first = waiting.find(({ template }) => !isBusy(template.project));
    if (first === undefined) return [];
    const { project } = first.template;
    const taken = waiting.filter(({ template }) => template.project === project).slice(0, countMax);
    for (const notice of taken) this.#underWay.add(notice);
    return taken;
  }

  /** They were accepted, or refused permanently. */
  settle(notices: readonly LossNotice[]): void {
    for (const notice of notices) {
      this.#underWay.delete(notice);
      this.#notices.delete(notice);
      if (isKept(notice)) this.#isSaved = false;
    }
  }

  save(): void {
    if (this.#isSaved || steadyNowMs() < this.#retryAtMs) return;
    const kept = [...this.#notices].filter(isKept);
    try {
      if (kept.length === 0) rmSync(this.#path, { force: true });
      else this.#write(JSON.stringify(kept));
      this.#isSaved = true;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.#retryAtMs = steadyNowMs() + limits.stateRetryMsMax;
      this.#report('STATE_UNWRITABLE', `${this.#path}: ${error.message}`);
    }
  }

  #write(json: string): void {
    const path = `${this.#path}.tmp`;
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 }); // It may have been removed.
      writeFileSync(path, `${json}\n${crc32(json)}\n`, { mode: 0o600 });
      renameSync(path, this.#path);
    } catch (error) {
      removeUnfinished(path);
      throw error;
    }
  }

  #load(): LossNotice[] {
    if (!existsSync(this.#path)) return [];
    try {
      const [json = '', crc] = readFileSync(this.#path, 'utf8').split('\n');
      if (crc === String(crc32(json))) return JSON.parse(json) as LossNotice[];
      const aside = `${this.#path}.corrupt-${Date.now()}`;
      renameSync(this.#path, aside);
      const text = `${this.#path} is damaged, so some losses are told in this log only`;
      this.#report('STATE_CORRUPT', `${text}; set aside as ${aside}`);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.#report('STATE_UNWRITABLE', `${this.#path}: ${error.message}`);
    }
    return [];
  }
}

/** Saves the notices first: the positions no longer know what is lost. */
export function savePositions(parts: {
  readonly notices: LossNotices;
  readonly store: { flush(): void };
}): void {
  parts.notices.save();
  parts.store.flush();
}

function removeUnfinished(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It does not exist, or the disk fails.
  }
}

function isKept({ reason }: LossNotice): boolean {
  return reason !== 'rate_limit';
}

function isSame(one: LossNotice, other: LossNotice): boolean {
  return (
    one.path === other.path &&
    one.offset === other.offset &&
    one.bytes === other.bytes &&
    one.reason === other.reason &&
    one.idPrefix === other.idPrefix
  );
}
