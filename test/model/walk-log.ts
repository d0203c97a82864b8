// The logs of the file walk: what their lines and names look like, and what programs, the kubelet,
// logrotate and scripts do to them.
//
// Invariant: each line that is written is in exactly one list, that of the file that holds it or
// that of the lines that were taken away.

import fs from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Random } from '../../src/emulator/kubelet/log-lines.ts';

export type Format = 'cri' | 'docker' | 'raw';
type Scheme = 'kubelet' | 'dated' | 'seconds' | 'numbers';
export type Rotated = { suffix: string; readonly lines: readonly number[] };

export type Log = {
  readonly name: string;
  readonly format: Format;
  readonly live: string;
  readonly scheme: Scheme;
  readonly beginning: string;
  /** Oldest first. */
  rotated: Rotated[];
  /** Numbers of the lines in the live file. */
  lines: number[];
  /** The last line of the live file has no newline. */
  isOpen: boolean;
  /** Lines that had none at first, and may have been flushed. */
  readonly openLines: Set<number>;
  count: number;
};

/** What the steps on logs need of the walk. */
export type Scene = {
  readonly random: Random;
  readonly root: string;
  readonly note: (text: string) => void;
  /** Time passes, in which the agent may be killed or started. */
  readonly pause: (msMax: number) => Promise<void>;
  /** What is written is kept, and begins with a time if the format has times. */
  readonly isKept?: boolean;
  second: number;
  rotations: number;
};

const beginnings = ['', '\n', `${'\0'.repeat(64)}\n`, 'a banner\n', 'long', '\n'.repeat(300)];
const holeSizes = [1, 15, 16, 64, 4_096, 70_000, 140_000];

/** What arrives of a first record that is no numbered line. */
export function isBeginning(text: string): boolean {
  return text === '' || text === 'a banner' || text === 'x'.repeat(340);
}

export function makeLog(scene: Scene, index: number, formats: readonly Format[]): Log {
  const { random, root } = scene;
  const format = random.pick(formats);
  const id = String(index).repeat(64);
  const directory = {
    cri: `pods/ns_pod-${index}_0b6f0c55-6a57-4d0e-9d0c-00000000000${index}/api`,
    docker: `docker/${id}`,
    raw: `logs/${index}`,
  }[format];
  const fileName = { cri: '0.log', docker: `${id}-json.log`, raw: 'app.log' }[format];
  const live = path.join(root, directory, fileName);
  const links = path.join(root, 'containers');
  fs.mkdirSync(path.dirname(live), { recursive: true });
  fs.mkdirSync(links, { recursive: true });
  if (format !== 'raw') fs.symlinkSync(live, path.join(links, `pod-${index}_ns_api-${id}.log`));
  const schemes: Scheme[] = ['dated', 'seconds', 'numbers'];
  const log: Log = {
    name: 'abcd'[index]!,
    format,
    live,
    scheme: random.pick(format === 'cri' ? [...schemes, 'kubelet'] : schemes),
    // A first line alone does not prove a copy: where it is no banner, it would be sent again.
    beginning: random.pick(
      scene.isKept ? ['', 'long'] : beginnings.slice(format === 'raw' ? 1 : 0),
    ),
    rotated: [],
    lines: [],
    isOpen: false,
    openLines: new Set(),
    count: 0,
  };
  fs.writeFileSync(live, beginningOf(scene, log));
  return log;
}

export function describeLog({ name, format, scheme, beginning }: Log): string {
  return `${name} ${format} ${scheme} ${JSON.stringify(beginning.slice(0, 9))}`;
}

function beginningOf(scene: Scene, log: Log): string {
  return log.beginning === 'long' ? lineOf(scene, log, 'x'.repeat(340)) : log.beginning;
}

function lineOf(scene: Scene, { format }: Log, text: string): string {
  scene.second += 1;
  const time = new Date(Date.UTC(2026, 2, 5, 0, 0, scene.second)).toISOString();
  const exact = time.replace('Z', '001Z');
  if (format === 'raw') return `${text}\n`;
  if (format === 'cri') return `${exact} stdout F ${text}\n`;
  return `${JSON.stringify({ log: `${text}\n`, stream: 'stdout', time: exact })}\n`;
}

