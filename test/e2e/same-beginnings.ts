// A container's log whose files begin alike, with a first record that has no time of its own, and
// what can happen to such files. Every line must arrive once, whether the agent runs or not.

import fs from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import {
  makeScratch,
  startCommand,
  startEmulatorHere,
  until,
  type CommandProcess,
  type LocalEmulator,
} from '../support/agent-process.ts';
import { runOnceProcess } from '../support/run-once.ts';

export type Format = 'cri' | 'docker' | 'raw';
export type Entry = { textPayload?: string; insertId: string; timestamp: string };

export const uid = '0b6f0c55-6a57-4d0e-9d0c-0000000000aa';
const id = 'c'.repeat(64);

let second = 0;

/** Where one test plays. */
export type Node = {
  readonly root: string;
  readonly emulator: LocalEmulator;
  remove(): Promise<void>;
};

export async function makeNode(): Promise<Node> {
  const scratch = makeScratch();
  const emulator = await startEmulatorHere();
  return {
    root: scratch.path,
    emulator,
    async remove() {
      await emulator.stop();
      scratch.remove();
    },
  };
}

/** One container's log of a format, and how the agent is told to read it. */
export class Log {
  readonly node: Node;
  readonly format: Format;
  readonly directory: string;
  readonly live: string;

  constructor(node: Node, format: Format) {
    this.node = node;
    this.format = format;
    const { root } = node;
    const name = { cri: '0.log', docker: `${id}-json.log`, raw: 'app.log' }[format];
    const place = { cri: `pods/ns_pod_${uid}/api`, docker: `docker/${id}`, raw: 'logs' }[format];
    this.directory = path.join(root, place);
    this.live = path.join(this.directory, name);
    fs.mkdirSync(this.directory, { recursive: true });
    fs.mkdirSync(path.join(root, 'containers'), { recursive: true });
    if (format === 'raw') return;
    fs.symlinkSync(this.live, path.join(root, `containers/pod_ns_api-${id}.log`));
  }

  get flags(): string[] {
    const common = ['--project=p', '--cluster=c', '--location=l', '--node=n'];
    if (this.format === 'raw') {
      return [...common, '--format=raw', `--raw-path=${path.join(this.directory, '*.log')}`];
    }
    const containers = `--containers-dir=${path.join(this.node.root, 'containers')}`;
    const roots = ['pods', 'docker'].map((each) => `--log-root=${path.join(this.node.root, each)}`);
    return [...common, containers, ...roots];
  }

  line(text: string): string {
    second += 1;
    const time = new Date(Date.UTC(2026, 2, 5, 14, 0, second)).toISOString().replace('Z', '001Z');
    if (this.format === 'cri') return `${time} stdout F ${text}\n`;
    if (this.format === 'raw') return `${text}\n`;
    return `${JSON.stringify({ log: `${text}\n`, stream: 'stdout', time })}\n`;
  }

  lines(name: string, count: number): string {
    return Array.from({ length: count }, (_, index) => this.line(`${name}-${index}`)).join('');
  }

  path(suffix: string): string {
    return `${this.live}${suffix}`;
  }
}

/** What is there, to its end. */
export async function once(log: Log): Promise<Record<string, number>> {
  return runOnceProcess(log.node.root, log.node.emulator.url, log.flags);
}

export async function entries({ emulator }: Node): Promise<Entry[]> {
  const text = await (await fetch(`${emulator.url}/emulator/entries`)).text();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Entry);
}

/** The numbered lines that a query shows, in its order. */
export async function shown(node: Node): Promise<string[]> {
  const texts = (await entries(node)).map(({ textPayload }) => textPayload ?? '');
  return texts.filter((text) => /^[a-z]+-\d+$/.test(text));
}

export const names = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${name}-${index}`);

/** First lines that say nothing of the time, or too late. */
export const beginnings: Record<string, (log: Log) => string> = {
  blank: () => '\n',
  zeros: () => `${'\0'.repeat(64)}\n`,
  banner: () => 'starting up, please wait\n',
  'longer than 256 bytes': (log) => log.line('x'.repeat(340)),
  '300 blank lines': () => '\n'.repeat(300),
};
export const formats: readonly Format[] = ['cri', 'docker', 'raw'];
/** What happens to the first file; the second then has the live name. */
export const changes: Record<string, (log: Log, next: string) => void> = {
  rename(log, next) {
    fs.renameSync(log.live, log.path(log.format === 'cri' ? '.20260305-140705' : '.1'));
    fs.writeFileSync(log.live, next);
  },
  'rename and gzip'(log, next) {
    const rotated = log.format === 'cri' ? '.20260305-140705' : '.1';
    fs.writeFileSync(log.path(`${rotated}.gz`), gzipSync(fs.readFileSync(log.live)));
    fs.writeFileSync(`${log.live}.new`, next);
    fs.renameSync(`${log.live}.new`, log.live);
  },
  recreate(log, next) {
    fs.unlinkSync(log.live);
    fs.writeFileSync(log.live, next);
  },
  truncate(log, next) {
    fs.truncateSync(log.live);
    fs.appendFileSync(log.live, next);
  },
  'copytruncate of logrotate'(log, next) {
    fs.copyFileSync(log.live, log.path('-20260706-1783296000'));
    fs.truncateSync(log.live);
    fs.appendFileSync(log.live, next);
  },
};

export function startAgent({ node, flags }: Log, more: readonly string[] = []): CommandProcess {
  const words = ['run', '--flush-interval-ms=50', '--admin-address=off', ...more];
  const state = ['--state-dir', path.join(node.root, 'state'), '--endpoint', node.emulator.url];
  return startCommand([...words, ...state, ...flags]);
}

export type Case = { readonly format: Format; readonly beginning: string; readonly change: string };

const expected = [...names('new', 12), ...names('old', 5)].toSorted();

/** The agent runs before the change and after it. */
export async function runStopped(node: Node, { format, beginning, change }: Case): Promise<void> {
  const log = new Log(node, format);
  const first = beginnings[beginning]!;
  fs.writeFileSync(log.live, first(log) + log.lines('old', 5));
  await once(log);
  expect((await shown(node)).toSorted()).toEqual(names('old', 5));
  const ofBeginning = (await entries(node)).length - 5;
  changes[change]!(log, first(log) + log.lines('new', 12));
  await once(log);
  expect((await shown(node)).toSorted()).toEqual(expected);
  // What was there is not sent again under other ids.
  expect((await entries(node)).length).toBe(5 + 12 + 2 * ofBeginning);
}

/** The agent runs all the time. */
export async function runRunning(node: Node, { format, beginning, change }: Case): Promise<void> {
  const log = new Log(node, format);
  const first = beginnings[beginning]!;
  fs.writeFileSync(log.live, first(log) + log.lines('old', 5));
  const agent = startAgent(log);
  const arrived = (count: number) => async () => (await shown(node)).length >= count || undefined;
  await until('the old lines are there', arrived(5));
  changes[change]!(log, first(log) + log.lines('new', 12));
  await until('the new lines are there', arrived(17));
  agent.signal('SIGTERM');
  expect(await agent.ended).toBe(0);
  expect((await shown(node)).toSorted()).toEqual(expected);
  const warnings = agent.lines.filter((line) => line.includes('FILE_TRUNCATED'));
  expect(warnings.length).toBe(/truncate/.test(change) ? 1 : 0);
}
