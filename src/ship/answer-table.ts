// What each answer of entries:write leads to: the one table of (HTTP status, google.rpc status,
// reason). docs/errors.md prints it; a test has an example for each row.
//
// Invariant: rows are tried from the top, the first that matches decides, and the last matches
// everything. Only two rows let an entry go (`accepted`, `partial`), and one condemns entries
// (`refused`); every other row keeps them. Facts: google/rpc/code.proto, Google's documentation of
// entries:write, fluent-plugin-google-cloud for the errors of single entries.

import type { ErrorCode } from '../errors.ts';
import type { Blame } from './answer-json.ts';

/** The parts of an answer that the table looks at. */
export type AnswerFacts = {
  readonly status: number;
  /**
   * `success`: an empty JSON object. `entries`: the API names refused entries and has written the
   * others. `error`: the API's JSON error. `foreign`: anything else, or a body over its limits.
   */
  readonly body: 'success' | 'entries' | 'error' | 'foreign';
  /** The error says which fields of which entries are to blame. */
  readonly isOfFields: boolean;
  /** Name of a google.rpc.Code; empty when the answer has none. */
  readonly rpc: string;
  readonly blame: Blame;
};

/** What the delivery does. */
export type AnswerEffect =
  | { readonly fate: 'accepted' }
  | { readonly fate: 'partial' }
  /** Halved until the API refuses an entry alone, which is then dead-lettered. */
  | { readonly fate: 'refused' }
  | {
      /**
       * `kept`: the same bytes are sent again. `halved`: they are sent again in two requests, a
       * single entry as it is. `suspected`: kept at first, halved when the answer repeats itself.
       */
      readonly fate: 'kept' | 'halved' | 'suspected';
      readonly code: ErrorCode;
      readonly pace: 'normal' | 'slow' | 'throttled';
      /** The next request uses a new connection and looks the name up again. */
      readonly renew: boolean;
    };

export type AnswerRow = {
  readonly name: string;
  /** For the documentation: which answers match. */
  readonly answer: string;
  readonly matches: (facts: AnswerFacts) => boolean;
  readonly effect: AnswerEffect;
};

/** By RFC 9110 these have no complete body of their own. */
const bodiless: ReadonlySet<number> = new Set([204, 205, 206]);
const transientStatus: ReadonlySet<number> = new Set([408, 409, 425, 499]);
const transientRpc: ReadonlySet<string> = new Set([
  'CANCELLED',
  'UNKNOWN',
  'DEADLINE_EXCEEDED',
  'ABORTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
]);
/** Statuses that may be about the content of a request. Older answers have none. */
const contentRpc: ReadonlySet<string> = new Set(['INVALID_ARGUMENT', 'OUT_OF_RANGE', '']);
const intermediaryStatus: ReadonlySet<number> = new Set([407, 511]);

const slow = { fate: 'kept', pace: 'slow', renew: false } as const;
const foreign = { fate: 'kept', code: 'SHIP_FOREIGN_ANSWER', pace: 'normal', renew: true } as const;
const transient = { fate: 'kept', code: 'SHIP_UNAVAILABLE', pace: 'normal', renew: true } as const;

