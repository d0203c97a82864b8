// The words of `tailship manifests` that are no options of `run`: the image, and what of the pods
// follows from the cluster. cli.ts parts them before the flags are parsed, so this file is light.

import { AgentError } from '../errors.ts';
import { foreignAgents } from './migration-source.ts';

/** What the manifests themselves depend on; the other words are options of `run`. */
export type ManifestWords = {
  readonly image: string;
  readonly isGke: boolean;
  /** Name of a Secret with `key.json`. */
  readonly keySecret?: string | undefined;
  /** Whose positions an init container takes over, and their file on the node. */
  readonly takeOver?: { readonly agent: string; readonly file: string } | undefined;
};

/** Takes the manifests' own words out. Throws CONFIG_INVALID for one that is wrong or missing. */
export function splitManifestWords(words: readonly string[]): {
  readonly own: ManifestWords;
  readonly rest: readonly string[];
} {
  const values = new Map<string, string>();
  const rest: string[] = [];
  let isGke = false;
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    const [, name, joined] = /^--(image|key-secret|take-over)(?:=(.*))?$/s.exec(word) ?? [];
    if (word === '--gke') isGke = true;
    else if (name === undefined) rest.push(word);
    else values.set(name, joined ?? words[(index += 1)] ?? '');
  }
  const image = values.get('image') ?? '';
  if (!/^[^@\s]+@sha256:[0-9a-f]{64}$/.test(image)) {
    throw invalid(`manifests needs --image NAME@sha256:…, as docker push prints it; got ${image}`);
  }
  const keySecret = values.get('key-secret');
  if (keySecret !== undefined && !/^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(keySecret)) {
    throw invalid(`--key-secret is no name of a Secret: ${keySecret}`);
  }
  return { own: { image, isGke, keySecret, takeOver: takeOverOf(values.get('take-over')) }, rest };
}

function takeOverOf(text: string | undefined): ManifestWords['takeOver'] {
  if (text === undefined) return undefined;
  const [, agent = '', file = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  const isKnown = (foreignAgents as readonly string[]).includes(agent);
  if (isKnown && /^\/.*[^/]$/.test(file)) return { agent, file };
  throw invalid(`--take-over is ${foreignAgents.join('|')}=FILE with a whole path; got ${text}`);
}

function invalid(text: string): AgentError {
  return new AgentError('CONFIG_INVALID', text);
}
