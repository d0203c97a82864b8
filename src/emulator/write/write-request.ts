// `entries:write` from bytes to entries that may be stored: schema, defaults, checks of each entry,
// and who is refused why.
//
// Nothing is stored here. Invariant: a body that does not fit the schema throws, whatever its
// `partialSuccess` says; an entry that fits but may not be written is a refusal, by index. Sources:
// the reference of entries.write, the quotas page, and error texts that users reported.

import { isUtf8 } from 'node:buffer';
import type { JsonObject } from '@bufbuild/protobuf';
import type { ErrorDetail } from '../protocol/api-error.ts';
import { ApiError, invalidArgument, rpcCode } from '../protocol/api-error.ts';
import type { StoredEntry } from '../store/entry-store.ts';
import type { BodyScan } from './body-census.ts';
import { findRepeatedKey, scanBody, takeCensus } from './body-census.ts';
import { logEntrySchema, writeRequestSchema } from '../protocol/log-entry-schema.ts';
import { plainShapeOf } from './plain-shape.ts';
import type { Violation } from '../protocol/schema-violation.ts';
import {
  locationOf,
  schemaError,
  unknownName,
  violationsOf,
} from '../protocol/schema-violation.ts';
import { estimateSize, memberOf, mergeDefaults } from '../store/stored-entry.ts';
import type { Instant } from '../protocol/timestamp.ts';
import { compareInstants, instantNow, parseInstant } from '../protocol/timestamp.ts';

/** Bytes of a decoded body; the API answers more with a 400. */
export const requestBytesMax = 10_485_760;
const entryBytesMax = 262_144;
/** Smaller ones need no measuring: protobuf takes at most 6 times the bytes of the JSON. */
const entryBytesSurelySmall = 32_768;
const depthMax = 100;
const futureSecondsMax = 24 * 3600;
const parentCountMax = 1000;

export type Refusal = { readonly code: number; readonly message: string };

/** Values for entries without timestamp or insertId, each after all that it gave before. */
export type EntryClock = {
  timestamp(): Instant;
  insertId(): string;
};

export type WriteRequest = {
  readonly entryCount: number;
  /** The entries that may be stored, in the order of the request. */
  readonly entries: readonly (StoredEntry & { readonly index: number })[];
  readonly refusals: Map<number, Refusal>;
  readonly partialSuccess: boolean;
  readonly dryRun: boolean;
};

export type WriteContext = { readonly receiveTime: Instant; readonly clock: EntryClock };

type Parsed = { readonly root: JsonObject; readonly scan: BodyScan };

const isPlainRequest = plainShapeOf(writeRequestSchema);
const isPlainEntry = plainShapeOf(logEntrySchema);

/** Parses and checks a body. Throws ApiError for a body that does not fit the schema. */
export function readWriteRequest(body: Buffer, context: WriteContext): WriteRequest {
  const parsed = parseBody(body);
  checkSchema(parsed);
  return sortEntries(body, parsed, context);
}

function parseBody(body: Buffer): Parsed {
  if (body.length > requestBytesMax) throw tooLarge();
  if (!isUtf8(body)) {
    throw invalidArgument('Invalid JSON payload received. Encountered non UTF-8 code points.');
  }
  let root: unknown;
  try {
    root = JSON.parse(body.length === 0 ? '{}' : body.toString('utf8'));
  } catch (error) {
    throw invalidArgument(`Invalid JSON payload received. ${(error as Error).message}`);
  }
  if (typeof root !== 'object' || root === null || Array.isArray(root)) {
    throw invalidArgument(
      'Invalid JSON payload received. Unknown name "": Root element must be a message.',
    );
  }
  const scan = scanBody(body);
  if (scan.depthMax > depthMax) {
    throw invalidArgument(
      `Invalid JSON payload received. Message too deep. Max recursion depth (${depthMax}) reached.`,
    );
  }
  checkCensus(body, root, scan);
  return { root: root as JsonObject, scan };
}

/** The 400 that the API gives to a body over the limit; there is no 413. */
export function tooLarge(): ApiError {
  return invalidArgument(`Request payload size exceeds the limit: ${requestBytesMax} bytes.`);
}

