// Shared by the tests of discovery: a containers directory with pods behind it, and events that are
// remembered.

import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';

import { Discovery } from '../../src/discover/discovery.ts';
import type { ContainerLog } from '../../src/discover/container-name.ts';
import type { DiscoveryEvents, DiscoveryOptions } from '../../src/discover/discovery.ts';

export const id = '4f0c9b7de1a2c3556677889900aabbccddeeff00112233445566778899aabb01';
export const uid = '0b6f0c55-6a57-4d0e-9d0c-1f2e3d4c5b6a';

/**
 * What discovery told, as `added x.log`, `removed x.log`, `refused x.log`, `degraded`, and the logs
 * that are read now.
 */
export type Heard = DiscoveryEvents & {
  readonly told: string[];
  readonly reasons: string[];
  readonly logs: Map<string, ContainerLog>;
};

export function rememberingEvents(): Heard {
  const told: string[] = [];
  const reasons: string[] = [];
  const logs = new Map<string, ContainerLog>();
  return {
    told,
    reasons,
    logs,
    added(log) {
      told.push(`added ${basename(log.linkPath)}`);
      logs.set(basename(log.linkPath), log);
    },
    removed(log) {
      told.push(`removed ${basename(log.linkPath)}`);
      logs.delete(basename(log.linkPath));
    },
    missed(linkPath) {
      told.push(`missed ${basename(linkPath)}`);
    },
    refused(linkPath, reason) {
      told.push(`refused ${basename(linkPath)}`);
      reasons.push(reason);
    },
    degraded(reason) {
      told.push('degraded');
      reasons.push(reason);
    },
  };
}

/** A node's directories, removed with the test. */
export class Node {
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), 'tailship-discover-')));
  readonly containers = join(this.root, 'containers');
  readonly pods = join(this.root, 'pods');

  constructor() {
    mkdirSync(this.containers);
    mkdirSync(this.pods);
    onTestFinished(() => rmSync(this.root, { recursive: true, force: true }));
  }

  /** Path of a log of pod `pod` as the kubelet lays it out; the file is not made. */
  logPath(pod: string, restartCount = 0): string {
    return join(this.pods, `shop_${pod}_${uid}`, 'api', `${restartCount}.log`);
  }

  /** Makes a log with one line, and returns its path. */
  writeLog(path: string): string {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '2026-01-01T00:00:00Z stdout F x\n');
    return path;
  }

  /** Links a name of the containers directory to a path, and returns the name. */
  link(name: string, target: string): string {
    symlinkSync(target, join(this.containers, name));
    return name;
  }

  /** A log with its link, as one started container. */
  start(pod: string): string {
    return this.link(`${pod}_shop_api-${id}.log`, this.writeLog(this.logPath(pod)));
  }

  /** Discovery that by itself never scans again, unless an event asks for it. */
  discover(events: DiscoveryEvents, other: Partial<DiscoveryOptions> = {}): Discovery {
    const discovery = new Discovery(
      {
        containersDir: this.containers,
        logRoots: [this.pods],
        scanIntervalMs: 3_600_000,
        watch: false,
        ...other,
      },
      events,
    );
    onTestFinished(() => discovery.close());
    return discovery;
  }
}
