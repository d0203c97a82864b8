// docs/deploy.md leads from an empty directory to manifests that are valid: its marked blocks are
// run as they are, with the files of a release. What only a cluster or Helm can do is left out:
// `helm` is rendered by chart.ts, and kubectl by kustomize.ts where it is missing or too old.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';

import { chartDir, findRendererFault, renderChart } from './chart.ts';
import { findKubectlFault } from './kubectl.ts';
import { kustomize } from './kustomize.ts';
import { testManifests } from './manifest-demands.ts';
import { podsOf, startedBy } from './manifest-pods.ts';
import type { Manifest } from './manifest-types.ts';

const root = path.resolve(import.meta.dirname, '../..');
const page = fs.readFileSync(path.join(root, 'docs/deploy.md'), 'utf8');
const kubectlFault = findKubectlFault();
const rendererFault = findRendererFault();
const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as {
  version: string;
};

let directory: string;

/** The commands of a block of the page, without those that call a program. */
function blockOf(name: string, without: string): { script: string; left: string[] } {
  const pattern = new RegExp(`<!-- run:${name} -->\n\`\`\`sh\n([^]*?)\`\`\``);
  const lines = (pattern.exec(page)?.[1] ?? '').split('\n');
  const isLeft = (line: string): boolean => without !== '' && line.startsWith(`${without} `);
  return { script: lines.filter((line) => !isLeft(line)).join('\n'), left: lines.filter(isLeft) };
}

/** Runs it as a person does who has changed into an empty directory beside the release's files. */
function runIn(name: string, script: string): string {
  const empty = path.join(directory, name);
  fs.mkdirSync(empty);
  execFileSync('sh', ['-euc', script], { cwd: empty, stdio: 'pipe' });
  return empty;
}

function makeManifests(): Manifest[] {
  const { script } = blockOf('kustomize', kubectlFault === '' ? '' : 'kubectl');
  const made = runIn('kustomize', script);
  if (kubectlFault !== '') return kustomize(made);
  const text = fs.readFileSync(path.join(made, 'tailship.yaml'), 'utf8');
  return parseAllDocuments(text).map((found) => found.toJS() as Manifest);
}

const release = ((): string => {
  directory = fs.mkdtempSync(path.join(tmpdir(), 'tailship-page-'));
  execFileSync(path.join(root, '.ci/release'), [directory], { stdio: 'pipe' });
  return directory;
})();

afterAll(() => fs.rmSync(release, { recursive: true, force: true }));

describe(`the way with kustomize (${kubectlFault || 'by kubectl'})`, () => {
  const manifests = makeManifests();
  testManifests(manifests);

  test('gives an agent for GKE, with the image that was put in', async () => {
    const [pod] = podsOf(manifests);
    const [agent] = pod?.containers ?? [];
    if (pod === undefined || agent === undefined) throw new Error('there is no agent');
    expect(agent.image).toMatch(/^europe-docker\.pkg\.dev\/PROJECT\/tailship\/tailship@sha256:0+$/);
    const { loaded } = await startedBy(manifests, pod, agent);
    expect(loaded.config.exclude).toContain('kube-system');
  });
});

describe.skipIf(rendererFault !== '')(`the way with Helm ${rendererFault}`, () => {
  let made: string;
  let command: string;

  beforeAll(() => {
    const { script, left } = blockOf('helm', 'helm');
    made = runIn('helm', script);
    command = left.join('\n');
  });

  test('names the chart of this release and the values that it wrote', () => {
    const [, chart = '', values = ''] = / (\S+\.tgz) .*--values (\S+)/.exec(command) ?? [];
    expect(fs.existsSync(path.join(made, chart))).toBe(true);
    expect(fs.existsSync(path.join(made, values))).toBe(true);
  });

  test('gives what the way with kustomize gives', () => {
    const agentOf = (manifests: readonly Manifest[]) => podsOf(manifests)[0]?.containers[0];
    const { manifests } = renderChart([path.join(made, 'values.yaml')]);
    const fromBase = kustomize(path.join(directory, 'kustomize'));
    expect(agentOf(manifests)).toEqual(agentOf(fromBase));
    const kinds = (all: readonly Manifest[]): string[] =>
      all.map(({ kind }) => kind).filter((kind) => kind !== 'Namespace');
    expect(kinds(manifests).toSorted()).toEqual(kinds(fromBase).toSorted());
  });
});

test('the page and the chart speak of this version only', () => {
  const versions = page.match(/tailship-(?:manifests|chart)-[\d.]+\.tgz/g) ?? [];
  expect(new Set(versions)).toEqual(
    new Set([`tailship-manifests-${version}.tgz`, `tailship-chart-${version}.tgz`]),
  );
  expect(fs.readFileSync(path.join(chartDir, 'Chart.yaml'), 'utf8')).toContain(version);
});
