// What an answer of entries:write means: a pure function from HTTP to a verdict. Called by the
// delivery of a batch.
//
// Invariant: only the API's own words (its JSON error) can condemn an entry. Whatever else stands
// in the way (a proxy's page, an empty or cut answer, a refusal for lack of rights) is a failure,
// after which the same bytes are sent again. Facts: contract 1.5; fluent-plugin-google-cloud for
// the shape of the per-entry errors.

import type { ErrorCode } from '../errors.ts';

/** An HTTP answer; `text` is empty for 2xx, whose body does not matter. */
export type Answer = {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly text: string;
};

/** What the API says about one entry: a google.rpc.Code and its message. */
export type EntryError = { readonly code: number; readonly text: string };

export type Failure = {
  readonly kind: 'failed';
  readonly code: ErrorCode;
  /** For people: what happened. */
  readonly text: string;
  /**
   * `slow` waits longer at most (someone must change something), `throttled` lowers the rate as
   * well.
   */
  readonly pace: 'normal' | 'slow' | 'throttled';
  /** The least wait that the answer asks for, 0 if none. */
  readonly retryAfterMs: number;
  /** The connection, or what stands behind it, is suspect: go on with a new one. */
  readonly renew: boolean;
  /** A 400 that is not the API's: it may be a sick proxy, or it may be the body. */
  readonly odd: boolean;
};

export type Verdict =
  | { readonly kind: 'accepted' }
  /**
   * The named entries (index in this request) were refused, the others are written. Never empty.
   */
  | { readonly kind: 'partial'; readonly errors: ReadonlyMap<number, EntryError> }
  /** Nothing was written and the body is to blame. */
  | {
      readonly kind: 'refused';
      readonly reason: RefusalReason;
      readonly code: number;
      readonly text: string;
    }
  | Failure;

/** Why an entry was given up; a metric label. */
export type RefusalReason = 'refused' | 'too_large' | 'denied';

/** google.rpc.Code, the ones with a meaning here. */
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

const retryableEntryCodes: ReadonlySet<number> = new Set([
  RpcCode.cancelled,
  RpcCode.unknown,
  RpcCode.deadlineExceeded,
  RpcCode.resourceExhausted,
  RpcCode.aborted,
  RpcCode.internal,
  RpcCode.unavailable,
  RpcCode.unauthenticated,
]);

/** Whether an entry refused with this google.rpc.Code may be accepted later as it is. */
export function isRetryableEntryCode(code: number): boolean {
  return retryableEntryCodes.has(code);
}

/**
 * Reads an answer to a request of `entryCount` entries. `nowMs` (epoch) is for a Retry-After that
 * is a date.
 */
export function judge(answer: Answer, entryCount: number, nowMs: number): Verdict {
  const { status } = answer;
  // The status counts: a 2xx with garbage behind it was written all the same.
  if (status >= 200 && status < 300) return { kind: 'accepted' };
  const error = apiError(answer.text);
  if (error !== undefined) {
    // The HTTP status of a partial success is that of one entry, so any status may carry it.
    const errors = entryErrors(error.details, entryCount);
    if (errors.size > 0) return { kind: 'partial', errors };
  }
  if (status === 413) {
    return {
      kind: 'refused',
      reason: 'too_large',
      code: RpcCode.invalidArgument,
      text: error?.message ?? 'HTTP 413',
    };
  }
  if (status === 400 && error !== undefined && error.status !== 'FAILED_PRECONDITION') {
    const reason = /request payload size exceeds|exceeds maximum size/i.test(error.message)
      ? 'too_large'
      : 'refused';
    return { kind: 'refused', reason, code: RpcCode.invalidArgument, text: error.message };
  }
  return failureOf(answer, error, nowMs);
}

function failureOf(answer: Answer, error: ApiError | undefined, nowMs: number): Failure {
  const { status } = answer;
  const said = error === undefined ? 'no API error in the answer' : error.message;
  const failure = {
    kind: 'failed',
    text: `entries:write answered ${status}: ${said.slice(0, 300)}`,
    pace: 'normal',
    retryAfterMs: retryAfterMs(answer.retryAfter, nowMs),
    renew: false,
    odd: status === 400 && error === undefined,
  } as const;
  if (status === 401) return { ...failure, code: 'SHIP_UNAUTHENTICATED', pace: 'slow' };
  if (status === 403) return { ...failure, code: 'SHIP_FORBIDDEN', pace: 'slow' };
  if (status === 429) return { ...failure, code: 'SHIP_THROTTLED', pace: 'throttled' };
  if (status === 408 || status === 409 || status === 499 || status >= 500 || failure.odd) {
    return { ...failure, code: 'SHIP_UNAVAILABLE', renew: true };
  }
  // A path or project that does not exist, a redirect, a gateway's own 4xx: the data is kept until
  // someone mends it.
  return { ...failure, code: 'SHIP_MISDIRECTED', pace: 'slow', renew: true };
}

type ApiError = {
  readonly message: string;
  readonly status: string;
  readonly details: readonly unknown[];
};

/**
 * The `error` member of the API's JSON, or undefined when the body is anything else (HTML, empty,
 * cut).
 */
function apiError(text: string): ApiError | undefined {
  if (!text.trimStart().startsWith('{')) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined; // Cut or garbled: no word of the API.
  }
  const error = member(parsed, 'error');
  if (typeof error !== 'object' || error === null) return undefined;
  const message = member(error, 'message');
  const status = member(error, 'status');
  const details = member(error, 'details');
  return {
    message: typeof message === 'string' ? message : 'no message',
    status: typeof status === 'string' ? status : '',
    details: Array.isArray(details) ? details : [],
  };
}

/**
 * The errors per entry. Indexes that are none of this request are left out: nothing may be
 * concluded from them.
 */
function entryErrors(details: readonly unknown[], entryCount: number): Map<number, EntryError> {
  const errors = new Map<number, EntryError>();
  for (const detail of details) {
    const perEntry = member(detail, 'logEntryErrors');
    if (typeof perEntry !== 'object' || perEntry === null) continue;
    for (const [key, status] of Object.entries(perEntry)) {
      const index = /^\d{1,9}$/.test(key) ? Number(key) : Number.NaN;
      if (!(index < entryCount)) continue;
      const code = member(status, 'code');
      const text = member(status, 'message');
      errors.set(index, {
        code: typeof code === 'number' ? code : RpcCode.invalidArgument,
        text: typeof text === 'string' ? text : 'no message',
      });
    }
  }
  return errors;
}

/** RFC 9110 Retry-After, seconds or a date, in milliseconds from `nowMs`; 0 for anything else. */
export function retryAfterMs(value: string | undefined, nowMs: number): number {
  if (value === undefined) return 0;
  if (/^\s*\d{1,9}\s*$/.test(value)) return Number(value) * 1_000;
  const dateMs = Date.parse(value);
  return Number.isNaN(dateMs) ? 0 : Math.max(0, dateMs - nowMs);
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Record<string, unknown>)[key]
    : undefined;
}