/** None is the beginning of another: half a line that was sent would be that of both. */
export function textOf({ name }: Pick<Log, 'name'>, line: number): string {
  return `${name}-${String(line).padStart(5, '0')}`;
}

function nextLine(scene: Scene, log: Log): string {
  log.count += 1;
  return lineOf(scene, log, textOf(log, log.count));
}

/** Appends lines; `to` is the live file, or one that it was renamed to. */
export function write(scene: Scene, log: Log, to = log.live, lines = log.lines): void {
  let text = log.isOpen && to === log.live ? '\n' : '';
  if (to === log.live) log.isOpen = false;
  for (let left = scene.random.below(8) + 1; left > 0; left -= 1) {
    text += nextLine(scene, log);
    lines.push(log.count);
  }
  fs.appendFileSync(to, text);
}

/**
 * A last line without its newline; not as the first one, which does not tell what the file is until
 * it ends.
 */
export function writeOpen(scene: Scene, log: Log): void {
  if (!fs.readFileSync(log.live).includes('\n')) write(scene, log);
  const newline = log.isOpen ? '\n' : '';
  fs.appendFileSync(log.live, newline + nextLine(scene, log).slice(0, -1));
  log.lines.push(log.count);
  log.openLines.add(log.count);
  log.isOpen = true;
}

/** Zeros where a line begins, in steps, mostly with lines behind them, or in their place. */
export async function writeHole(scene: Scene, log: Log): Promise<void> {
  if (log.isOpen) write(scene, log);
  const { size } = fs.statSync(log.live);
  for (let steps = 1 + scene.random.below(3); steps > 0; steps -= 1) {
    fs.appendFileSync(log.live, Buffer.alloc(scene.random.pick(holeSizes)));
    await scene.pause(60);
  }
  const chance = scene.random.next();
  if (chance < 0.5) write(scene, log);
  else if (chance < 0.8) {
    scene.note('filled');
    const fd = fs.openSync(log.live, 'r+');
    fs.writeSync(fd, nextLine(scene, log), size);
    fs.closeSync(fd);
    log.lines.push(log.count);
  }
}

/** What comes after the live file's end: the same beginning again, mostly with lines behind it. */
function begin(scene: Scene, log: Log): void {
  fs.appendFileSync(log.live, beginningOf(scene, log));
  log.lines = [];
  log.isOpen = false;
  if (scene.random.next() < 0.7) write(scene, log);
}

/** Turns the live file over; `how` as the kubelet and logrotate do it. */
export async function rotate(scene: Scene, log: Log, how: 'rename' | 'copy'): Promise<void> {
  if (log.scheme === 'numbers') shiftNumbers(log);
  scene.rotations += 1;
  const suffix = suffixOf(log, scene.rotations);
  const lines = log.lines;
  if (how === 'copy') await copyAndTruncate(scene, log, suffix);
  else await renameAndReopen(scene, log, suffix);
  log.rotated.push({ suffix, lines });
}

async function copyAndTruncate(scene: Scene, log: Log, suffix: string): Promise<void> {
  const { random } = scene;
  // A shell that copies may be slower than a look.
  const bytes = fs.readFileSync(log.live);
  const half = random.next() < 0.3 ? bytes.length >> 1 : bytes.length;
  fs.writeFileSync(log.live + suffix, bytes.subarray(0, half));
  if (half < bytes.length) await scene.pause(100);
  fs.appendFileSync(log.live + suffix, bytes.subarray(half));
  if (random.next() < 0.3) await scene.pause(150);
  fs.truncateSync(log.live);
  if (!scene.isKept && random.next() < 0.2) {
    // A program that does not append goes on where it was.
    if (random.next() < 0.3) await scene.pause(100);
    fs.truncateSync(log.live, bytes.length);
    scene.note('a hole before its beginning');
  }
  begin(scene, log);
}

