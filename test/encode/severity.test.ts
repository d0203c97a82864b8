import { describe, expect, test } from 'vitest';

import { encode, encodeWith } from './strict-entry.ts';

const severityOf = (severity: unknown) => encodeWith({ severity })['severity'] ?? 'DEFAULT';

describe('severity', () => {
  test.each([
    ['DEFAULT', 'DEFAULT'],
    ['DEBUG', 'DEBUG'],
    ['info', 'INFO'],
    ['Notice', 'NOTICE'],
    [' WARNING\t', 'WARNING'],
    ['WARN', 'WARNING'],
    ['error', 'ERROR'],
    ['ERR', 'ERROR'],
    ['SEVERE', 'ERROR'],
    ['CRITICAL', 'CRITICAL'],
    ['CRIT', 'CRITICAL'],
    ['FATAL', 'CRITICAL'],
    ['ALERT', 'ALERT'],
    ['EMERGENCY', 'EMERGENCY'],
    ['EMERG', 'EMERGENCY'],
    ['INFORMATION', 'INFO'],
    ['TRACE', 'DEBUG'],
    ['TRACE_INT', 'DEBUG'],
    ['FINE', 'DEBUG'],
    ['FINER', 'DEBUG'],
    ['FINEST', 'DEBUG'],
    ['CONFIG', 'DEBUG'],
    ...Object.entries({ D: 'DEBUG', I: 'INFO', N: 'NOTICE', W: 'WARNING', E: 'ERROR' }),
    ...Object.entries({ C: 'CRITICAL', A: 'ALERT', F: 'CRITICAL', w: 'WARNING' }),
    ['100', 'DEBUG'],
    ['105', 'DEBUG'],
    ['99', 'DEFAULT'],
    ['0', 'DEFAULT'],
    [' 400 ', 'WARNING'],
    ['00400', 'WARNING'],
    ['899', 'EMERGENCY'],
    ['900', 'EMERGENCY'],
    ['99999999999999999999999999', 'EMERGENCY'],
    [0, 'DEFAULT'],
    [755, 'ALERT'],
    [1e21, 'DEFAULT'],
    [12345, 'EMERGENCY'],
    [100.5, 'DEFAULT'],
    [-100, 'DEFAULT'],
    ['-100', 'DEFAULT'],
    ['100.5', 'DEFAULT'],
    ['300 300', 'DEFAULT'],
    ['WAR NING', 'DEFAULT'],
    ['LOUD', 'DEFAULT'],
    ['error!', 'DEFAULT'],
    ['warnings', 'DEFAULT'],
    ['ınfo', 'DEFAULT'],
    ['constructor', 'DEFAULT'],
    ['', 'DEFAULT'],
    [' ', 'DEFAULT'],
    [null, 'DEFAULT'],
    [true, 'DEFAULT'],
    [['INFO'], 'DEFAULT'],
    [{ INFO: 1 }, 'DEFAULT'],
    ['x'.repeat(10_000), 'DEFAULT'],
  ])('%j means %s', (severity, name) => {
    expect(severityOf(severity)).toBe(name);
  });

  test('the key goes whatever it held, and no other spelling of it', () => {
    expect(encodeWith({ severity: [1] })['jsonPayload']).toEqual({ message: 'm', k: 1 });
    const payload = { Severity: 'ERROR', SEVERITY: 'ERROR', message: 'm', k: 1 };
    expect(encodeWith(payload)).toMatchObject({ jsonPayload: payload, severity: 'INFO' });
    expect(encode('{"sever\\u0069ty":"ALERT","message":"m"}')).toMatchObject({
      textPayload: 'm',
      severity: 'ALERT',
    });
  });

  test('without it the stream decides', () => {
    expect(encodeWith({})['severity']).toBe('INFO');
    expect(encodeWith({}, { stream: 'stderr' })['severity']).toBe('ERROR');
    expect(encode('ERROR: disk', {})['severity']).toBe('INFO');
    expect(encode('fine', { stream: 'stderr' })['severity']).toBe('ERROR');
  });
});

describe('level', () => {
  test.each([
    ['warn', 'WARNING'],
    ['ERROR', 'ERROR'],
    ['trace', 'DEBUG'],
    ['400', 'WARNING'],
    ['default', 'DEFAULT'],
    ['loud', 'INFO'],
    ['', 'INFO'],
    ['30', 'INFO'],
    [30, 'INFO'],
    [50, 'INFO'],
    [null, 'INFO'],
    [{}, 'INFO'],
  ])('%j on stdout means %s, and it stays', (level, name) => {
    const entry = encodeWith({ level });
    expect(entry['severity'] ?? 'DEFAULT').toBe(name);
    expect(entry['jsonPayload']).toEqual({ level, message: 'm', k: 1 });
  });

  test('counts only where severity is absent', () => {
    expect(encodeWith({ level: 'warn', severity: 'DEBUG' })['severity']).toBe('DEBUG');
    expect(encodeWith({ level: 'warn', severity: null })['severity']).toBeUndefined();
    expect(encodeWith({ level: 'info' }, { stream: 'stderr' })['severity']).toBe('INFO');
  });
});
