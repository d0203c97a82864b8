// Formats entries for `tailship tail` and the panel of the page: time, severity, container, and the
// text as it would be shipped.

import { printable } from '../printable.ts';
import type { ContainerNames } from '../tail/container-names.ts';
import type { TailWords } from './command-words.ts';

type Entry = {
  readonly timestamp?: string;
  readonly severity?: string;
  readonly textPayload?: string;
  readonly jsonPayload?: unknown;
  readonly resource?: { readonly labels?: Readonly<Record<string, string>> };
};

export type TailLine = {
  readonly names: ContainerNames;
  readonly timestamp: string;
  readonly severity: string;
  /** The payload; JSON if it is an object. */
  readonly text: string;
};

/** Reads the JSON of an entry. */
export function readTailLine(json: string): TailLine {
  const entry = JSON.parse(json) as Entry;
  const {
    namespace_name: namespace = '',
    pod_name: pod = '',
    container_name: container = '',
  } = entry.resource?.labels ?? {};
  const { timestamp = '', severity = 'DEFAULT' } = entry;
  const text = entry.textPayload ?? JSON.stringify(entry.jsonPayload ?? {});
  return { names: { namespace, pod, container }, timestamp, severity, text };
}

/** Returns a function that formats a chunk of whole entries as lines. */
export function createTailLines(
  { filter, isJson }: Pick<TailWords, 'filter' | 'isJson'>,
  isShown: (names: ContainerNames) => boolean,
): (entries: Uint8Array) => string[] {
  const lineOf = (json: string): string | undefined => {
    const { names, timestamp, severity, text } = readTailLine(json);
    if (!isShown(names)) return undefined;
    if (filter?.matcher(text).find() === false) return undefined;
    if (isJson) return json;
    const whose = [names.namespace, names.pod, names.container].join('/');
    return printable(`${timestamp} ${severity} ${whose} ${text}`);
  };
  return (entries) =>
    Buffer.from(entries)
      .toString('utf8')
      .split('\n')
      .filter((json) => json !== '')
      .map(lineOf)
      .filter((line) => line !== undefined);
}
