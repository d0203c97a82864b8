// From what a client wrote to what the API shows: defaults merged in, values in canonical proto3
// JSON, server-side members added.
//
// Most entries hold only members whose canonical form is what the client wrote; they are copied, at
// 2 µs. The rest goes through `fromJson` and `toJson`, at 15 µs; a test compares the two.

import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { fromJson, toBinary, toJson } from '@bufbuild/protobuf';
import { isObject } from '../../json-value.ts';
import type { RequestDefaults, StoredEntry } from './entry-store.ts';
import { logEntrySchema, registry } from '../protocol/log-entry-schema.ts';
import { discoveryFields, jsonNameOf, severityNumbers } from '../protocol/log-entry-types.ts';
import { formatInstant } from '../protocol/timestamp.ts';

/** The server cuts longer ones and adds an ellipsis. */
const labelKeyBytesMax = 512;
const labelValueBytesMax = 65_536;

/** Members that a client may send and that the server clears. */
const clearedMembers = Object.keys(discoveryFields)
  .map(jsonNameOf)
  .filter((name) => name !== 'otel');

/** A member under either of its two names; null counts as absent. */
export function memberOf(json: JsonObject, camel: string, snake: string): JsonValue | undefined {
  return json[camel] ?? json[snake] ?? undefined;
}

/** Adds the request's members to an entry's own: `resource` as a whole, `labels` by key. */
export function mergeDefaults(entry: JsonObject, defaults: JsonObject): JsonObject {
  const merged: JsonObject = { ...entry };
  if (!memberOf(entry, 'logName', 'log_name') && defaults['logName'] !== undefined) {
    delete merged['log_name'];
    merged['logName'] = defaults['logName'];
  }
  if (entry['resource'] == null && defaults['resource'] !== undefined) {
    merged['resource'] = defaults['resource'];
  }
  if (defaults['labels'] != null) {
    merged['labels'] = {
      ...(defaults['labels'] as JsonObject),
      ...(entry['labels'] as JsonObject | null),
    };
  }
  return merged;
}

/** Bytes of an entry in protobuf's wire format, close to what the API measures. */
export function estimateSize(entry: JsonObject): number {
  return toBinary(logEntrySchema, fromJson(logEntrySchema, entry, { registry })).length;
}

type Copier = (value: unknown) => boolean;

const isText: Copier = (value) => typeof value === 'string';

export function isStringMap(value: unknown): boolean {
  if (!isObject(value)) return false;
  for (const key in value) if (typeof value[key] !== 'string') return false;
  return true;
}

/** Members that may be copied, and when. As in proto3, `false` and '' are left out. */
const copiers: ReadonlyMap<string, Copier> = new Map<string, Copier>([
  ['logName', isText],
  ['timestamp', isText],
  ['insertId', isText],
  ['textPayload', isText],
  ['trace', isText],
  ['spanId', isText],
  ['traceSampled', (value) => typeof value === 'boolean'],
  ['severity', (value) => typeof value === 'string' && Object.hasOwn(severityNumbers, value)],
  ['labels', isStringMap],
  ['jsonPayload', isObject],
  [
    'resource',
    (value) => {
      const { type, labels, ...rest } = (value ?? {}) as JsonObject;
      return (
        isText(type ?? null) &&
        (labels === undefined || isStringMap(labels)) &&
        Object.keys(rest).length === 0
      );
    },
  ],
]);

/** The canonical form by copying; undefined when a member needs more. */
function copyPlain(entry: JsonObject): JsonObject | undefined {
  const copy: JsonObject = {};
  for (const key in entry) {
    const value = entry[key] as JsonValue;
    if (copiers.get(key)?.(value) !== true) return undefined;
    // In the oneof of payloads, '' is a value.
    const isDefault =
      value === false || value === 'DEFAULT' || (value === '' && key !== 'textPayload');
    if (!isDefault) copy[key] = value;
  }
  return copy;
}

/** The canonical form of any valid entry; a test compares the two ways. */
export function canonicalEntry(entry: JsonObject, way: 'quick' | 'schema' = 'quick'): JsonObject {
  const plain = way === 'quick' ? copyPlain(entry) : undefined;
  if (plain !== undefined) return plain;
  const known = { ...entry };
  for (const name of clearedMembers) delete known[name];
  return toJson(logEntrySchema, fromJson(logEntrySchema, known, { registry }), {
    registry,
  }) as JsonObject;
}

function truncate(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= bytesMax) return text;
  // A cut within a character leaves U+FFFD at the end, which is removed.
  const kept = bytes
    .subarray(0, bytesMax - 3)
    .toString('utf8')
    .replace(/\uFFFD+$/, '');
  return `${kept}…`;
}

function truncateLabels(labels: JsonObject): JsonObject {
  const cut: JsonObject = {};
  for (const [key, value] of Object.entries(labels)) {
    cut[truncate(key, labelKeyBytesMax)] = truncate(value as string, labelValueBytesMax);
  }
  return cut;
}

function hasLongLabel(labels: JsonObject): boolean {
  // A UTF-16 unit has at most three bytes, so shorter ones need no measuring.
  for (const key in labels) {
    if (key.length * 3 > labelKeyBytesMax && Buffer.byteLength(key) > labelKeyBytesMax) return true;
    if ((labels[key] as string).length * 3 > labelValueBytesMax) return true;
  }
  return false;
}

/** Parsed request defaults; the requests of a node have a few hundred different ones. */
const parsedDefaults = new Map<RequestDefaults, JsonObject>();
const parsedDefaultsCountMax = 1000;

function parseDefaults(defaults: RequestDefaults): JsonObject {
  let parsed = parsedDefaults.get(defaults);
  if (parsed === undefined) {
    parsed = defaults === '' ? {} : (JSON.parse(defaults) as JsonObject);
    if (parsedDefaults.size >= parsedDefaultsCountMax) parsedDefaults.clear();
    parsedDefaults.set(defaults, parsed);
  }
  return parsed;
}

/** What `entries:list` shows of a stored entry. */
export function renderEntry(stored: StoredEntry): JsonObject {
  const written = JSON.parse(stored.json.toString('utf8')) as JsonObject;
  const defaults = parseDefaults(stored.defaults);
  const entry = canonicalEntry(mergeDefaults(written, defaults));
  const labels = entry['labels'] as JsonObject | undefined;
  if (labels !== undefined) {
    if (Object.keys(labels).length === 0) delete entry['labels'];
    else if (hasLongLabel(labels)) entry['labels'] = truncateLabels(labels);
  }
  const resource = entry['resource'] as JsonObject | undefined;
  const resourceLabels = resource?.['labels'];
  if (resourceLabels != null && Object.keys(resourceLabels).length === 0) {
    entry['resource'] = { type: resource?.['type'] ?? '' };
  }
  entry['timestamp'] = formatInstant(stored.timestamp);
  entry['insertId'] = stored.insertId;
  entry['receiveTimestamp'] = formatInstant(stored.receiveTime);
  return entry;
}
