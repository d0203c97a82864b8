// A log of the agent's own for tests that look at what a stage says.

import type { ErrorCode } from '../../src/errors.ts';
import type { Log, LogLevel } from '../../src/log.ts';

type Call = (level: LogLevel, code: ErrorCode | undefined, text: string) => void;

/** A log that gives each line, none held back, to `call`. */
export function callbackLog(call: Call = () => undefined): Log {
  const at = (level: LogLevel) => (code: ErrorCode | undefined, text: string) =>
    call(level, code, text);
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    flush: () => undefined,
  };
}
