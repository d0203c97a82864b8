// Builds the image without Docker: Debian's buildah with chroot isolation, on a build base that
// debootstrap makes, and a run base of three unpacked packages that has no shell. For
// image.slow.test.ts. Needs root, and Debian's packages buildah, debootstrap and libcap2-bin.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';

const repository = path.resolve(import.meta.dirname, '../..');
const tools = ['buildah', 'debootstrap', 'capsh', 'dpkg-deb', 'unshare'];

/** What this machine lacks to build and run the image; '' when nothing. */
export function missingForImage(): string {
  const missing = tools.filter((tool) => spawnSync('which', [tool]).status !== 0);
  if (process.getuid?.() !== 0) missing.push('root');
  return missing.join(', ');
}

export type BuiltImage = {
  /** The image's file system, to be written to as a container runtime would. */
  readonly rootDir: string;
  readonly bytes: number;
  readonly entrypoint: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  remove(): void;
};

/** Takes some minutes, the most of it for the build base; TAILSHIP_IMAGE_WORK keeps that. */
export function buildImage(): BuiltImage {
  const kept = process.env['TAILSHIP_IMAGE_WORK'];
  // Not /tmp: it is a file system in memory on some machines, and without device files on others.
  const work = kept ?? mkdtempSync('/var/tmp/tailship-image-');
  mkdirSync(work, { recursive: true });
  const store = ['--root', `${work}/storage`, '--runroot', `${work}/run`];
  const buildah = (...words: readonly string[]): string =>
    execFileSync('buildah', [...store, '--storage-driver', 'vfs', ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim();
  if (!existsSync(`${work}/build-root/usr/bin/npm`)) makeBuildRoot(`${work}/build-root`);
  if (!existsSync(`${work}/run-root`)) makeRunRoot(work);
  for (const name of ['build', 'run']) {
    const reference = `reference=localhost/${name}-base`;
    if (buildah('images', '--quiet', '--filter', reference) !== '') continue;
    const container = buildah('from', 'scratch');
    buildah('add', '--quiet', container, `${work}/${name}-root`, '/');
    buildah('commit', '--quiet', container, `localhost/${name}-base`);
    buildah('rm', container);
  }
  const certificates = '/etc/ssl/certs';
  buildah(
    'bud',
    '--isolation=chroot',
    '--layers=false',
    '--quiet',
    // Where a proxy has a certificate of its own, npm has to know it.
    `--volume=${certificates}:${certificates}:ro`,
    '--build-arg=BUILD_IMAGE=localhost/build-base',
    '--build-arg=RUN_IMAGE=localhost/run-base',
    '--tag=localhost/tailship',
    repository,
  );
  const { OCIv1: image } = JSON.parse(
    buildah('inspect', '--type', 'image', 'localhost/tailship'),
  ) as { OCIv1: { config: { Entrypoint: string[]; Env: string[] } } };
  const container = buildah('from', 'localhost/tailship');
  const rootDir = buildah('mount', container);
  return {
    rootDir,
    bytes: Number(execFileSync('du', ['-sb', rootDir], { encoding: 'utf8' }).split('\t')[0]),
    entrypoint: image.config.Entrypoint,
    environment: Object.fromEntries(
      image.config.Env.map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]),
    ),
    remove() {
      buildah('rm', container);
      if (kept === undefined) rmSync(work, { recursive: true, force: true });
    },
  };
}

/** Debian with npm, as an image with Node has it. */
function makeBuildRoot(directory: string): void {
  const quiet = { stdio: 'ignore' } as const;
  const variant = ['--variant=minbase', '--include=ca-certificates', 'bookworm'];
  execFileSync('debootstrap', [...variant, directory], quiet);
  const install = ['install', '-y', '-qq', '--no-install-recommends'];
  execFileSync('chroot', [directory, 'apt-get', 'update', '-qq'], quiet);
  execFileSync('chroot', [directory, 'apt-get', ...install, 'nodejs', 'npm', 'libatomic1'], {
    ...quiet,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}

/** What distroless/cc holds, nearly: the C and C++ libraries, and no program at all. */
function makeRunRoot(work: string): void {
  const packages = `${work}/packages`;
  mkdirSync(packages, { recursive: true });
  execFileSync('apt-get', ['download', '-qq', 'libc6', 'libgcc-s1', 'libstdc++6'], {
    cwd: packages,
    stdio: 'ignore',
  });
  for (const name of readdirSync(packages)) {
    execFileSync('dpkg-deb', ['--extract', `${packages}/${name}`, `${work}/run-root`]);
  }
  for (const name of ['tmp', 'etc', 'proc', 'dev', 'var']) {
    mkdirSync(`${work}/run-root/${name}`, { recursive: true });
  }
  chmodSync(`${work}/run-root/tmp`, 0o1777);
  writeFileSync(`${work}/run-root/etc/passwd`, 'root:x:0:0:root:/:/sbin/nologin\n');
}
