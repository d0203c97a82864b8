// What an answer means, case by case, without a network.

import { expect, test } from 'vitest';
import { judge, retryAfterMs } from '../../src/ship/answer.ts';

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
  const refused = { kind: 'refused', reason: 'refused', code: 3, text: 'm' };
  expect(verdictOn(400, errorText(400, 'INVALID_ARGUMENT'))).toEqual(refused);
  expect(verdictOn(400, '\n {"error":{"message":"m"}}')).toEqual(refused);
  for (const text of ['', '<html>', '{}', '[]', 'null', '{"error":null}', '{"error":"invalid"}']) {
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

test.each([
  ['Request payload size exceeds the limit: 10485760 bytes.', 'too_large'],
  ['Log entry with size 293.1K exceeds maximum size of 256.0K', 'too_large'],
  ['Log name contains illegal character :', 'refused'],
])('%s is %s', (message, reason) => {
  const verdict = verdictOn(400, errorText(400, 'INVALID_ARGUMENT', message));
  expect(verdict).toMatchObject({ kind: 'refused', reason, text: message });
});

test('every 2xx is a success, whatever stands in it', () => {
  for (const status of [200, 202, 204]) {
    expect(verdictOn(status, '<html>')).toEqual({ kind: 'accepted' });
  }
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
