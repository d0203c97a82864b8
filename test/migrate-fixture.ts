// For migrate.test.ts: a node whose containers were read by another agent up to some line, files as
// that agent writes them, and what of the lines has arrived.

import { execFileSync } from 'node:child_process';
import { readdirSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import type { FakeContainer } from '../src/emulator/kubelet/fake-container.ts';
import type { FakeKubelet } from '../src/emulator/kubelet/fake-kubelet.ts';

/** One position, as an agent saves it. */
export type SavedPosition = {
  readonly path: string;
  readonly offset: number;
  readonly inode: number;
};

/** The end of a container's live file, under the link's path. */
export function positionOf(kubelet: FakeKubelet, container: FakeContainer): SavedPosition {
  const { size, ino } = statSync(container.logPath);
  return { path: linkOf(kubelet, container.logPath), offset: size, inode: ino };
}

/** The link that leads to a log file. */
export function linkOf(kubelet: FakeKubelet, logPath: string): string {
  for (const name of readdirSync(kubelet.containersDir)) {
    const link = join(kubelet.containersDir, name);
    if (readlinkSync(link) === logPath) return link;
  }
  throw new Error(`no link leads to ${logPath}`);
}

function hex(value: number): string {
  return value.toString(16).padStart(16, '0');
}

/** As in_tail writes it. */
export function writePosFile(file: string, positions: readonly SavedPosition[]): void {
  const lines = positions.map(({ path, offset, inode }) => {
    return `${path}\t${offset < 0 ? 'f'.repeat(16) : hex(offset)}\t${hex(inode)}\n`;
  });
  writeFileSync(file, lines.join(''));
}

/**
 * As the tail input of Fluent Bit makes it; returns it still open, as by a Fluent Bit that died.
 */
export function writeDatabase(file: string, positions: readonly SavedPosition[]): DatabaseSync {
  const database = new DatabaseSync(file);
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS in_tail_files (
      id INTEGER PRIMARY KEY, name TEXT NOT NULL, offset INTEGER, inode INTEGER, created INTEGER,
      rotated INTEGER DEFAULT 0)`);
  const insert = database.prepare(
    'INSERT INTO in_tail_files (name, offset, inode, created) VALUES (?, ?, ?, 1700000000)',
  );
  for (const { path, offset, inode } of positions) insert.run(path, offset, inode);
  return database;
}

/** The numbers of the lines that the emulator holds, by container, in order. */
export async function arrivedLines(url: string): Promise<Record<string, number[]>> {
  const text = await (await fetch(`${url}/emulator/entries`)).text();
  const arrived: Record<string, number[]> = {};
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const entry = JSON.parse(line) as {
      textPayload?: string;
      resource: { labels: { container_name: string } };
    };
    const seq = Number(/seq=(\d+)/.exec(entry.textPayload ?? '')?.[1]);
    (arrived[entry.resource.labels.container_name] ??= []).push(seq);
  }
  return arrived;
}

/** `first` to `last`, both included. */
export function lineNumbers(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** The command of a real fluentd; undefined where there is none. */
export function findFluentd(): string | undefined {
  try {
    execFileSync('fluentd', ['--version'], { stdio: 'ignore' });
    return 'fluentd';
  } catch {
    return undefined;
  }
}
