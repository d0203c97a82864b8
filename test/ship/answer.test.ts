// What an answer means, case by case, without a network.

import { expect, test } from 'vitest';
import { answerTable } from '../../src/ship/answer-table.ts';
import { judge, retryAfterMs } from '../../src/ship/answer.ts';
import type { Verdict } from '../../src/ship/answer.ts';

const nowMs = Date.UTC(2025, 0, 1);

function verdictOn(status: number, text = ''): ReturnType<typeof judge> {
  return judge({ status, retryAfter: undefined, text }, 4, nowMs);
}

const errorText = (code: number, status: string, message = 'm', details: unknown = []): string =>
  JSON.stringify({ error: { code, status, message, details } });

test.each([
  [401, 'SHIP_UNAUTHENTICATED', 'slow', false],
  [403, 'SHIP_FORBIDDEN', 'slow', false],
  [404, 'SHIP_MISDIRECTED', 'slow', true],
  [301, 'SHIP_MISDIRECTED', 'slow', true],
  [408, 'SHIP_UNAVAILABLE', 'normal', true],
  [409, 'SHIP_UNAVAILABLE', 'normal', true],
  [429, 'SHIP_THROTTLED', 'throttled', false],
  [499, 'SHIP_UNAVAILABLE', 'normal', true],
  [500, 'SHIP_UNAVAILABLE', 'normal', true],
  [503, 'SHIP_UNAVAILABLE', 'normal', true],
  [504, 'SHIP_UNAVAILABLE', 'normal', true],
])('%i is the failure %s, %s', (status, code, pace, renew) => {
  const failure = { kind: 'failed', code, pace, renew, odd: false };
  expect(verdictOn(status)).toMatchObject(failure);
  expect(verdictOn(status, errorText(status, 'X'))).toMatchObject(failure);
});

test('a 400 condemns the body only when the API says so', () => {
  const refused = {
    kind: 'refused',
    reason: 'refused',
    code: 3,
    text: 'm',
    entries: new Map(),
  };
  expect(verdictOn(400, errorText(400, 'INVALID_ARGUMENT'))).toEqual(refused);
  expect(verdictOn(400, '\n {"error":{"code":400,"message":"m"}}')).toEqual(refused);
  const foreign = ['', '<html>', '{}', '[]', 'null', '{"error":null}', '{"error":"invalid"}'];
  for (const text of [...foreign, '{"error":{"message":"of a gateway"}}']) {
    expect(verdictOn(400, text)).toMatchObject({ kind: 'failed', odd: true });
  }
});

test('FAILED_PRECONDITION is about the project, not about the entries', () => {
  const verdict = verdictOn(400, errorText(400, 'FAILED_PRECONDITION'));
  expect(verdict).toMatchObject({ kind: 'failed', pace: 'slow', odd: false });
});

test('any status may carry the errors of a partial success', () => {
  const detail = { logEntryErrors: { 1: { code: 14, message: 'later' }, 3: {} } };
  for (const status of [400, 403, 429, 500, 503]) {
    const verdict = verdictOn(status, errorText(status, 'X', 'm', [{}, null, detail]));
    expect(verdict).toEqual({
      kind: 'partial',
      errors: new Map([
        [1, { code: 14, text: 'later' }],
        [3, { code: 3, text: 'no message' }],
      ]),
    });
  }
});

test('an entry is condemned only by a code of an error that says so', () => {
  const codes = { 0: 'UNAVAILABLE', 1: '14', 2: 503, 3: 'INVALID_ARGUMENT' };
  const logEntryErrors = Object.fromEntries(
    Object.entries(codes).map(([index, code]) => [index, { code, message: 'm' }]),
  );
  const verdict = verdictOn(200, JSON.stringify({ logEntryErrors }));
  const found = (code: number) => ({ code, text: 'm' });
  const errors = [found(14), found(14), found(2), found(3)];
  expect(verdict).toEqual({ kind: 'partial', errors: new Map(errors.entries()) });
});

