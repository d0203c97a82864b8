// Renders deploy/chart by the Go program in chart-renderer/, and tells what its values are. Needs
// Go and sprig, of Debian's packages golang-go and golang-github-masterminds-sprig-dev.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isMap, isScalar, parseAllDocuments, parseDocument } from 'yaml';
import type { YAMLMap } from 'yaml';

import type { Manifest } from './manifest-types.ts';

export const chartDir = path.resolve(import.meta.dirname, '../../deploy/chart');
export const valueFiles = readdirSync(path.join(chartDir, 'ci')).toSorted();

/** Debian keeps the sources of Go packages there, and no module names them. */
const goEnvironment = { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode' };

export type Chart = {
  readonly values: object;
  readonly manifests: readonly Manifest[];
  readonly notes: string;
};

/** Why the chart cannot be rendered here; '' if it can. */
export function findRendererFault(): string {
  const listed = spawnSync('go', ['list', 'github.com/Masterminds/sprig', 'gopkg.in/yaml.v3'], {
    env: goEnvironment,
  });
  if (listed.error !== undefined) return 'Go is missing: apt-get install golang-go';
  if (listed.status === 0) return '';
  return 'sprig is missing: apt-get install golang-github-masterminds-sprig-dev';
}

let renderer: string | undefined;

function buildRenderer(): string {
  if (renderer !== undefined) return renderer;
  renderer = path.join(mkdtempSync(path.join(tmpdir(), 'tailship-chart-')), 'chart-renderer');
  const source = path.join(import.meta.dirname, 'chart-renderer');
  execFileSync('go', ['build', '-o', renderer, '.'], { cwd: source, env: goEnvironment });
  return renderer;
}

/**
 * The chart as a release in the namespace `tailship`; `cluster` is a file of what `lookup` finds.
 * Throws what a template refuses.
 */
export function renderChart(
  files: readonly string[],
  { release = 'tailship', cluster = '' } = {},
): Chart {
  const text = execFileSync(buildRenderer(), [chartDir, release, 'tailship', ...files], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, CLUSTER: cluster },
  });
  const { values, manifests, notes } = JSON.parse(text) as {
    values: object;
    manifests: Record<string, string>;
    notes: string;
  };
  return {
    values,
    notes,
    manifests: Object.values(manifests).flatMap((one) =>
      parseAllDocuments(one)
        .map((found) => found.toJS() as Manifest | null)
        .filter((found) => found !== null),
    ),
  };
}

/** The table of README.md, from the comments of values.yaml that begin with `--`. */
export function valuesTable(): string {
  const document = parseDocument(readFileSync(path.join(chartDir, 'values.yaml'), 'utf8'));
  const rows = describeValues(document.contents as YAMLMap, '');
  return ['| value | default | |', '|---|---|---|', ...rows, ''].join('\n');
}

function describeValues(map: YAMLMap, prefix: string): string[] {
  return map.items.flatMap((pair, index) => {
    const { key, value } = pair;
    if (!isScalar(key)) throw new Error('a key of values.yaml is no word');
    const name = prefix + String(key.value);
    // The first comment of a mapping belongs to the mapping.
    const comment = key.commentBefore ?? (index === 0 ? map.commentBefore : undefined) ?? '';
    const [, text] = /(?:^|\n) -- (.*)$/.exec(comment) ?? [];
    if (text !== undefined) {
      const plain = isMap(value) || !isScalar(value) ? (value as YAMLMap).toJSON() : value.value;
      return [`| \`${name}\` | \`${JSON.stringify(plain)}\` | ${text.replaceAll('|', '\\|')} |`];
    }
    if (!isMap(value)) throw new Error(`${name} in values.yaml has no comment that begins with --`);
    return describeValues(value, `${name}.`);
  });
}
