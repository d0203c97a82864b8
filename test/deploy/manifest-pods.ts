// What a pod of a manifest is when it runs: its containers, the options that they start with, the
// volumes under their paths.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished } from 'vitest';

import { parseFlags } from '../../src/command/argv.ts';
import { splitMigrationWords } from '../../src/command/command-words.ts';
import { loadConfig, type LoadedConfig } from '../../src/options/config-loader.ts';
import { type Command, commands } from '../../src/options/options.ts';
import type { Container, Manifest, PodSpec } from './manifest-types.ts';

/** The pods of all workloads. */
export function podsOf(manifests: readonly Manifest[]): PodSpec[] {
  return manifests.flatMap(({ spec }) =>
    spec?.template === undefined ? [] : [spec.template.spec],
  );
}

/** Those that run before the others, first. */
export function containersOf(pod: PodSpec): Container[] {
  return [...(pod.initContainers ?? []), ...pod.containers];
}

/** The text that a container finds at a path, from the ConfigMap that is mounted there. */
function mountedText(
  manifests: readonly Manifest[],
  pod: PodSpec,
  container: Container,
  file: string,
): string | undefined {
  const mount = container.volumeMounts?.find(({ mountPath }) => mountPath === path.dirname(file));
  const volume = pod.volumes?.find(({ name }) => name === mount?.name);
  const map = manifests.find(
    ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === volume?.configMap?.name,
  );
  return map?.data?.[path.basename(file)];
}

/** A command with its options. */
export type Started = { readonly command: Command; readonly loaded: LoadedConfig };

/** What the command line of a container, its variables and its ConfigMap make of the options. */
export async function startedBy(
  manifests: readonly Manifest[],
  pod: PodSpec,
  container: Container,
): Promise<Started> {
  const [word, ...words] = container.args ?? [];
  const command = commands.find((known) => known === word);
  if (command === undefined) throw new Error(`${String(word)} is no command`);
  const directory = mkdtempSync(path.join(tmpdir(), 'tailship-deploy-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const flagWords = command === 'migrate' ? splitMigrationWords(words).rest : words;
  const local = flagWords.map((flag, index) => {
    if (flagWords[index - 1] !== '--config') return flag;
    const text = mountedText(manifests, pod, container, flag);
    expect(text, `${flag} is in a mounted ConfigMap`).toBeDefined();
    const file = path.join(directory, path.basename(flag));
    writeFileSync(file, text ?? '');
    return file;
  });
  const environment = Object.fromEntries(
    (container.env ?? []).map(({ name, value }) => [name, value ?? 'from-the-api']),
  );
  const loaded = await loadConfig({ command, flags: parseFlags(command, local), environment });
  return { command, loaded };
}

/** The volume under a path of a container, and whether it may be written. */
export function mountUnder(pod: PodSpec, container: Container, file: string) {
  const mounts = container.volumeMounts ?? [];
  const mount = mounts.find(
    ({ mountPath }) => file === mountPath || file.startsWith(`${mountPath}/`),
  );
  const volume = pod.volumes?.find(({ name }) => name === mount?.name);
  return volume === undefined ? undefined : { volume, readOnly: mount?.readOnly === true };
}

/** Bytes of a quantity in Mi or Gi; NaN of any other. */
export function bytesOf(quantity: string | undefined): number {
  const [, number, unit = ''] = /^(\d+)(Mi|Gi)$/.exec(quantity ?? '') ?? [];
  return Number(number) * (unit === 'Gi' ? 2 ** 30 : 2 ** 20);
}
