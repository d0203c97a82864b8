// Reads the JSON of an answer of Cloud Logging: the error, what it blames, the entries it names.
//
// Invariant: JSON without the shape of the API's own is `undefined`, and an index counts only if
// the request has it. Shapes: google/rpc/error_details.proto, google/api/error_reason.proto,
// WriteLogEntriesPartialErrors of google/logging/v2; `errors[]` is the older form of the same.

import { isObject, listOf, member, textOf } from '../json-value.ts';

/** What the API says about one entry: a google.rpc.Code and its message. */
export type EntryError = { readonly code: number; readonly text: string };

/** Whom an error blames; `unknown` for a reason in none of the lists below, undefined for none. */
export type Blame = 'caller' | 'quota' | 'unknown' | undefined;

/** The API's JSON error. */
export type ApiError = {
  readonly message: string;
  /** The name of a google.rpc.Code, or empty. */
  readonly status: string;
  readonly blame: Blame;
  /** Entries that were refused while all others were written. */
  readonly refused: ReadonlyMap<number, EntryError>;
  /** Entries whose fields made the API refuse the whole request. */
  readonly misshapen: ReadonlyMap<number, EntryError>;
};

/** The values of google.rpc.Code that matter here. */
export const RpcCode = {
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  permissionDenied: 7,
  resourceExhausted: 8,
  aborted: 10,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** By number: google/rpc/code.proto. */
export const rpcCodeNames = [
  ['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND'],
  ['ALREADY_EXISTS', 'PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED'],
  ['OUT_OF_RANGE', 'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED'],
].flat();

/**
 * The only service that looks at entries. An ErrorInfo of another Google domain comes from
 * something in front of it: the front end (`googleapis.com`), IAM, Service Usage.
 */
const entryDomain = 'logging.googleapis.com';
const googleDomain = /(?:^|\.)googleapis\.com$/;
/** The subjects of google.api.ErrorReason: the caller, for whom it calls, and what it may do. */
const callerReason =
  /(?:^|_)(?:ACCESS|ACCOUNT|API_?KEY|AUTH|AUTHENTICATION|AUTHORIZATION|BILLING|BLOCKED|CALLER|CERTIFICATE|CLIENT|CONSUMER|CREDENTIALS?|DENIED|DISABLED|FORBIDDEN|IAM|LOCATION|MTLS|OAUTH|ORG|ORGANIZATION|ORIGIN|PERMISSIONS?|POLICY|PROJECT|REFERRER|REGION|RESTRICTIONS?|SCOPES?|SECURITY|SERVICE|SESSION|SUSPENDED|SYSTEM_PARAMETER|TENANT|TERMS|TLS|TOKEN|TOS|UNAUTHORIZED|USER|VPC)(?:_|$)/;
const quotaReason = /(?:^|_)(?:RATE_?LIMIT|QUOTA|RESOURCE_EXHAUSTED|LIMIT_EXCEEDED)(?:_|$)/;
/** The parts of a LogEntry, and what may be wrong with them. */
const contentReason =
  /(?:^|_)(?:ARGUMENTS?|ENTRY|ENTRIES|FIELDS?|HTTP_REQUEST|INSERT_ID|JSON|LABELS?|LOG_?NAMES?|MESSAGE|OUT_OF_RANGE|PAYLOAD|SEVERITY|SIZE|TIMESTAMP|TOO_(?:BIG|LARGE|LONG|OLD)|UTF_?8)(?:_|$)/;
/** `reason` of the older form. */
const callerReasonOld =
  /^(?:access|account|api|auth|billing|consumer|forbidden$|insufficient|key[A-Z]|project|required$|suspended|user[A-Z])/;
const quotaReasonOld = /^(?:dailyLimit|quota|rateLimit|servingLimit|userRateLimit)/;
const contentReasonOld = /^(?:badRequest$|fieldError|invalid|outOfRange|parse|too[A-Z]|upload)/;

/**
 * Returns undefined when the body is anything else (HTML, empty, cut, of another service), or names
 * only entries that the request does not have.
 */
export function parseApiError(text: string, entryCount: number): ApiError | undefined {
  const error = member(parseObject(text), 'error');
  const status = member(error, 'status');
  // The API's errors have both. An error with neither comes from a gateway.
  if (typeof status !== 'string' && typeof member(error, 'code') !== 'number') return undefined;
  const details = listOf(member(error, 'details'));
  const refused = entryErrors(details, entryCount);
  if (refused.size === 0 && details.some(namesEntries)) return undefined;
  return {
    message: textOf(member(error, 'message')) || 'no message',
    status: textOf(status),
    blame: blameOf(details, listOf(member(error, 'errors'))),
    refused,
    misshapen: fieldErrors(details, entryCount),
  };
}

/**
 * The entries that a success names as refused: WriteLogEntriesPartialErrors in `details`, in an
 * error or status beside them, or bare. Undefined for JSON that is neither that nor empty.
 */
export function parseSuccess(
  text: string,
  entryCount: number,
): ReadonlyMap<number, EntryError> | undefined {
  const answer = parseObject(text);
  if (answer === undefined) return undefined;
  if (Object.keys(answer).length === 0) return new Map();
  const parts = [answer, ...Object.values(answer)].flatMap((part) => [
    part,
    ...listOf(member(part, 'details')),
  ]);
  const errors = entryErrors(parts, entryCount);
  return errors.size > 0 ? errors : undefined;
}

/** Whether the body is an empty JSON object; white space does not count. */
export function isEmptyObject(text: string): boolean {
  return text === '{}' || (text.length < 64 && /^[ \t\r\n]*\{[ \t\r\n]*\}[ \t\r\n]*$/.test(text));
}

function parseObject(text: string): object | undefined {
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    return JSON.parse(text) as object;
  } catch {
    return undefined; // Cut or garbled, so not from the API.
  }
}