async function renameAndReopen(scene: Scene, log: Log, suffix: string): Promise<void> {
  const { random } = scene;
  const [renamed, lines] = [log.live + suffix, log.lines];
  const isOpen = log.isOpen;
  fs.renameSync(log.live, renamed);
  if (random.next() < 0.3) {
    await scene.pause(100);
    // Until it is told to reopen its log, the writer goes on in the old file.
    if (!isOpen && random.next() < 0.5) write(scene, log, renamed, lines);
  }
  fs.writeFileSync(log.live, '');
  begin(scene, log);
  if (isOpen || random.next() >= 0.2) return;
  await scene.pause(100);
  write(scene, log, renamed, lines);
}

function suffixOf({ scheme }: Log, count: number): string {
  const day = String(20_260_101 + count);
  if (scheme === 'numbers') return '.1';
  if (scheme === 'kubelet') return `.${day}-140705`;
  return scheme === 'dated' ? `-${day}` : `-${day}-${1_783_296_000 + count}`;
}

/** `.1` becomes `.2`, the oldest first. */
function shiftNumbers(log: Log): void {
  for (const each of log.rotated) {
    const [, number = '', gz = ''] = /^\.(\d+)(\.gz)?$/.exec(each.suffix) ?? [];
    const next = `.${Number(number) + 1}${gz}`;
    fs.renameSync(log.live + each.suffix, log.live + next);
    each.suffix = next;
  }
}

/** Packs a rotation; logrotate writes the `.gz` under its own name, the kubelet does not. */
export async function pack(scene: Scene, log: Log, bytes?: Buffer): Promise<void> {
  const each = log.rotated.find(({ suffix }) => !suffix.endsWith('.gz'));
  if (each === undefined) return;
  const plain = log.live + each.suffix;
  const packed = bytes ?? gzipSync(fs.readFileSync(plain));
  const half = scene.random.next() < 0.3 ? packed.length >> 1 : packed.length;
  const target = log.scheme === 'kubelet' ? `${plain}.tmp` : `${plain}.gz`;
  fs.writeFileSync(target, packed.subarray(0, half));
  if (half < packed.length) await scene.pause(100);
  fs.appendFileSync(target, packed.subarray(half));
  if (scene.random.next() < 0.2) await scene.pause(100);
  if (log.scheme === 'kubelet') fs.renameSync(target, `${plain}.gz`);
  fs.unlinkSync(plain);
  each.suffix += '.gz';
}

/** Deletes the oldest rotation; returns its lines. */
export function dropOldest(log: Log): readonly number[] {
  const [oldest] = log.rotated.splice(0, 1);
  if (oldest === undefined) return [];
  fs.rmSync(log.live + oldest.suffix);
  return oldest.lines;
}

/** Takes the content of the live file away. */
export function destroy(scene: Scene, log: Log, how: 'truncate' | 'recreate'): void {
  if (how === 'truncate') fs.truncateSync(log.live);
  else {
    fs.unlinkSync(log.live);
    fs.writeFileSync(log.live, '');
  }
  begin(scene, log);
}

/** Whether the first record of the live file has a time. */
export function beginsTimed({ live, format }: Log): boolean {
  const begins = fs.readFileSync(live, 'latin1').slice(0, 20);
  return format !== 'raw' && /^(\d{4}-\d\d-|\{"log":)/.test(begins);
}

/** Cuts the live file at the end of one of its lines; returns the lines that are kept. */
export function cut(scene: Scene, log: Log): readonly number[] {
  const bytes = fs.readFileSync(log.live, 'latin1');
  const ends = Array.from(bytes.matchAll(/\n/g), ({ index }) => index + 1);
  const keptBytes = scene.random.pick(ends.length === 0 ? [bytes.length] : ends);
  const kept = bytes.slice(0, keptBytes);
  fs.truncateSync(log.live, keptBytes);
  const numbers = Array.from(kept.matchAll(new RegExp(`\\b${log.name}-(\\d+)\\b`, 'g')), ([, n]) =>
    Number(n),
  );
  log.lines = numbers;
  log.isOpen = false;
  if (scene.random.next() < 0.7) write(scene, log);
  return numbers;
}