export const answerTable: readonly AnswerRow[] = [
  {
    name: 'written',
    answer: '2xx but 204, 205, 206, with the body `{}` and no `grpc-status` but 0',
    matches: ({ status, body }) =>
      status >= 200 && status < 300 && !bodiless.has(status) && body === 'success',
    effect: { fate: 'accepted' },
  },
  {
    name: 'entries named',
    answer: 'any, with `WriteLogEntriesPartialErrors` that name entries of the request',
    matches: ({ status, body }) => body === 'entries' && !bodiless.has(status),
    effect: { fate: 'partial' },
  },
  {
    name: 'foreign success',
    answer: '2xx with anything else: HTML, nothing, JSON of another service, cut, compressed',
    matches: ({ status }) => status < 300,
    effect: foreign,
  },
  {
    name: 'intermediary',
    answer: '407, 511',
    matches: ({ status }) => intermediaryStatus.has(status),
    effect: { ...foreign, pace: 'slow' },
  },
  {
    name: 'unauthenticated',
    answer: '401, or 4xx with `UNAUTHENTICATED`',
    matches: ({ status, rpc }) =>
      status === 401 || (isClientError(status) && rpc === 'UNAUTHENTICATED'),
    effect: { ...slow, code: 'SHIP_UNAUTHENTICATED' },
  },
  {
    name: 'quota',
    answer: '429, or 4xx with `RESOURCE_EXHAUSTED`, a `QuotaFailure` or a reason about a quota',
    matches: ({ status, rpc, blame }) =>
      status === 429 ||
      (isClientError(status) && (rpc === 'RESOURCE_EXHAUSTED' || blame === 'quota')),
    effect: { fate: 'kept', code: 'SHIP_THROTTLED', pace: 'throttled', renew: false },
  },
  {
    name: 'caller',
    answer:
      '403, or 4xx with `PERMISSION_DENIED`, a `PreconditionFailure`, an `ErrorInfo` of a domain of Google other than `logging.googleapis.com`, or a reason about the caller, its key, project, billing or the service',
    matches: ({ status, rpc, blame }) =>
      status === 403 ||
      (isClientError(status) && (rpc === 'PERMISSION_DENIED' || blame === 'caller')),
    effect: { ...slow, code: 'SHIP_FORBIDDEN' },
  },
  {
    name: 'too large',
    answer: "413 with the API's JSON error",
    matches: ({ status, body }) => status === 413 && body === 'error',
    effect: { fate: 'refused' },
  },
  {
    name: 'too large for a proxy',
    answer: '413 with anything else',
    matches: ({ status }) => status === 413,
    effect: { ...foreign, fate: 'halved', pace: 'slow' },
  },
  {
    name: 'unknown reason',
    answer:
      '400 with a reason that is not known to be about entries, and no `fieldViolations` of entries',
    matches: ({ status, rpc, blame, isOfFields }) =>
      status === 400 && contentRpc.has(rpc) && blame === 'unknown' && !isOfFields,
    effect: { ...slow, fate: 'suspected', code: 'SHIP_UNKNOWN_REASON' },
  },
  {
    name: 'content refused',
    answer:
      "400 with the API's JSON error and `INVALID_ARGUMENT`, `OUT_OF_RANGE` or no status, and no reason but of the content",
    matches: ({ status, body, rpc }) => status === 400 && body === 'error' && contentRpc.has(rpc),
    effect: { fate: 'refused' },
  },
  {
    name: 'foreign 400',
    answer: '400 with anything else than JSON of the API about entries of the request',
    matches: ({ status, body }) => status === 400 && body === 'foreign',
    effect: { ...foreign, fate: 'suspected' },
  },
  {
    name: 'transient',
    answer:
      '408, 409, 425, 499, any 5xx but 511; 4xx with `CANCELLED`, `UNKNOWN`, `DEADLINE_EXCEEDED`, `ABORTED`, `INTERNAL`, `UNAVAILABLE` or `DATA_LOSS`',
    matches: ({ status, rpc }) =>
      status >= 500 ||
      transientStatus.has(status) ||
      (isClientError(status) && transientRpc.has(rpc)),
    effect: transient,
  },
  {
    name: 'misdirected',
    answer: 'any other: 3xx, 404, 405, 410, 400 with `FAILED_PRECONDITION` or `NOT_FOUND`',
    matches: () => true,
    effect: { ...slow, code: 'SHIP_MISDIRECTED', renew: true },
  },
];

/** The row that decides. */
export function rowOf(facts: AnswerFacts): AnswerRow {
  const row = answerTable.find(({ matches }) => matches(facts));
  if (row === undefined) throw new Error('the last row matches everything');
  return row;
}

function isClientError(status: number): boolean {
  return status >= 400 && status < 500;
}