test.each([
  { 4: { code: 3 } },
  { '-1': { code: 3 }, '01': { code: 3 }, ' 1': { code: 3 }, '1e0': { code: 3 }, first: {} },
])('what names only entries of another request condemns none: %j', (logEntryErrors) => {
  const text = errorText(400, 'INVALID_ARGUMENT', 'm', [{ logEntryErrors }]);
  expect(verdictOn(400, text)).toMatchObject({ kind: 'failed', odd: true });
  expect(verdictOn(200, text)).toMatchObject({ kind: 'failed', code: 'SHIP_FOREIGN_ANSWER' });
});

test.each([
  ['Request payload size exceeds the limit: 10485760 bytes.', 'too_large'],
  ['Log entry with size 293.1K exceeds maximum size of 256.0K', 'too_large'],
  ['Log name contains illegal character :', 'refused'],
])('%s is %s', (message, reason) => {
  const verdict = verdictOn(400, errorText(400, 'INVALID_ARGUMENT', message));
  expect(verdict).toMatchObject({ kind: 'refused', reason, text: message });
});

test.each([
  [undefined, 0],
  ['0', 0],
  [' 12 ', 12_000],
  ['-5', 0],
  ['soon', 0],
  [new Date(nowMs + 5_000).toUTCString(), 5_000],
  [new Date(nowMs - 5_000).toUTCString(), 0],
])('Retry-After %s is %i ms', (value, waitMs) => {
  expect(retryAfterMs(value, nowMs)).toBe(waitMs);
});

/** An error with one ErrorInfo. */
const blaming = (reason: string, domain = 'googleapis.com', status = 'INVALID_ARGUMENT'): string =>
  errorText(400, status, 'm', [
    { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason, domain },
  ]);
const named = { logEntryErrors: { 2: { code: 3, message: 'bad' } } };
const detail = (type: string): unknown[] => [{ '@type': `type.googleapis.com/google.rpc.${type}` }];
const older = (reason: string, domain = 'global'): string =>
  JSON.stringify({
    error: { code: 400, message: 'm', status: 'INVALID_ARGUMENT', errors: [{ reason, domain }] },
  });

const kept = (code: string, pace: string): Partial<Verdict> =>
  ({ kind: 'failed', code, pace, odd: false, oversized: false }) as Partial<Verdict>;
const foreign = kept('SHIP_FOREIGN_ANSWER', 'normal');
const forbidden = kept('SHIP_FORBIDDEN', 'slow');
const throttled = kept('SHIP_THROTTLED', 'throttled');
const unavailable = kept('SHIP_UNAVAILABLE', 'normal');
const misdirected = kept('SHIP_MISDIRECTED', 'slow');

/** For each row of the table, answers that it decides. */
const examples: Readonly<
  Record<string, { verdict: Partial<Verdict>; answers: readonly (readonly [number, string])[] }>
