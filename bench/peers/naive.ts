// What one writes in an afternoon: read a file by lines, one log.entry() of Google's own client for
// each. The agent itself is naive-client.ts.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Peer } from './peer.ts';

const manifest = path.resolve(
  import.meta.dirname,
  '../../node_modules/@google-cloud/logging/package.json',
);

export const naive: Peer = {
  name: 'naive',
  title: 'readline and @google-cloud/logging, one log.entry() a line, 1,000 a write, REST',
  installHint: 'npm ci',
  endsItself: true,
  canFollow: false,
  canGzip: false,
  find() {
    try {
      return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
    } catch {
      return undefined;
    }
  },
  configFiles: () => [],
  command(task) {
    const agent = path.join(import.meta.dirname, 'naive-client.ts');
    const args = [agent, '--endpoint', task.endpoint, ...task.files];
    // The client looks for a metadata server, and would for Google's.
    const env = { GCE_METADATA_HOST: new URL(task.metadataUrl).host };
    return { file: process.execPath, args, env };
  },
};