function checkCensus(body: Buffer, root: unknown, scan: BodyScan): void {
  const census = takeCensus(root, scan.hasSurrogateEscape);
  if (census.hasLoneSurrogate) {
    throw invalidArgument(
      'Invalid JSON payload received. Invalid unicode escape: unpaired surrogate.',
    );
  }
  if (census.hasInfinity) {
    throw invalidArgument('Invalid JSON payload received. Number exceeds the range of double.');
  }
  if (census.keyCount !== scan.keyCount) {
    const repeated = findRepeatedKey(body);
    if (repeated !== undefined) {
      const location = locationOf(writeRequestSchema, repeated.path);
      const reason = `Repeated map key: '${repeated.key}' is already set.`;
      throw schemaError([unknownName(repeated.key, location, reason)]);
    }
  }
}

function checkSchema({ root }: Parsed): void {
  const { entries, ...rest } = root;
  const violations: Violation[] = [];
  if (!isPlainRequest(rest)) violations.push(...violationsOf(writeRequestSchema, rest, ''));
  if (Array.isArray(entries)) {
    for (const [index, entry] of entries.entries()) {
      if (!isPlainEntry(entry)) {
        violations.push(...violationsOf(logEntrySchema, entry, `entries[${index}]`));
      }
    }
  } else if (entries !== undefined) {
    violations.push(...violationsOf(writeRequestSchema, { entries }, ''));
  }
  if (violations.length > 0) throw schemaError(violations);
}

function sortEntries(body: Buffer, { root, scan }: Parsed, context: WriteContext): WriteRequest {
  // A request may have `"entries": null`.
  const json = (root['entries'] ?? []) as readonly JsonObject[];
  const logName = memberOf(root, 'logName', 'log_name');
  const { resource, labels } = root;
  const defaults = JSON.stringify({
    logName: logName || undefined,
    resource: resource ?? undefined,
    labels,
  });
  const defaultMembers = JSON.parse(defaults) as JsonObject;
  const refusals = new Map<number, Refusal>();
  const entries: (StoredEntry & { index: number })[] = [];
  const futureSeconds = context.receiveTime.seconds + futureSecondsMax;
  for (const [index, entry] of json.entries()) {
    const [start, end] = [scan.entrySpans[index * 2] ?? 0, scan.entrySpans[index * 2 + 1] ?? 0];
    const bytes = body.subarray(start, end);
    const checked = checkEntry(entry, { bytes, defaults, defaultMembers, futureSeconds });
    if (checked.refusal !== undefined) {
      refusals.set(index, { code: rpcCode.invalidArgument, message: checked.refusal });
      continue;
    }
    const insertId = memberOf(entry, 'insertId', 'insert_id');
    entries.push({
      index,
      parent: checked.parent,
      logName: checked.logName,
      timestamp: checked.timestamp ?? context.clock.timestamp(),
      insertId:
        typeof insertId === 'string' && insertId !== '' ? insertId : context.clock.insertId(),
      receiveTime: context.receiveTime,
      defaults,
      json: bytes,
    });
  }
  if (new Set(entries.map(({ parent }) => parent)).size > parentCountMax) {
    throw invalidArgument(`A request may name at most ${parentCountMax} different parents.`);
  }
  const isTrue = (camel: string, snake: string) => memberOf(root, camel, snake) === true;
  return {
    entryCount: json.length,
    entries,
    refusals,
    partialSuccess: isTrue('partialSuccess', 'partial_success'),
    dryRun: isTrue('dryRun', 'dry_run'),
  };
}

type EntryContext = {
  readonly bytes: Buffer;
  readonly defaults: string;
  readonly defaultMembers: JsonObject;
  readonly futureSeconds: number;
};

type CheckedEntry =
  | { readonly refusal: string }
  | {
      readonly refusal?: undefined;
      readonly parent: string;
      readonly logName: string;
      readonly timestamp: Instant | undefined;
    };

function checkEntry(entry: JsonObject, context: EntryContext): CheckedEntry {
  const logName = memberOf(entry, 'logName', 'log_name') || context.defaultMembers['logName'];
  if (typeof logName !== 'string') {
    return { refusal: 'Log name is missing: set it on the entry or on the request.' };
  }
  const name = parseLogName(logName);
  if (name.refusal !== undefined) return { refusal: name.refusal };
  const resource = (entry['resource'] ?? context.defaultMembers['resource']) as
    | JsonObject
    | undefined;
  const resourceType = resource?.['type'];
  if (typeof resourceType !== 'string' || resourceType === '') {
    return {
      refusal: 'Monitored resource type is missing: set it on the entry or on the request.',
    };
  }
  const text = entry['timestamp'];
  const timestamp = typeof text === 'string' ? parseInstant(text) : undefined;
  if (timestamp !== undefined && timestamp.seconds > context.futureSeconds) {
    return { refusal: 'Log entry timestamp is more than 24 hours in the future.' };
  }
  if (context.bytes.length + context.defaults.length > entryBytesSurelySmall) {
    const bytes = estimateSize(mergeDefaults(entry, context.defaultMembers));
    if (bytes > entryBytesMax) {
      const [size, max] = [bytes, entryBytesMax].map((count) => `${(count / 1024).toFixed(1)}K`);
      return { refusal: `Log entry with size ${size} exceeds maximum size of ${max}` };
    }
  }
  return { parent: name.parent, logName, timestamp };
}

