// The notices of lost bytes, until they are in the logs of their containers.
//
// Invariant: once `save` has succeeded, a notice is in the state directory until it was accepted:
// a kill costs none, for the reader of the log must see the gap. Past a bound losses are only
// counted. What a rate limit holds back is not saved, as nothing is lost by it.

import { existsSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

import { limits } from '../config.ts';
import type { EntryTemplate } from '../encode/entries/entry-template.ts';
import { isSystemError, type ErrorCode } from '../errors.ts';
import { steadyNowMs } from '../steady-clock.ts';
import type { LossReason } from './tail-setup.ts';

/** Bytes `[offset, offset + bytes)` of one file that will never be shipped, or not yet. */
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
  /** The oldest first; what is under way is among them. */
  readonly #notices = new Set<LossNotice>();
  readonly #underWay = new Set<LossNotice>();
  #isSaved = true;
  /** Of `steadyNowMs()`. */
  #retryAtMs = 0;

  /** Takes over what an earlier run could not deliver. */
  constructor(stateDir: string, report: Report) {
    this.#path = join(stateDir, 'loss-notices.json');
    this.#report = report;
    for (const notice of this.#load()) this.#notices.add(notice);
  }

  add(notice: LossNotice): void {
    if (this.#notices.size >= limits.lossNoticesMax) return;
    // A kill before the positions were saved has the next run find the same loss.
    for (const each of this.#notices) if (isSame(each, notice)) return;
    this.#notices.add(notice);
    if (isKept(notice)) this.#isSaved = false;
  }

  /**
   * Notices that were not taken before, the oldest first: those of one project, the first that is
   * not busy.
   */
  take(countMax: number, isBusy: (project: string | undefined) => boolean): LossNotice[] {
    if (this.#notices.size === this.#underWay.size) return []; // Asked at each pump.
    const waiting = [...this.#notices].filter((notice) => !this.#underWay.has(notice));
    const first = waiting.find(({ template }) => !isBusy(template.project));
    if (first === undefined) return [];
    const { project } = first.template;
    const taken = waiting.filter(({ template }) => template.project === project).slice(0, countMax);
    for (const notice of taken) this.#underWay.add(notice);
    return taken;
  }

  /** They were accepted, or refused for good. */
  settle(notices: readonly LossNotice[]): void {
    for (const notice of notices) {
      this.#underWay.delete(notice);
      this.#notices.delete(notice);
      if (isKept(notice)) this.#isSaved = false;
    }
  }

  /** Before the positions are: what they do not know any more must be told. */
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
      writeFileSync(path, `${json}\n${crc32(json)}\n`, { mode: 0o600 });
      renameSync(path, this.#path);
    } catch (error) {
      removeUnfinished(path); // Others need the room that it has taken.
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

/** Writes how far each file was acknowledged, after what is lost, which positions do not know. */
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
    // It was not made, or the disk lets go of nothing.
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