function blameOf(details: readonly unknown[], oldErrors: readonly unknown[]): Blame {
  let isUnknown = false;
  for (const detail of details) {
    const type = textOf(member(detail, '@type')).split('.').at(-1);
    if (type === 'QuotaFailure') return 'quota';
    // It is about the project, its billing or its terms: see error_details.proto.
    if (type === 'PreconditionFailure') return 'caller';
    const reason = member(detail, 'reason');
    if (typeof reason !== 'string') continue;
    if (quotaReason.test(reason)) return 'quota';
    const domain = textOf(member(detail, 'domain'));
    const isBeforeEntries = domain !== entryDomain && googleDomain.test(domain);
    if (isBeforeEntries || callerReason.test(reason)) return 'caller';
    isUnknown ||= !contentReason.test(reason);
  }
  for (const error of oldErrors) {
    const reason = textOf(member(error, 'reason'));
    if (quotaReasonOld.test(reason)) return 'quota';
    if (member(error, 'domain') === 'usageLimits' || callerReasonOld.test(reason)) return 'caller';
    isUnknown ||= reason !== '' && !contentReasonOld.test(reason);
  }
  return isUnknown ? 'unknown' : undefined;
}

function entryErrors(parts: readonly unknown[], entryCount: number): Map<number, EntryError> {
  const errors = new Map<number, EntryError>();
  for (const part of parts) {
    for (const [key, status] of entriesNamed(part)) {
      const index = indexOf(key, entryCount);
      if (index === undefined) continue;
      errors.set(index, {
        code: rpcCodeOf(member(status, 'code')),
        text: textOf(member(status, 'message')) || 'no message',
      });
    }
  }
  return errors;
}

function namesEntries(part: unknown): boolean {
  return entriesNamed(part).length > 0;
}

function entriesNamed(part: unknown): [string, unknown][] {
  const perEntry: unknown = member(part, 'logEntryErrors');
  return isObject(perEntry) ? Object.entries(perEntry) : [];
}

/** A google.rpc.Code as number, digits or name. What is no code of an error condemns nothing. */
function rpcCodeOf(code: unknown): number {
  if (code === undefined) return RpcCode.invalidArgument;
  const number = rpcCodeNames.indexOf(textOf(code));
  const value = number > 0 ? number : Number(code);
  return rpcCodeNames[value] === undefined || value === 0 ? RpcCode.unknown : value;
}

/**
 * BadRequest.fieldViolations of single entries. Only the path counts: the message quotes what a
 * tenant wrote, and that could name another tenant's entry.
 */
function fieldErrors(details: readonly unknown[], entryCount: number): Map<number, EntryError> {
  const errors = new Map<number, EntryError>();
  for (const violation of details.flatMap((each) => listOf(member(each, 'fieldViolations')))) {
    const path = /^entries\[(\d+)\](?:[.[]|$)/.exec(textOf(member(violation, 'field')));
    const index = indexOf(path?.[1] ?? '', entryCount);
    if (index === undefined || errors.has(index)) continue;
    const text = textOf(member(violation, 'description')) || 'no description';
    errors.set(index, { code: RpcCode.invalidArgument, text });
  }
  return errors;
}

function indexOf(digits: string, entryCount: number): number | undefined {
  const index = /^(?:0|[1-9]\d{0,8})$/.test(digits) ? Number(digits) : Number.NaN;
  return index < entryCount ? index : undefined;
}