/**
 * The answer to refusals; undefined is `{}`. The error has the first refused entry's code, and
 * names each refused entry only if others were written.
 */
export function errorOf(request: WriteRequest): ApiError | undefined {
  const refusals = [...request.refusals].toSorted(([left], [right]) => left - right);
  const first = refusals[0];
  if (first === undefined) return undefined;
  const [index, { code, message }] = first;
  const debug = (detail: string): ErrorDetail => ({
    '@type': 'type.googleapis.com/google.rpc.DebugInfo',
    detail,
  });
  if (!request.partialSuccess) {
    return new ApiError(code, message, [debug(`[ORIGINAL ERROR] ${message}; key: ${index}`)]);
  }
  if (refusals.length === request.entryCount) return new ApiError(code, message);
  return new ApiError(code, message, [
    {
      '@type': 'type.googleapis.com/google.logging.v2.WriteLogEntriesPartialErrors',
      logEntryErrors: Object.fromEntries(refusals),
    },
    debug(`[ORIGINAL ERROR] ${message}`),
  ]);
}

/** Whether the request's good entries are to be stored. */
export function isWritten(request: WriteRequest): boolean {
  return !request.dryRun && (request.partialSuccess || request.refusals.size === 0);
}

type LogName =
  | { readonly parent: string; readonly refusal?: undefined }
  | { readonly parent?: undefined; readonly refusal: string };

const nameShape = /^((?:projects|organizations|folders|billingAccounts)\/[^/]+)\/logs\/(.*)$/s;
/** The proto says "less than 512 characters" of the decoded id. */
const logIdLengthMax = 511;
/** A node has a few log names and writes them a million times. */
const logNamesMax = 10_000;
const logNames = new Map<string, LogName>();

function judgeLogName(name: string): LogName {
  const match = nameShape.exec(name);
  const [parent, logId] = [match?.[1], match?.[2]];
  if (parent === undefined || logId === undefined || logId === '') {
    return { refusal: `Log name is not in the form projects/[PROJECT_ID]/logs/[LOG_ID]: ${name}` };
  }
  // A name is one path segment in the API's other methods, so a slash in the id must be %2F.
  const written = /[^A-Za-z0-9_.%-]/u.exec(logId)?.[0];
  if (written !== undefined) return { refusal: `Log name contains illegal character ${written}` };
  let decoded: string;
  try {
    decoded = decodeURIComponent(logId);
  } catch {
    return { refusal: 'Log name contains illegal character %' };
  }
  const illegal = /[^A-Za-z0-9/_.-]/u.exec(decoded)?.[0];
  if (illegal !== undefined) return { refusal: `Log name contains illegal character ${illegal}` };
  if (decoded.length > logIdLengthMax) {
    return { refusal: `Log ID is longer than ${logIdLengthMax} characters` };
  }
  return { parent };
}

/** The parent of a valid name, or the reason for its refusal. */
function parseLogName(name: string): LogName {
  let verdict = logNames.get(name);
  if (verdict === undefined) {
    verdict = judgeLogName(name);
    if (logNames.size >= logNamesMax) logNames.clear();
    logNames.set(name, verdict);
  }
  return verdict;
}

/** The real API's ids are 16 digits and lower-case letters. */
const insertIdLength = 16;

/** An order that the API promises only within a request; here it holds for the whole process. */
export function createEntryClock(): EntryClock {
  let last: Instant = { seconds: 0, nanos: 0 };
  let sequence = BigInt(Math.floor(performance.timeOrigin)) * 1_000_000_000n;
  return {
    timestamp() {
      const now = instantNow();
      const { seconds, nanos } = last;
      const next =
        nanos === 999_999_999 ? { seconds: seconds + 1, nanos: 0 } : { seconds, nanos: nanos + 1 };
      last = compareInstants(now, next) > 0 ? now : next;
      return last;
    },
    insertId() {
      sequence += 1n;
      return sequence.toString(36).padStart(insertIdLength, '0');
    },
  };
}
