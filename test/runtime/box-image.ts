// The one image of the runtime tests: busybox, as the archive that `docker save` writes, so that no
// registry is needed.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

export const pauseImage = 'docker.io/local/pause:1';
export const boxImage = 'docker.io/local/box:1';
/** Debian's package busybox-static brings it; a shell without any library. */
export const busyboxPath = '/bin/busybox';

const applets = ['sh', 'awk', 'sleep'];
const pauseCommand = ['/bin/sleep', '2000000000'];

/** Makes the archive in the directory and returns its path. */
export function writeBoxImage(directory: string): string {
  const layer = path.join(directory, 'layer');
  fs.mkdirSync(path.join(layer, 'bin'), { recursive: true });
  fs.mkdirSync(path.join(layer, 'tmp'));
  fs.copyFileSync(busyboxPath, path.join(layer, 'bin/busybox'));
  for (const applet of applets) fs.symlinkSync('busybox', path.join(layer, 'bin', applet));
  const tar = (archive: string, from: string, names: readonly string[]) =>
    execFileSync('tar', ['-C', from, '-cf', path.join(directory, archive), ...names]);
  tar('layer.tar', layer, ['.']);
  const digest = createHash('sha256').update(fs.readFileSync(path.join(directory, 'layer.tar')));
  const config = {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Cmd: pauseCommand, Env: ['PATH=/bin'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digest.digest('hex')}`] },
  };
  const manifest = [
    { Config: 'config.json', RepoTags: [pauseImage, boxImage], Layers: ['layer.tar'] },
  ];
  fs.writeFileSync(path.join(directory, 'config.json'), JSON.stringify(config));
  fs.writeFileSync(path.join(directory, 'manifest.json'), JSON.stringify(manifest));
  tar('image.tar', directory, ['manifest.json', 'config.json', 'layer.tar']);
  return path.join(directory, 'image.tar');
}
