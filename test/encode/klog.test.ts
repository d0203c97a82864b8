import { describe, expect, test } from 'vitest';

import { encode } from './strict-entry.ts';
import { cpuMsOf } from '../support/own-time.ts';

describe('klog', () => {
  test.each([
    ['I', 'INFO'],
    ['W', 'WARNING'],
    ['E', 'ERROR'],
    ['F', 'CRITICAL'],
    ['D', 'DEBUG'],
    ['N', 'NOTICE'],
    ['C', 'CRITICAL'],
    ['A', 'ALERT'],
  ])('%s on either stream is %s', (letter, severity) => {
    for (const [stream, date] of [
      ['stdout', '0305'],
      ['stderr', '0305'],
      ['stderr', '20240305'],
    ] as const) {
      const line = `${letter}${date} 14:07:21.103990       1 server.go:412] Serving on [::]:8443`;
      expect(encode(line, { stream })).toMatchObject({
        logName: `projects/p/logs/${stream}`,
        severity,
        timestamp: '2024-03-05T14:07:21.104582937Z',
        jsonPayload: { pid: '1', message: 'Serving on [::]:8443' },
        sourceLocation: { file: 'server.go', line: '412' },
      });
    }
  });

  test.each([
    ['I0305 14:07:21.1 007 a/b.go:012] m', { pid: '007', message: 'm' }, 'a/b.go', '12'],
    ['I0305 x 1 a.go:0]  two spaces ', { pid: '1', message: ' two spaces ' }, 'a.go', '0'],
    ['I0305  1 a.go:1] no clock', { pid: '1', message: 'no clock' }, 'a.go', '1'],
    ['I0305 t\t1\t\ta:b:2]\tm', { pid: '1', message: 'm' }, 'a:b', '2'],
    ['I0305 t 1 x.go:1] ', { pid: '1', message: '' }, 'x.go', '1'],
    [
      'I0305 t 1 x.go:9223372036854775807] m',
      { pid: '1', message: 'm' },
      'x.go',
      String(2n ** 63n - 1n),
    ],
    ['I0305 t 1 "é.go:1] q"\u0001', { pid: '1', message: 'q"\u0001' }, '"é.go', '1'],
  ])('reads %j', (line, jsonPayload, file, number) => {
    const entry = encode(line);
    expect(entry['jsonPayload']).toEqual(jsonPayload);
    expect(entry['sourceLocation']).toEqual({ file, line: number });
  });

  test.each([
    'I0305 14:07:21.103990       1 something happened',
    'I0305 14:07:21.103990 1 a.go] m',
    'I0305 14:07:21.103990 1 a.go:] m',
    'I0305 14:07:21.103990 1 :5] m',
    'I0305 14:07:21.103990 1 a.go:5]m',
    'I0305 14:07:21.103990 1 a.go:5]',
    'I0305 14:07:21.103990 1 a.go:x5] m',
    'I0305 14:07:21.103990 x a.go:5] m',
    'I0305 14:07:21.103990 1 a b.go:5] m',
    'I030 14:07:21.103990 1 a.go:5] m',
    'I0305\t14:07:21.103990 1 a.go:5] m',
    'G0305 14:07:21.103990 1 a.go:5] m',
    'I02405 14:07:21.103990 1 a.go:5] m',
    'I2024030 14:07:21.103990 1 a.go:5] m',
    'I2024030x 14:07:21.103990 1 a.go:5] m',
    'I202403051 14:07:21.103990 1 a.go:5] m',
    'i0305 14:07:21.103990 1 a.go:5] m',
    ' I0305 14:07:21.103990 1 a.go:5] m',
    'I0305 14:07:21.103990 1 a.go:9223372036854775808] m',
    'I0305',
    'I',
  ])('leaves %j text', (line) => {
    const entry = encode(line, { stream: 'stderr' });
    expect(entry).toMatchObject({ textPayload: line, severity: 'ERROR' });
    expect(entry['jsonPayload']).toBeUndefined();
    expect(entry['sourceLocation']).toBeUndefined();
  });

  test('takes linear time on what only looks like a header', () => {
    for (const piece of [' ', '1', 'a', ':', ':1', 'x.go:1', '\t1 ']) {
      const text = `I0305 t 1 ${piece.repeat(200_000)}`;
      expect(cpuMsOf(() => encode(text.slice(0, 250_000)))).toBeLessThan(1_000);
    }
  });
});
