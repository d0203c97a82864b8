// Writes journals with systemd's own writer, systemd-journal-remote, from text in its export
// format.

import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const writer = '/usr/lib/systemd/systemd-journal-remote';
export const hasSystemd = existsSync(writer) && existsSync('/usr/bin/journalctl');

export const machineId = '0123456789abcdef0123456789abcdef';
const boot = 'b0070000000000000000000000000001';

export type WrittenEntry = {
  readonly message: string;
  readonly unit?: string;
  readonly atMicros?: number;
  readonly boot?: string;
  readonly fields?: Readonly<Record<string, string>>;
};

let clock = 0;
let lastMicros = 0;

/** An entry in systemd's export format. */
export function exportEntry(entry: WrittenEntry): string {
  clock += 1;
  // As journald's: it never goes back.
  lastMicros = Math.max(Date.now() * 1_000, lastMicros + 1);
  const lines = [
    `__REALTIME_TIMESTAMP=${entry.atMicros ?? lastMicros}`,
    `__MONOTONIC_TIMESTAMP=${clock}`,
    `_BOOT_ID=${entry.boot ?? boot}`,
    `_MACHINE_ID=${machineId}`,
    ...(entry.unit === undefined ? ['_TRANSPORT=kernel'] : [`_SYSTEMD_UNIT=${entry.unit}`]),
    ...Object.entries({ PRIORITY: '4', ...entry.fields }).map(
      ([name, value]) => `${name}=${value}`,
    ),
    `MESSAGE=${entry.message}`,
  ];
  return `${lines.join('\n')}\n\n`;
}

/** `count` entries of the kubelet. */
export function kubeletEntries(count: number, from = 0): WrittenEntry[] {
  return Array.from({ length: count }, (_, index) => ({
    message: `line ${from + index}`,
    unit: 'kubelet.service',
  }));
}

/** The path of a file in the directory of the machine, which is made. */
export function journalPath(directory: string, name = 'system.journal'): string {
  mkdirSync(path.join(directory, machineId), { recursive: true });
  return path.join(directory, machineId, name);
}

/** Appends to the file, or makes it. */
export function writeJournal(
  file: string,
  entries: readonly WrittenEntry[],
  { isCompact = true } = {},
): void {
  const source = `${file}.export`;
  writeFileSync(source, entries.map(exportEntry).join(''));
  const env = { SYSTEMD_JOURNAL_COMPACT: isCompact ? '1' : '0' };
  execFileSync(writer, [`--output=${file}`, source], { env, stdio: 'ignore' });
}

/** A writer that keeps the file open, as journald does. */
export class JournalWriter {
  readonly #child: ChildProcess;

  constructor(file: string) {
    this.#child = spawn(writer, [`--output=${file}`, '-'], { stdio: ['pipe', 'ignore', 'ignore'] });
  }

  write(entries: readonly WrittenEntry[]): void {
    assert(this.#child.stdin !== null);
    this.#child.stdin.write(entries.map(exportEntry).join(''));
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.stdin?.end();
    await once(this.#child, 'exit');
  }
}

/** What journalctl shows of a file: one object for each entry. */
export function journalctl(file: string): Record<string, unknown>[] {
  const words = ['--file', file, '-o', 'json', '--all', '--no-pager'];
  const printed = execFileSync('journalctl', words, { maxBuffer: 1 << 30, encoding: 'utf8' });
  const lines = printed.trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

/**
 * Gives a file other numbers, as if it followed `by` entries of the numbering `seqnumId`, or had
 * one of its own: journald counts on from file to file, systemd-journal-remote does not.
 */
export function renumber(file: string, { by, seqnumId }: { by: number; seqnumId: string }): void {
  const bytes = readFileSync(file);
  Buffer.from(seqnumId, 'hex').copy(bytes, 72);
  const add = (at: number) => bytes.writeBigUInt64LE(bytes.readBigUInt64LE(at) + BigInt(by), at);
  add(160);
  add(168);
  const last = Number(bytes.readBigUInt64LE(136));
  for (let at = Number(bytes.readBigUInt64LE(88)); at <= last;) {
    if (bytes[at] === 3) add(at + 16);
    at += Math.ceil(Number(bytes.readBigUInt64LE(at + 8)) / 8) * 8;
  }
  // Two files may be copies of one, but never are one.
  randomBytes(16).copy(bytes, 24);
  writeFileSync(file, bytes);
}
