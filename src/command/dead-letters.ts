// `tailship dead-letters`: what the API refused, and what becomes of it. It needs no shell and no
// agent, so it works through `kubectl exec`, beside a running agent or none.
//
// Invariant: no letter is lost. `resend` and `clear` first move the files aside, so that an agent
// goes on in a new one; what is not sent, refused again, or no letter at all goes back into it.

import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { pid } from 'node:process';

import { limits } from '../config.ts';
import type { Control } from '../control.ts';
import { configError, hasCode } from '../errors.ts';
import { bytesText, pluralText } from '../number-text.ts';
import type { Config } from '../options/options.ts';
import { printable } from '../printable.ts';
import { appendLines } from '../ship/append-lines.ts';
import {
  letterFiles,
  letterLines,
  parseLetter,
  type Letter,
  type LetterLine,
  type LetterSummary,
} from '../ship/dead-letter-reader.ts';
import { bodyFrom } from '../ship/body.ts';
import { createShipper, type Shipper } from '../ship/shipper.ts';
import { selfContained } from '../ship/witness.ts';
import { untilAborted } from '../until-aborted.ts';

export const deadLetterVerbs = ['list', 'show', 'resend', 'clear'] as const;
type Verb = (typeof deadLetterVerbs)[number];

const activeName = 'dead-letter.ndjson';
const bodyHead = Buffer.from('{"partialSuccess":true,"entries":[');
const newline = Buffer.from('\n');

/**
 * Applies the verb to the letters named by `ids`, or to all; returns the exit code.
 * @throws AgentError CONFIG_INVALID.
 */
export async function runDeadLetters(
  config: Config,
  control: Control,
  { verb, ids }: { readonly verb: Verb; readonly ids: readonly string[] },
): Promise<number> {
  refuseMissing(config.stateDir);
  if (verb === 'list') return list(config, control);
  if (verb === 'show') return show(config, control, ids);
  if (verb === 'clear') return clear(config, control, ids);
  return resend(config, control, ids);
}

/** No letters where no agent has ever been would be good news that is wrong. */
function refuseMissing(stateDir: string): void {
  if (statSync(stateDir, { throwIfNoEntry: false })?.isDirectory() === true) return;
  throw configError(`--state-dir ${stateDir} is no directory: no agent has kept its state there`);
}

function* allLines({ stateDir }: Config): Generator<LetterLine> {
  for (const path of letterFiles(stateDir)) yield* letterLines(path);
}

function list(config: Config, { write }: Control): number {
  let count = 0;
  let unreadable = 0;
  let bytes = 0;
  let newest: LetterSummary[] = [];
  for (const line of allLines(config)) {
    const letter = parseLetter(line);
    if (letter === undefined) {
      unreadable += 1;
      continue;
    }
    const { entry: _entry, defaults: _defaults, ...summary } = letter;
    count += 1;
    bytes += summary.entryBytes;
    newest.push(summary);
    if (newest.length >= 2 * limits.lettersListedMax) {
      newest = newest.slice(-limits.lettersListedMax);
    }
  }
  const letters = newest.slice(-limits.lettersListedMax).toReversed();
  if (config.json) {
    write(JSON.stringify({ count, bytes, unreadable, letters }));
    return 0;
  }
  for (const line of listLines(letters)) write(printable(line));
  const rest = count > letters.length ? `, the newest ${letters.length} are listed` : '';
  const torn = unreadable === 0 ? '' : `; ${pluralText(unreadable, 'line')} cannot be read`;
  write(`${pluralText(count, 'dead letter')}, ${bytesText(bytes)}${rest}${torn}`);
  return 0;
}

