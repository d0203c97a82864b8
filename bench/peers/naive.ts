// What one writes in an afternoon: read a file by lines, one log.entry() of Google's own client for
// each. Listed in peers.ts; the agent itself is naive-client.ts.

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
  lineShare: 0.1,
  find() {
    try {
      return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
    } catch {
      return undefined;
    }
  },
  configText: () => undefined,
  command(task) {
    const agent = path.join(import.meta.dirname, 'naive-client.ts');
    return { file: process.execPath, args: [agent, '--endpoint', task.endpoint, ...task.files] };
  },
};
