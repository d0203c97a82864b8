// The files of a release, built as anybody builds them: the same bytes each time, with checksums
// that hold and a bill of materials that is the lock file. The workflows call the scripts of .ci/
// and no other commands. Two builds take some seconds; no registry is asked.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';

import { kustomize } from './kustomize.ts';

const root = path.resolve(import.meta.dirname, '../..');
const { version } = JSON.parse(read('package.json')) as { version: string };

let directory: string;

function read(name: string): string {
  return fs.readFileSync(path.join(root, name), 'utf8');
}

function build(name: string, words: readonly string[] = []): string {
  const out = path.join(directory, name);
  execFileSync(path.join(root, '.ci/release'), [out, ...words], { stdio: 'pipe' });
  return out;
}

describe('the files of a release', () => {
  let out: string;

  beforeAll(() => {
    directory = fs.mkdtempSync(path.join(tmpdir(), 'tailship-release-'));
    out = build('first', [`v${version}`]);
  }, 120_000);
  afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));

  test('are the same when they are built again', () => {
    const sums = (place: string): string => fs.readFileSync(`${place}/SHA256SUMS`, 'utf8');
    expect(sums(build('second'))).toBe(sums(out));
  });

  test('have checksums, each of them', () => {
    execFileSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: out });
    const summed = fs.readFileSync(`${out}/SHA256SUMS`, 'utf8').trim().split('\n');
    const names = summed.map((line) => line.split('  ')[1]);
    expect(names).toEqual(fs.readdirSync(out).filter((name) => name !== 'SHA256SUMS'));
    expect(names.length).toBe(4);
  });

  test('have a bill of materials with every package of production and its hash', () => {
    const bill = JSON.parse(fs.readFileSync(`${out}/tailship-${version}.cdx.json`, 'utf8')) as {
      bomFormat: string;
      serialNumber: string;
      metadata: { component: { name: string; version: string } };
      components: { purl: string; hashes: { alg: string; content: string }[] }[];
    };
    expect(bill).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.5' });
    expect(bill.serialNumber).toMatch(/^urn:uuid:[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-8[\da-f]{3}-/);
    expect(bill.metadata.component).toMatchObject({ name: 'tailship', version });
    const { packages } = JSON.parse(read('package-lock.json')) as {
      packages: Record<string, { version: string; dev?: boolean; integrity?: string }>;
    };
    const wanted = Object.entries(packages)
      .filter(([name, { dev }]) => name !== '' && dev !== true)
      .map(([name, found]) => {
        const plain = name.slice(name.lastIndexOf('node_modules/') + 'node_modules/'.length);
        const hash = Buffer.from(found.integrity?.split('-')[1] ?? '', 'base64').toString('hex');
        return `pkg:npm/${plain.replace('@', '%40')}@${found.version} ${hash}`;
      });
    const billed = bill.components.map(({ purl, hashes }) => `${purl} ${hashes[0]?.content}`);
    expect(billed.toSorted()).toEqual([...new Set(wanted)].toSorted());
    expect(billed.some((one) => one.startsWith('pkg:npm/google-auth-library@'))).toBe(true);
  });

  test('have a chart whose links are files, and manifests that are whole', () => {
    const place = path.join(directory, 'unpacked');
    fs.mkdirSync(place);
    for (const name of ['chart', 'manifests']) {
      const tarball = `${out}/tailship-${name}-${version}.tgz`;
      execFileSync('tar', ['--extract', '--file', tarball, '--directory', place]);
    }
    for (const name of ['rules.yaml', 'tailship.json']) {
      expect(fs.lstatSync(`${place}/tailship/files/${name}`).isFile()).toBe(true);
    }
    const overlay = 'deploy/overlays/gke-workload-identity';
    expect(kustomize(`${place}/${overlay}`)).toEqual(kustomize(`${root}/${overlay}`));
  });

  test('are not built for a tag that is another version', () => {
    expect(() => build('third', ['v9.9.9'])).toThrow(/the tag is v9\.9\.9/);
  });
});

type Step = { readonly run?: string; readonly uses?: string };

test('the workflows run nothing that is not in .ci/', () => {
  const folder = path.join(root, '.github/workflows');
  const files = fs.readdirSync(folder);
  expect(files).toEqual(['ci.yml', 'release.yml']);
  const steps = files.flatMap((name) => {
    const { jobs } = parse(fs.readFileSync(path.join(folder, name), 'utf8')) as {
      jobs: Record<string, { steps: Step[] }>;
    };
    return Object.values(jobs).flatMap((job) => job.steps);
  });
  const commands = steps.flatMap(({ run = '' }) => run.split('\n').filter((line) => line !== ''));
  const scripts = commands.filter((line) => !line.startsWith('git config --global --add safe.'));
  expect(scripts.map((line) => line.split(' ')[0])).toEqual(['.ci/run', '.ci/release']);
  for (const script of ['.ci/run', '.ci/release']) {
    fs.accessSync(path.join(root, script), fs.constants.X_OK);
  }
});

test('the changelog tells of the version', () => {
  expect(read('CHANGELOG.md')).toContain(`\n## ${version}\n`);
});