function listLines(letters: readonly LetterSummary[]): string[] {
  const rows = letters.map((letter) => [
    letter.id,
    letter.time,
    letter.codeName,
    letter.container === '' ? '(unknown)' : letter.container,
    bytesText(letter.entryBytes),
    letter.reason,
  ]);
  const table = [['ID', 'TIME', 'CODE', 'CONTAINER', 'SIZE', 'REASON'], ...rows];
  if (rows.length === 0) return [];
  const widths = table[0]?.map((_, at) => Math.max(...table.map((row) => (row[at] ?? '').length)));
  return table.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths?.[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function show(config: Config, { write }: Control, ids: readonly string[]): number {
  const missing = new Set(ids);
  let newest: Letter[] = [];
  for (const line of allLines(config)) {
    const letter = parseLetter(line);
    if (letter === undefined) continue;
    if (ids.length > 0) {
      if (missing.delete(letter.id)) print(letter, config, write);
    } else {
      newest.push(letter);
      newest = newest.slice(-limits.lettersShownMax);
    }
  }
  for (const letter of newest.toReversed()) print(letter, config, write);
  return refuseUnknown(missing);
}

function refuseUnknown(missing: ReadonlySet<string>): number {
  if (missing.size === 0) return 0;
  const text = `no dead letter is named ${[...missing].join(', ')}; see tailship dead-letters list`;
  throw configError(text);
}

function print(letter: Letter, { json }: Config, write: Control['write']): void {
  const { entry, defaults, ...summary } = letter;
  const text = entry.toString('utf8');
  if (json) {
    // The entry's own text, because parsing would round its numbers.
    const head = JSON.stringify({ ...summary, defaults }).slice(0, -1);
    write(`${head},"entry":${text}}`);
    return;
  }
  const { id, time, codeName, container, reason } = summary;
  write(printable(`${id}  ${time}  ${codeName}  ${container}`));
  write(printable(`  ${reason}`));
  if (Object.keys(defaults).length > 0) write(printable(`  ${JSON.stringify(defaults)}`));
  write(printable(`  ${text}`));
}

function clear(config: Config, { write }: Control, ids: readonly string[]): number {
  const missing = new Set(ids);
  const counts = { cleared: 0, kept: 0 };
  for (const path of takeFiles(config.stateDir)) {
    const kept = new WriteBack(config.stateDir);
    for (const line of letterLines(path)) {
      const id = parseLetter(line)?.id ?? '';
      if (ids.length === 0 || missing.delete(id) || ids.includes(id)) counts.cleared += 1;
      else counts.kept += kept.add(line);
    }
    kept.flush();
    unlinkSync(path);
  }
  if (config.json) write(JSON.stringify(counts));
  else write(`${pluralText(counts.cleared, 'dead letter')} cleared, ${counts.kept} kept`);
  return refuseUnknown(missing);
}

/**
 * Moves the files aside and returns their paths, oldest first, with those that a killed command
 * left. A new empty file replaces the current one at once, because an agent that rotates renames
 * it.
 */
function takeFiles(stateDir: string): string[] {
  return letterFiles(stateDir).flatMap((path, index) => {
    const name = basename(path);
    if (!name.startsWith(activeName)) return isInUse(name) ? [] : [path];
    const taken = join(stateDir, `dead-letter.taken-${pid}-${index}.ndjson`);
    try {
      renameSync(path, taken);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return []; // The agent rotated it; the next command finds it.
      throw error;
    }
    if (name === activeName) closeSync(openSync(path, 'a', 0o600));
    return [taken];
  });
}

/** Whether the command that moved the file aside is still running. */
function isInUse(name: string): boolean {
  const [, owner] = /^dead-letter\.taken-(\d+)-/.exec(name) ?? [];
  return owner !== String(pid) && existsSync(`/proc/${owner}`);
}

/** Writes lines back to the agent's file: whole lines, in few writes. */
class WriteBack {
  readonly #path: string;
  #lines: Buffer[] = [];
  #bytes = 0;

  constructor(stateDir: string) {
    this.#path = join(stateDir, activeName);
  }

  /** Returns the number of letters: 0 for a line that is too long to be one. */
  add(line: LetterLine): number {
    if (line === undefined) return 0;
    this.#lines.push(line, newline);
    this.#bytes += line.length + 1;
    if (this.#bytes >= limits.resendBodyBytesMax) this.flush();
    return 1;
  }

  flush(): void {
    if (this.#bytes > 0) appendLines(this.#path, Buffer.concat(this.#lines));
    this.#lines = [];
    this.#bytes = 0;
  }
}

type Resending = {
  readonly shipper: Shipper;
  /** Where the shipper keeps entries that are refused again. */
  readonly scratch: string;
  readonly back: WriteBack;
  readonly counts: { resent: number; refusedAgain: number; kept: number };
  batch: { readonly line: Buffer; readonly entry: Buffer }[];
  batchBytes: number;
};

async function resend(config: Config, control: Control, ids: readonly string[]): Promise<number> {
  const files = takeFiles(config.stateDir);
  const counts = { resent: 0, refusedAgain: 0, kept: 0 };
  const missing = new Set(ids);
  if (files.length > 0) {
    const scratch = mkdtempSync(join(config.stateDir, 'resend-'));
    const back = new WriteBack(config.stateDir);
    let shipper: Shipper | undefined;
    try {
      shipper = await openShipper(config, control, scratch);
      const work: Resending = { shipper, scratch, back, counts, batch: [], batchBytes: 0 };
      for (const path of files) await resendFile(path, work, { control, ids, missing });
    } finally {
      await shipper?.stop(0);
      rmSync(scratch, { recursive: true, force: true });
    }
  }
  if (config.json) control.write(JSON.stringify(counts));
  else {
    const { resent, refusedAgain, kept } = counts;
    const text = `${pluralText(resent, 'entry').replace('entrys', 'entries')} resent`;
    control.write(`${text}, ${refusedAgain} refused again, ${kept} kept`);
  }
  refuseUnknown(missing);
  return counts.refusedAgain > 0 || (ids.length === 0 && counts.kept > 0) ? 1 : 0;
}

function openShipper(config: Config, { log }: Control, stateDir: string): Promise<Shipper> {
  const options = {
    ...config,
    endpoint: new URL(config.endpoint),
    project: config.project ?? '',
    stateDir,
  };
  return createShipper(options, { log });
}

type Choice = {
  readonly control: Control;
  readonly ids: readonly string[];
  readonly missing: Set<string>;
};

/** Sends the chosen letters of a file, which is removed when all its lines are accounted for. */
async function resendFile(
  path: string,
  work: Resending,
  { control, ids, missing }: Choice,
): Promise<void> {
  const { back, counts } = work;
  for (const line of letterLines(path)) {
    if (line === undefined) {
      control.log.warn(undefined, `${path} has a line that is too long for a dead letter: dropped`);
      continue;
    }
    const letter = parseLetter(line);
    const isChosen = letter !== undefined && (ids.length === 0 || ids.includes(letter.id));
    if (!isChosen || control.signal.aborted) {
      counts.kept += back.add(line);
      continue;
    }
    missing.delete(letter.id);
    const entry = selfContained(letter.entry, letter.defaults);
    work.batch.push({ line, entry });
    work.batchBytes += entry.length;
    if (work.batchBytes >= limits.resendBodyBytesMax) await sendBatch(work, control);
  }
  await sendBatch(work, control);
  back.flush();
  unlinkSync(path);
}

/** Sends the collected letters; keeps them on a signal, or when the API does not answer in time. */
async function sendBatch(work: Resending, { signal }: Control): Promise<void> {
  const { shipper, scratch, back, counts, batch } = work;
  if (batch.length === 0) return;
  work.batch = [];
  work.batchBytes = 0;
  const body = bodyFrom(
    bodyHead,
    batch.map(({ entry }) => entry),
  );
  const limit = AbortSignal.any([signal, AbortSignal.timeout(limits.resendBatchMs)]);
  const sent = shipper.ship({ body, entryCount: batch.length });
  const outcome = limit.aborted ? undefined : await untilAborted(sent, limit);
  if (outcome === undefined) {
    sent.catch(() => undefined); // It rejects when the shipper is stopped.
    for (const { line } of batch) counts.kept += back.add(line);
    return;
  }
  const refused = takeRefused(scratch);
  if (refused.length < outcome.deadLettered) {
    // The disk had no room for some of them. Sending accepted entries again is harmless.
    for (const { line } of batch) counts.kept += back.add(line);
    return;
  }
  counts.resent += outcome.accepted;
  for (const line of refused) counts.refusedAgain += back.add(line);
}

/** The letters that were refused again. */
function takeRefused(scratch: string): Buffer[] {
  const lines: Buffer[] = [];
  for (const path of letterFiles(scratch).filter((each) => readFileSync(each).length > 0)) {
    for (const line of letterLines(path)) if (parseLetter(line) && line) lines.push(line);
    truncateSync(path);
  }
  return lines;
}
