// Asks a running agent how it is, and looks at its process from outside.
//
// `withAdmin` gives the agent an address of its own.

import fs from 'node:fs';
import type { AgentStatus } from '../../src/admin/admin-source.ts';
import { freePort } from './free-port.ts';

export type Admin = {
  /** Flags that make the agent answer here. */
  readonly flags: readonly string[];
  /** Undefined while it does not answer. */
  status(): Promise<AgentStatus | undefined>;
  /** HTTP status of /readyz or /livez; undefined while nobody answers. */
  probe(path: '/readyz' | '/livez'): Promise<number | undefined>;
};

/** An address that was free a moment ago. */
export async function withAdmin(): Promise<Admin> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const ask = (path: string) => fetch(`${url}${path}`).catch(() => undefined);
  return {
    flags: [`--admin-address=127.0.0.1:${port}`],
    async status() {
      const answer = await ask('/api/status');
      return answer?.ok === true ? ((await answer.json()) as AgentStatus) : undefined;
    },
    async probe(path) {
      return (await ask(path))?.status;
    },
  };
}

/** Resident bytes of a process. */
export function rssOf(pid: number): number {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
}

/** Resident bytes of its own: without the pages of files, which are Node's binary and its maps. */
export function ownRssOf(pid: number): number {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  const fileKiB = Number(/^RssFile:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
  return rssOf(pid) - fileKiB * 1024;
}

/** Whether a process holds a log under this directory open, deleted or not. */
export function holdsOpen(pid: number, directory: string): boolean {
  try {
    return fs
      .readdirSync(`/proc/${pid}/fd`)
      .some((fd) => isLogOf(`/proc/${pid}/fd/${fd}`, directory));
  } catch {
    return false; // It has ended.
  }
}

function isLogOf(link: string, directory: string): boolean {
  try {
    const target = fs.readlinkSync(link);
    return target.startsWith(directory) && /\.log(?: \(deleted\))?$/.test(target);
  } catch {
    return false; // Closed since it was listed.
  }
}

/** How many descriptors a process has open. */
export function descriptorsOf(pid: number): number {
  return fs.readdirSync(`/proc/${pid}/fd`).length;
}

/** An entry as the emulator shows it, as far as tests look at it. */
export type Shown = {
  readonly insertId: string;
  readonly timestamp: string;
  readonly receiveTimestamp: string;
  readonly severity?: string;
  readonly resource: { readonly labels: Readonly<Record<string, string>> };
  readonly textPayload?: string;
  readonly jsonPayload?: Readonly<Record<string, unknown>>;
};

/** All entries of an emulator. */
export async function entriesOf(emulatorUrl: string): Promise<Shown[]> {
  const text = await (await fetch(`${emulatorUrl}/emulator/entries`)).text();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Shown);
}
