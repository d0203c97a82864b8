// What an answer of entries:write means: a pure function from HTTP to a verdict, by the rows of
// answer-table.ts.
//
// Invariant: only the API's own answer accepts or condemns an entry. After anything else the same
// bytes are sent again.

import type { ErrorCode } from '../errors.ts';
import type { ApiError, EntryError } from './answer-json.ts';
import { isEmptyObject, parseApiError, parseSuccess, RpcCode } from './answer-json.ts';
import type { AnswerEffect, AnswerFacts } from './answer-table.ts';
import { rowOf } from './answer-table.ts';

/** A complete HTTP answer; `text` is empty when its body was not read to the end, or is encoded. */
export type Answer = {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly text: string;
};

export type Failure = {
  readonly kind: 'failed';
  readonly code: ErrorCode;
  /** For people: what happened. */
  readonly text: string;
  /** `slow` has a longer maximum wait (someone must act); `throttled` also lowers the rate. */
  readonly pace: 'normal' | 'slow' | 'throttled';
  /** The least wait that the answer asks for, 0 if none. */
  readonly retryAfterMs: number;
  /** The connection, or what is behind it, is suspect: use a new one. */
  readonly renew: boolean;
  /** A 400 that is not known to be about entries: the cause is a sick proxy or the body. */
  readonly odd: boolean;
  /** A 413 that is not the API's: something on the way has a lower limit. */
  readonly oversized: boolean;
};

/** Nothing was written, and the API says that the body is to blame. */
export type Refusal = {
  readonly kind: 'refused';
  readonly reason: RefusalReason;
  readonly code: number;
  readonly text: string;
  /** The entries that the API blames, by index in this request; empty when it does not say. */
  readonly entries: ReadonlyMap<number, EntryError>;
};

export type Verdict =
  | { readonly kind: 'accepted' }
  /** The named entries (index in this request) were refused, the others written. Never empty. */
  | { readonly kind: 'partial'; readonly errors: ReadonlyMap<number, EntryError> }
  | Refusal
  | Failure;

/** Why an entry was given up; a metric label. */
export type RefusalReason = 'refused' | 'too_large' | 'denied';

/** The google.rpc.Codes of refused entries that may be accepted later as they are. */
export const retryableEntryCodes: ReadonlySet<number> = new Set([
  RpcCode.cancelled,
  RpcCode.unknown,
  RpcCode.deadlineExceeded,
  RpcCode.resourceExhausted,
  RpcCode.aborted,
  RpcCode.internal,
  RpcCode.unavailable,
  RpcCode.unauthenticated,
]);

const accepted = { kind: 'accepted' } as const;
/** Characters of the API's message that are passed on. */
const textMax = 300;

/** Reads the answer to `entryCount` entries. `nowMs` (epoch) is for a Retry-After with a date. */
export function judge(answer: Answer, entryCount: number, nowMs: number): Verdict {
  // Nearly every answer is these two bytes, which need no parser.
  if (answer.status === 200 && answer.text === '{}') return accepted;
  const { facts, error, entries } = factsOf(answer, entryCount);
  const { effect } = rowOf(facts);
  if (effect.fate === 'accepted') return accepted;
  if (effect.fate === 'partial') return { kind: 'partial', errors: entries };
  if (effect.fate !== 'refused') return failureOf(answer, error, { effect, nowMs });
  const text = error?.message ?? '';
  const isSize = /request payload size exceeds|exceeds maximum size/i.test(text);
  return {
    kind: 'refused',
    reason: isSize || answer.status === 413 ? 'too_large' : 'refused',
    code: RpcCode.invalidArgument,
    text,
    entries: error?.misshapen ?? new Map(),
  };
}

type Heard = {
  readonly facts: AnswerFacts;
  readonly error: ApiError | undefined;
  readonly entries: ReadonlyMap<number, EntryError>;
};

function factsOf({ status, text }: Answer, entryCount: number): Heard {
  const plain = { status, rpc: '', blame: undefined, isOfFields: false };
  const none: ReadonlyMap<number, EntryError> = new Map();
  if (isEmptyObject(text)) {
    const body = status < 300 ? 'success' : 'foreign';
    return { facts: { ...plain, body }, error: undefined, entries: none };
  }
  if (status < 300) {
    const entries = parseSuccess(text, entryCount) ?? none;
    const body = entries.size > 0 ? 'entries' : 'foreign';
    return { facts: { ...plain, body }, error: undefined, entries };
  }
  const error = parseApiError(text, entryCount);
  if (error === undefined) {
    return { facts: { ...plain, body: 'foreign' }, error, entries: none };
  }
  // The HTTP status of a partial success is that of one entry, so any status may carry it.
  const body = error.refused.size > 0 ? 'entries' : 'error';
  const { status: rpc, blame, refused } = error;
  const isOfFields = error.misshapen.size > 0;
  return { facts: { status, body, rpc, blame, isOfFields }, error, entries: refused };
}

type Kept = Extract<AnswerEffect, { readonly code: ErrorCode }>;

function failureOf(
  { status, retryAfter, text }: Answer,
  error: ApiError | undefined,
  { effect, nowMs }: { readonly effect: Kept; readonly nowMs: number },
): Failure {
  const reason = error === undefined ? describeForeign(text) : error.message.slice(0, textMax);
  return {
    kind: 'failed',
    code: effect.code,
    text: `entries:write answered ${status}: ${reason}`,
    pace: effect.pace,
    retryAfterMs: retryAfterMs(retryAfter, nowMs),
    renew: effect.renew,
    odd: effect.fate === 'suspected',
    oversized: effect.fate === 'halved',
  };
}

/** The kind of body, without any of its text: it may repeat the request and its token. */
function describeForeign(text: string): string {
  const start = text.slice(0, 256).trimStart();
  if (start === '') return 'no API error in the answer, which is empty or was not read to its end';
  if (/^<(?:!doctype|html|head|body|\?xml)/i.test(start)) {
    return 'no API error in the answer, which is a page of HTML';
  }
  return start.startsWith('{') || start.startsWith('[')
    ? 'no API error in the answer, which is JSON of something else, or cut'
    : 'no API error in the answer, which is no JSON';
}

/** RFC 9110 Retry-After, seconds or a date, in milliseconds from `nowMs`; 0 for anything else. */
export function retryAfterMs(value: string | undefined, nowMs: number): number {
  if (value === undefined) return 0;
  if (/^\s*\d{1,9}\s*$/.test(value)) return Number(value) * 1_000;
  const dateMs = Date.parse(value);
  return Number.isNaN(dateMs) ? 0 : Math.max(0, dateMs - nowMs);
}
