// Runs a command in mount and process namespaces of its own, so that nothing of it outlives it: the
// processes are killed and the mounts go with the namespaces, whatever has happened.
//
// What is no part of a namespace, a directory and cgroups, is removed afterwards; what a run left
// that was itself killed, the next one removes. Invariant: everything is named after the process
// that owns it.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxPath } from './box-image.ts';

const prefix = 'tailship-runtime-';
const cgroupRoot = '/sys/fs/cgroup';
const emptyMsMax = 10_000;
const namespaces = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
const requiredTools = ['unshare', 'tar', 'containerd', 'ctr', 'runc'];

export type Isolated = {
  /** Empty. */
  readonly directory: string;
  /** Absolute, as runtimes want it. */
  readonly cgroupParent: string;
};

/** Why nothing of it can run here; undefined when it can. */
export function whyNotHere(): string | undefined {
  if (process.geteuid?.() !== 0) return 'they need root';
  const missing = requiredTools.filter((tool) => !hasTool(tool));
  if (!fs.existsSync(busyboxPath)) missing.push(busyboxPath);
  if (missing.length > 0) return `not installed: ${missing.join(', ')}`;
  try {
    execFileSync('unshare', [...namespaces, 'true'], { stdio: 'pipe' });
  } catch (error) {
    return `no namespaces here: ${String((error as { stderr?: Buffer }).stderr).trim()}`;
  }
  return whyNoCgroups();
}

/** Why conmon's part is left out; undefined when it runs. */
export function whyNoConmon(): string | undefined {
  const missing = ['podman', 'conmon'].filter((tool) => !hasTool(tool));
  return missing.length > 0 ? `not installed: ${missing.join(', ')}` : undefined;
}

/** Resolves to the command's exit code when everything is gone; it does not outlive us. */
export async function runIsolated(words: (place: Isolated) => string[]): Promise<number> {
  const own = `${prefix}${process.pid}`;
  removeLeftovers();
  const directory = path.join(os.tmpdir(), own);
  fs.mkdirSync(directory, { mode: 0o700 });
  const place = { directory, cgroupParent: `/${own}` };
  // The command ends when its stdin does, which it does even if this process is killed.
  const child = spawn('unshare', [...namespaces, ...words(place)], {
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  const stop = () => child.kill('SIGKILL');
  process.on('SIGINT', stop).on('SIGTERM', stop);
  try {
    await once(child, 'exit');
    return child.exitCode ?? 1;
  } finally {
    await removeCgroups(own);
    fs.rmSync(directory, { recursive: true, force: true });
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

function hasTool(tool: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(':');
  return folders.some((folder) => fs.existsSync(path.join(folder, tool)));
}

function whyNoCgroups(): string | undefined {
  const probe = path.join(hierarchies()[0] ?? cgroupRoot, `${prefix}${process.pid}`);
  try {
    fs.mkdirSync(probe);
    fs.rmdirSync(probe);
    shareControllers();
    return undefined;
  } catch (error) {
    return `cgroups cannot be made: ${(error as Error).message}`;
  }
}

/** Of version 1 each controller's, else the one of version 2. */
function hierarchies(): string[] {
  if (fs.existsSync(path.join(cgroupRoot, 'cgroup.controllers'))) return [cgroupRoot];
  return fs.readdirSync(cgroupRoot).map((name) => path.join(cgroupRoot, name));
}

/**
 * Of version 2: children have only the controllers that are passed on to them, which cannot be
 * where processes are members of a group that is not the host's first, as in many containers.
 */
function shareControllers(): void {
  const file = path.join(cgroupRoot, 'cgroup.subtree_control');
  if (!fs.existsSync(file)) return;
  const shared = fs.readFileSync(file, 'utf8').split(/\s+/);
  const missing = ['cpu', 'memory', 'pids'].filter((name) => !shared.includes(name));
  if (missing.length > 0) fs.writeFileSync(file, missing.map((name) => `+${name}`).join(' '));
}

/** A process that was killed is a member for a moment yet, so that it takes some tries. */
async function removeCgroups(name: string): Promise<void> {
  const endMs = performance.now() + emptyMsMax;
  for (const hierarchy of hierarchies()) {
    const top = path.join(hierarchy, name);
    while (fs.existsSync(top)) {
      try {
        removeCgroup(top);
      } catch (error) {
        if (performance.now() > endMs) throw error;
        await sleep(20);
      }
    }
  }
}

function removeCgroup(directory: string): void {
  for (const found of fs.readdirSync(directory, { withFileTypes: true })) {
    if (found.isDirectory()) removeCgroup(path.join(directory, found.name));
  }
  fs.rmdirSync(directory);
}

function removeLeftovers(): void {
  const isLeft = (name: string) =>
    name.startsWith(prefix) && !fs.existsSync(`/proc/${name.slice(prefix.length)}`);
  for (const name of fs.readdirSync(os.tmpdir()).filter(isLeft)) {
    fs.rmSync(path.join(os.tmpdir(), name), { recursive: true, force: true });
  }
  for (const hierarchy of hierarchies()) {
    for (const name of fs.readdirSync(hierarchy).filter(isLeft)) {
      removeCgroup(path.join(hierarchy, name));
    }
  }
}