> = {
  written: {
    verdict: { kind: 'accepted' },
    answers: [
      [200, '{}'],
      [200, '{}\n'],
      [200, ' {\n}\n'],
      [201, '{}'],
      [202, '{}'],
    ],
  },
  'entries named': {
    verdict: { kind: 'partial', errors: new Map([[2, { code: 3, text: 'bad' }]]) },
    answers: [
      [400, errorText(400, 'INVALID_ARGUMENT', 'm', [named])],
      [403, errorText(403, 'PERMISSION_DENIED', 'm', [named])],
      [503, errorText(503, 'UNAVAILABLE', 'm', [named])],
      [200, errorText(400, 'INVALID_ARGUMENT', 'm', [named])],
      [200, JSON.stringify({ partialFailure: { code: 3, message: 'm', details: [named] } })],
      [200, JSON.stringify({ details: [named] })],
      [200, JSON.stringify(named)],
    ],
  },
  'foreign success': {
    verdict: foreign,
    answers: [
      [200, ''],
      [200, '<!DOCTYPE html><title>Log in</title>'],
      [200, '{"status":"ok"}'],
      [200, '{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}'],
      [200, '{'],
      [200, '[]'],
      [200, 'null'],
      [200, '{}{}'],
      [200, '\ufeff{}'],
      [200, '{"error":{"details":[{"logEntryErrors":[{"code":3}]}]}}'],
      [200, '\u001f\ufffd\b'],
      [204, ''],
      [204, '{}'],
      [205, '{}'],
      [206, '{}'],
      [206, JSON.stringify(named)],
    ],
  },
  intermediary: {
    verdict: kept('SHIP_FOREIGN_ANSWER', 'slow'),
    answers: [
      [407, '<html>'],
      [511, '<html>'],
    ],
  },
  unauthenticated: {
    verdict: kept('SHIP_UNAUTHENTICATED', 'slow'),
    answers: [
      [401, ''],
      [401, errorText(401, 'UNAUTHENTICATED')],
      [400, errorText(400, 'UNAUTHENTICATED')],
    ],
  },
  quota: {
    verdict: throttled,
    answers: [
      [429, '<html>'],
      [429, errorText(429, 'RESOURCE_EXHAUSTED')],
      [400, errorText(400, 'RESOURCE_EXHAUSTED')],
      [403, blaming('RATE_LIMIT_EXCEEDED', 'googleapis.com', 'PERMISSION_DENIED')],
      [400, errorText(400, 'FAILED_PRECONDITION', 'm', detail('QuotaFailure'))],
      [403, older('rateLimitExceeded', 'usageLimits')],
    ],
  },
  caller: {
    verdict: forbidden,
    answers: [
      [403, ''],
      [403, errorText(403, 'PERMISSION_DENIED')],
      [400, errorText(400, 'PERMISSION_DENIED')],
      ...[
        'API_KEY_INVALID',
        'API_KEY_SERVICE_BLOCKED',
        'CONSUMER_INVALID',
        'CONSUMER_SUSPENDED',
        'SERVICE_DISABLED',
        'BILLING_DISABLED',
        'USER_PROJECT_DENIED',
        'RESOURCE_PROJECT_INVALID',
        'ACCESS_TOKEN_SCOPE_INSUFFICIENT',
        'LOCATION_POLICY_VIOLATED',
        'SYSTEM_PARAMETER_UNSUPPORTED',
        'WHAT_COMES_NEXT',
      ].map((reason) => [400, blaming(reason)] as const),
      [400, blaming('API_KEY_INVALID', '')],
      ...[
        'RESOURCE_USAGE_RESTRICTION_VIOLATED',
        'SYSTEM_PARAMETER_UNSUPPORTED',
        'TLS_CIPHER_RESTRICTION_VIOLATED',
        'MISSING_ORIGIN',
        'CLIENT_CERTIFICATE_REVOKED',
        'ACCESS_DENIED',
        'REQUEST_UNAUTHORIZED',
      ].flatMap((reason) =>
        ['', 'logging.googleapis.com'].map((domain) => [400, blaming(reason, domain)] as const),
      ),
      [400, blaming('CONSUMER_INVALID', 'logging.googleapis.com')],
      [400, blaming('IAM_PERMISSION_DENIED', 'iam.googleapis.com')],
      [404, blaming('SERVICE_DISABLED', 'googleapis.com', 'NOT_FOUND')],
      [413, blaming('API_KEY_INVALID')],
      [400, errorText(400, 'FAILED_PRECONDITION', 'm', detail('PreconditionFailure'))],
      [400, older('keyInvalid')],
      [400, older('accessNotConfigured', 'usageLimits')],
    ],
  },
  'too large': {
    verdict: { kind: 'refused', reason: 'too_large' },
    answers: [[413, errorText(413, 'INVALID_ARGUMENT')]],
  },
  'too large for a proxy': {
    verdict: { kind: 'failed', code: 'SHIP_FOREIGN_ANSWER', pace: 'slow', oversized: true },
    answers: [
      [413, '<html>413 Request Entity Too Large'],
      [413, ''],
      [413, '{}'],
      [413, '{"message":"no"}'],
    ],
  },
  'unknown reason': {
    verdict: { kind: 'failed', code: 'SHIP_UNKNOWN_REASON', pace: 'slow', odd: true },
    answers: [
      [400, blaming('NOBODY_KNOWS_IT', 'logging.googleapis.com')],
      [400, blaming('NOBODY_KNOWS_IT', '')],
      [400, blaming('INVALID_BUCKET', 'logging.googleapis.com', 'OUT_OF_RANGE')],
      [400, blaming('', 'logging.googleapis.com')],
      [400, older('nobodyKnowsIt')],
    ],
  },
  'content refused': {
    verdict: { kind: 'refused', code: 3 },
    answers: [
      [400, errorText(400, 'INVALID_ARGUMENT')],
      [400, errorText(400, 'OUT_OF_RANGE')],
      [400, errorText(400, '')],
      [400, blaming('INVALID_LOG_NAME', 'logging.googleapis.com')],
      [400, blaming('LOG_ENTRY_TOO_LARGE', 'logging.googleapis.com')],
      [400, older('badRequest')],
      [400, older('invalid')],
      [400, errorText(400, 'INVALID_ARGUMENT', 'm', detail('BadRequest'))],
    ],
  },
  'foreign 400': {
    verdict: { kind: 'failed', code: 'SHIP_FOREIGN_ANSWER', odd: true },
    answers: [
      [400, ''],
      [400, '<html>'],
      [400, '{}'],
      [400, '{"fault":"no"}'],
      [400, '{"error":"invalid_grant"}'],
      [400, '{"error":["m"]}'],
    ],
  },
  transient: {
    verdict: unavailable,
    answers: [
      [408, ''],
      [409, ''],
      [425, ''],
      [499, ''],
      [500, ''],
      [501, errorText(501, 'UNIMPLEMENTED')],
      [502, '<html>'],
      [503, errorText(503, 'UNAVAILABLE')],
      [504, ''],
      [599, ''],
      [400, errorText(400, 'UNAVAILABLE')],
      [400, errorText(400, 'ABORTED')],
    ],
  },
  misdirected: {
    verdict: misdirected,
    answers: [
      [301, ''],
      [302, '<html>'],
      [307, ''],
      [404, '<html>'],
      [404, errorText(404, 'NOT_FOUND')],
      [405, ''],
      [410, ''],
      [451, ''],
      [400, errorText(400, 'FAILED_PRECONDITION')],
      [400, errorText(400, 'NOT_FOUND')],
    ],
  },
};

