// tailship itself, started as the image starts it. Listed in peers.ts.

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Peer } from './peer.ts';

const root = path.resolve(import.meta.dirname, '../..');
const main = path.join(root, 'src/main.ts');
// Warm after the first run, as the image warms it when it is built.
const compileCache = path.join(os.tmpdir(), 'tailship-bench-compile-cache');

export const tailship: Peer = {
  name: 'tailship',
  title: 'tailship run',
  installHint: 'npm ci',
  endsItself: true,
  canFollow: true,
  canGzip: true,
  lineShare: 1,
  find() {
    if (!existsSync(main)) return undefined;
    const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as unknown;
    return (manifest as { version: string }).version;
  },
  configText: () => undefined,
  command(task) {
    mkdirSync(compileCache, { recursive: true });
    const places = ['--containers-dir', task.containersDir, '--log-root', task.logRoot];
    const names = ['--project', 'bench', '--cluster', 'bench', '--location', 'europe-west4'];
    // The flag is that of the image's ENTRYPOINT.
    const args = ['--max-semi-space-size=1', main, 'run', ...places, '--state-dir', task.stateDir];
    args.push('--endpoint', task.endpoint, ...names, '--node', 'bench-node');
    args.push('--admin-address', '127.0.0.1:0', task.follow ? '--from=start' : '--once');
    args.push('--metadata-host', new URL(task.metadataUrl).host);
    if (task.caFile !== undefined) args.push('--ca-file', task.caFile);
    if (task.gzip) args.push('--gzip');
    return { file: process.execPath, args, env: { NODE_COMPILE_CACHE: compileCache } };
  },
};
