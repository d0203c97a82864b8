// tailship itself, started as the image starts it; and another checkout of it, to compare with.

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Peer } from './peer.ts';

const root = path.resolve(import.meta.dirname, '../..');
/** Holds another checkout with its node_modules, such as the parent commit. */
const baseVariable = 'TAILSHIP_BENCH_BASE';
// Warm after the first run, as the image warms it when it is built.
const compileCache = path.join(os.tmpdir(), 'tailship-bench-compile-cache');

function makeTailship(name: string, title: string, folder: string | undefined): Peer {
  const main = folder && path.join(folder, 'src/main.ts');
  return {
    name,
    title,
    installHint: folder === undefined ? `set ${baseVariable} to its folder` : 'npm ci',
    endsItself: true,
    canFollow: true,
    canGzip: true,
    find() {
      if (folder === undefined || main === undefined || !existsSync(main)) return undefined;
      const manifest = readFileSync(path.join(folder, 'package.json'), 'utf8');
      return (JSON.parse(manifest) as { version: string }).version;
    },
    configFiles: () => [],
    command(task) {
      mkdirSync(compileCache, { recursive: true });
      // The flag is that of the image's ENTRYPOINT.
      const args = ['--max-semi-space-size=1', main ?? '', 'run'];
      args.push('--containers-dir', task.containersDir, '--log-root', task.logRoot);
      args.push('--state-dir', task.stateDir, '--endpoint', task.endpoint);
      args.push('--project', 'bench', '--cluster', 'bench', '--location', 'europe-west4');
      args.push('--node', 'bench-node', '--admin-address', '127.0.0.1:0');
      args.push(task.follow ? '--from=start' : '--once');
      args.push('--metadata-host', new URL(task.metadataUrl).host);
      if (task.caFile !== undefined) args.push('--ca-file', task.caFile);
      if (task.gzip) args.push('--gzip');
      return { file: process.execPath, args, env: { NODE_COMPILE_CACHE: compileCache } };
    },
  };
}

export const tailship = makeTailship('tailship', 'tailship run', root);
export const tailshipBase = makeTailship(
  'tailship-base',
  'tailship run, from another checkout',
  process.env[baseVariable],
);