test('every row of the table has its examples', () => {
  expect(answerTable.map(({ name }) => name)).toEqual(Object.keys(examples));
});

const rows = Object.entries(examples).flatMap(([name, { verdict, answers }]) =>
  answers.map(([status, text]) => ({ name, status, text, verdict })),
);

test.each(rows)('$name: $status $text', ({ status, text, verdict }) => {
  expect(verdictOn(status, text)).toMatchObject(verdict);
});

test('entries are blamed by the path of a violation, never by words that a tenant could write', () => {
  const violation = (field: string): unknown => ({ field, description: "at 'entries[1].x'" });
  const fields = ['entries[2].severity', 'entries[9]', 'x.entries[3]', 'entries[0]'];
  const details = [{ fieldViolations: fields.map(violation) }];
  const message = "Invalid value at 'entries[3].text_payload'";
  const verdict = verdictOn(400, errorText(400, 'INVALID_ARGUMENT', message, details));
  expect(verdict).toMatchObject({ kind: 'refused' });
  expect(verdict.kind === 'refused' && [...verdict.entries.keys()]).toEqual([2, 0]);
});

test('nothing of a foreign answer is told, not even its beginning', () => {
  for (const status of [200, 400, 403, 404, 502]) {
    for (const text of ['secret', '<html>secret', '{"token":"secret"}']) {
      const verdict = verdictOn(status, text);
      expect(verdict.kind === 'failed' && verdict.text).toMatch(
        /^entries:write answered \d+: no API/,
      );
      expect(JSON.stringify(verdict)).not.toContain('secret');
    }
  }
});
