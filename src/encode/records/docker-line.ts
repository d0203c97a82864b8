// Parses a line of docker's json-file driver, an object of `log`, `stream` and `time`. The result
// is undefined for a malformed line, which is shipped as text.

import type { Stream } from '../entries/entry-template.ts';
import { scanObject } from '../json/object-scan.ts';
import type { JsonObject } from '../json/object-scan.ts';
import { rawValue, stringValue } from '../json/json-text.ts';
import { parseInstant } from '../rfc3339.ts';

export type DockerLine = {
  /** RFC 3339 as in the file, at most nine fraction digits. */
  readonly time: string;
  readonly stream: Stream;
  /** The record goes on in the next line of the same stream: docker cuts at 16 KiB. */
  readonly partial: boolean;
  readonly content: Uint8Array;
};

const utf8 = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });

function stringMember(object: JsonObject, key: string): string | undefined {
  const member = object.members.find((candidate) => candidate.key === key);
  return member === undefined ? undefined : stringValue(rawValue(object, member));
}

/**
 * Takes the line in `[start, end)` apart, its `\n` not included; undefined when it is no json-file
 * line.
 */
export function parseDockerLine(
  bytes: Uint8Array,
  start: number,
  end: number,
): DockerLine | undefined {
  const object = scanObject(utf8.decode(bytes.subarray(start, end)));
  if (object === undefined) return undefined;
  const log = stringMember(object, 'log');
  const stream = stringMember(object, 'stream');
  const instant = parseInstant(stringMember(object, 'time') ?? '');
  if (log === undefined || instant === undefined) return undefined;
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  const partial = !log.endsWith('\n');
  const text = partial ? log : log.replace(/\r?\n$/, '');
  return { time: instant.text, stream, partial, content: Buffer.from(text) };
}
