// `entries:list` and the list of logs: requests checked, pages cut, tokens made and read.
//
// A page token is the key of the last entry that was looked at, with a hash of the question, so
// that entries written between two pages neither repeat nor hide others. Source: the reference of
// entries.list and logs.list.

import { createHash } from 'node:crypto';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { fromJson } from '@bufbuild/protobuf';
import { invalidArgument } from '../protocol/api-error.ts';
import type { EntryKey, EntryStore, StoredEntry } from '../store/entry-store.ts';
import { compareText } from '../store/entry-store.ts';
import type { InstantBounds } from './filter-match.ts';
import { boundsOf, compileFilter } from './filter-match.ts';
import { parseFilter } from './list-filter.ts';
import { listRequestSchema } from '../protocol/log-entry-schema.ts';
import { schemaError, violationsOf } from '../protocol/schema-violation.ts';
import { renderEntry } from '../store/stored-entry.ts';
import { compareInstants } from '../protocol/timestamp.ts';

const resourceCountMax = 100;
const filterLengthMax = 20_000;
const pageSizeDefault = 50;
const pageSizeMax = 1000;
/** Entries examined for one page, which takes half a second; then it ends, with a token. */
const scanCountMax = 200_000;
/** Each step of a filter that finds little is larger than the one before, up to this. */
const scanStepCountMax = 20_000;

type ListRequest = {
  readonly parents: ReadonlySet<string>;
  readonly filter: string;
  readonly descending: boolean;
  readonly pageSize: number;
  readonly after: EntryKey | undefined;
  readonly question: string;
};

/** Answers `entries:list`; throws ApiError for what the API refuses. */
export function listEntries(store: EntryStore, body: Buffer): object {
  const request = readListRequest(body);
  const tree = parseFilter(request.filter);
  const isWanted = compileFilter(tree);
  const bounds = boundsOf(tree);
  const entries: JsonObject[] = [];
  let after = request.after ?? startOf(bounds, request.descending);
  let scannedCount = 0;
  let stepCount = request.pageSize + 1;
  while (scannedCount < scanCountMax) {
    const page = store.page({ after, descending: request.descending, countMax: stepCount });
    for (const stored of page) {
      if (isPast(stored, bounds, request.descending)) {
        return { ...(entries.length > 0 && { entries }) };
      }
      if (entries.length === request.pageSize) {
        return { entries, nextPageToken: tokenOf(after, request) };
      }
      after = stored;
      if (!request.parents.has(stored.parent)) continue;
      const entry = renderEntry(stored);
      if (isWanted(entry)) entries.push(entry);
    }
    scannedCount += page.length;
    if (page.length < stepCount) return { ...(entries.length > 0 && { entries }) };
    stepCount = Math.min(stepCount * 4, scanStepCountMax);
  }
  return { ...(entries.length > 0 && { entries }), nextPageToken: tokenOf(after, request) };
}

/** A key just outside the range, to start from. No stored entry has an empty insertId. */
function startOf({ from, to }: InstantBounds, descending: boolean): EntryKey | undefined {
  const edge = { insertId: '', parent: '' };
  if (!descending) return from && { timestamp: from, ...edge };
  if (to === undefined) return undefined;
  // One nanosecond later. 1e9 nanoseconds compare correctly, though no entry has them.
  return { timestamp: { seconds: to.seconds, nanos: to.nanos + 1 }, ...edge };
}

function isPast(stored: StoredEntry, { from, to }: InstantBounds, descending: boolean): boolean {
  if (descending) return from !== undefined && compareInstants(stored.timestamp, from) < 0;
  return to !== undefined && compareInstants(stored.timestamp, to) > 0;
}

function readListRequest(body: Buffer): ListRequest {
  const json = parseJson(body);
  const violations = violationsOf(listRequestSchema, json, '');
  if (violations.length > 0) throw schemaError(violations);
  const message = fromJson(listRequestSchema, json) as unknown as {
    resourceNames: string[];
    filter: string;
    orderBy: string;
    pageSize: number;
    pageToken: string;
  };
  const { resourceNames, filter, orderBy } = message;
  if (filter.length > filterLengthMax) {
    throw invalidArgument(`filter is longer than ${filterLengthMax} characters`);
  }
  const parents = readParents(resourceNames);
  const order = /^(?:timestamp(?: (asc|desc))?)?$/i.exec(orderBy.trim());
  if (order === null) throw invalidArgument(`Invalid order_by: ${orderBy}`);
  const descending = order[1]?.toLowerCase() === 'desc';
  const question = hashOf([...parents, filter, String(descending)]);
  const after = message.pageToken === '' ? undefined : readToken(message.pageToken, question);
  return { parents, filter, descending, pageSize: readPageSize(message.pageSize), after, question };
}

function parseJson(body: Buffer): JsonValue {
  try {
    return JSON.parse(body.length === 0 ? '{}' : body.toString('utf8')) as JsonValue;
  } catch (error) {
    throw invalidArgument(`Invalid JSON payload received. ${(error as Error).message}`);
  }
}

function readParents(resourceNames: readonly string[]): ReadonlySet<string> {
  if (resourceNames.length === 0) throw invalidArgument('At least one resource name is required.');
  if (resourceNames.length > resourceCountMax) {
    throw invalidArgument(`At most ${resourceCountMax} resource names are allowed.`);
  }
  return new Set(
    resourceNames.map((name) => {
      const match =
        /^((?:projects|organizations|folders|billingAccounts)\/[^/]+)(?:\/locations\/.+)?$/.exec(
          name,
        );
      if (match?.[1] === undefined) throw invalidArgument(`Invalid resource name: ${name}`);
      return match[1];
    }),
  );
}

function readPageSize(pageSize: number): number {
  if (pageSize < 0 || pageSize > pageSizeMax) {
    throw invalidArgument(`page_size must be between 0 and ${pageSizeMax}, was ${pageSize}`);
  }
  return pageSize === 0 ? pageSizeDefault : pageSize;
}

function hashOf(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 16);
}

function tokenOf(key: EntryKey | undefined, { question }: ListRequest): string {
  const { timestamp, insertId, parent } = key as EntryKey;
  const parts = [question, timestamp.seconds, timestamp.nanos, insertId, parent];
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

function readToken(token: string, question: string): EntryKey {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
  } catch {
    // Refused below, like any other token that is not ours.
  }
  const [asked, seconds, nanos, insertId, parent] = Array.isArray(parts)
    ? (parts as unknown[])
    : [];
  if (typeof insertId !== 'string' || typeof parent !== 'string' || asked !== question) {
    throw invalidArgument(
      'page_token does not belong to a request with these resource names, filter and order.',
    );
  }
  return { timestamp: { seconds: Number(seconds), nanos: Number(nanos) }, insertId, parent };
}

/** Answers `GET /v2/projects/P/logs`. */
export function listLogs(
  store: EntryStore,
  { parent, query }: { parent: string; query: URLSearchParams },
): object {
  const pageSize = readPageSize(Number(query.get('pageSize') ?? 0));
  const last = Buffer.from(query.get('pageToken') ?? '', 'base64url').toString('utf8');
  const names = store
    .logNames()
    .filter((name) => name.startsWith(`${parent}/logs/`) && compareText(name, last) > 0);
  const page = names.slice(0, pageSize);
  const nextPageToken =
    names.length > pageSize ? Buffer.from(page.at(-1) ?? '').toString('base64url') : undefined;
  return { ...(page.length > 0 && { logNames: page }), ...(nextPageToken && { nextPageToken }) };
}
