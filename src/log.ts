// The agent's own log: JSON lines in Cloud Logging's structured format on stderr, readable lines
// when stderr is a terminal. Every stage logs through it. Its invariant: a fault that repeats for
// hours costs a few lines a minute, because the agent's own log is one of the files that it ships,
// and an agent that logs about its own log would feed itself.

import { limits } from './config.ts';
import type { ErrorCode } from './errors.ts';
import { printable, styled } from './printable.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

type LogCall = (code: ErrorCode | undefined, message: string, fields?: LogFields) => void;

export type Log = {
  readonly debug: LogCall;
  readonly info: LogCall;
  /** The same code and message is printed once per `logWindowMs`, later with a count. */
  readonly warn: LogCall;
  readonly error: LogCall;
  /** Prints the remaining counts; called once at the end. */
  readonly flush: () => void;
};

type LogSink = {
  /** Read for each line: it may change. */
  readonly level: LogLevel;
  /** Writes one line, without its end. */
  readonly write: (line: string) => void;
  /** Wall clock, milliseconds since 1970; `Date.now` unless a test sets it. */
  readonly nowMs?: () => number;
  /** Readable lines instead of JSON. */
  readonly readable?: boolean;
  /** Colours the severity of warnings and errors. */
  readonly coloured?: boolean;
};

const severities = { debug: 'DEBUG', info: 'INFO', warn: 'WARNING', error: 'ERROR' } as const;
const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

type Line = {
  readonly level: LogLevel;
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly fields: LogFields | undefined;
};

/** A log that writes lines of at least `level` to `write`. */
export function createLog(sink: LogSink): Log {
  const { write, nowMs = Date.now, readable = false, coloured = false } = sink;
  const format = !readable ? formatJson : coloured ? formatColoured : formatReadable;
  const print = (line: Line, repeats: number): void => {
    write(format(line, { nowMs: nowMs(), repeats }));
  };
  const limiter = createLimiter(print, nowMs);
  const call = (of: LogLevel): LogCall => {
    return (code, message, fields) => {
      if (levels.indexOf(of) < levels.indexOf(sink.level)) return;
      const line: Line = { level: of, code, message, fields };
      if (of === 'warn' || of === 'error') limiter.admit(line);
      else print(line, 0);
    };
  };
  return {
    debug: call('debug'),
    info: call('info'),
    warn: call('warn'),
    error: call('error'),
    flush: limiter.flush,
  };
}

/** A text in the current window, and how often it was not printed. */
type Repeat = { readonly line: Line; heldBack: number };

/**
 * Prints a line or counts it. The next line of the same text has the count, or one line has all
 * counts.
 */
function createLimiter(print: (line: Line, repeats: number) => void, nowMs: () => number) {
  const codesSeen = new Set<ErrorCode | undefined>();
  let before = new Map<string, Repeat>();
  let present = new Map<string, Repeat>();
  let presentSinceMs = Number.NEGATIVE_INFINITY;
  let printed: (ErrorCode | undefined)[] = [];

  const hasRoom = (code: ErrorCode | undefined): boolean => {
    const ofCode = printed.filter((other) => other === code).length;
    const isFull =
      printed.length >= limits.logLinesPerWindowMax || ofCode >= limits.logLinesPerCodeMax;
    // The first line of each code is always printed: there are few codes.
    if (isFull && codesSeen.has(code)) return false;
    codesSeen.add(code);
    printed.push(code);
    return true;
  };

  const rollWindow = (): void => {
    const ageMs = nowMs() - presentSinceMs;
    // A clock that is set back (age below 0) must not silence the log.
    if (ageMs >= 0 && ageMs < limits.logWindowMs) return;
    printHeldBack(before, print);
    before = present;
    present = new Map();
    presentSinceMs = nowMs();
    printed = [];
  };

  const admit = (line: Line): void => {
    rollWindow();
    const key = `${line.code ?? ''} ${line.message}`;
    const known = present.get(key);
    if (known !== undefined) {
      known.heldBack += 1;
      return;
    }
    const heldBack = before.get(key)?.heldBack ?? 0;
    before.delete(key);
    const isPrinted = hasRoom(line.code);
    // Beyond the limit, distinct texts are counted by code.
    const countedAs = present.size < limits.logKeysMax ? key : (line.code ?? '');
    const shared = present.get(countedAs)?.heldBack ?? 0;
    present.set(countedAs, { line, heldBack: isPrinted ? shared : shared + heldBack + 1 });
    if (isPrinted) print(line, heldBack);
  };

  const flush = (): void => {
    printHeldBack(new Map([...before, ...present]), print);
    before = new Map();
    present = new Map();
  };

  return { admit, flush };
}

function printHeldBack(
  repeats: ReadonlyMap<string, Repeat>,
  print: (line: Line, repeats: number) => void,
): void {
  const countByCode: Record<string, number> = {};
  for (const { line, heldBack } of repeats.values()) {
    if (heldBack === 0) continue;
    const name = line.code ?? 'OTHER';
    countByCode[name] = (countByCode[name] ?? 0) + heldBack;
  }
  if (Object.keys(countByCode).length === 0) return;
  const message = 'warnings and errors were held back; their counts by code';
  print({ level: 'warn', code: undefined, message, fields: countByCode }, 0);
}

type Stamp = { readonly nowMs: number; readonly repeats: number };

/** Cloud Logging lifts `severity`, `time` and `message` out of a JSON line. */
function formatJson({ level, code, message, fields }: Line, { nowMs, repeats }: Stamp): string {
  const own = {
    severity: severities[level],
    time: new Date(nowMs).toISOString(),
    message,
    code,
    repeats: repeats === 0 ? undefined : repeats,
  };
  // The first `own` gives the order, the second wins over fields of the same name.
  return JSON.stringify({ ...own, ...fields, ...own });
}

function formatReadable({ level, code, message, fields }: Line, { nowMs, repeats }: Stamp): string {
  const parts = [new Date(nowMs).toISOString().slice(11, 23), level.toUpperCase().padEnd(5)];
  if (code !== undefined) parts.push(`${code}:`);
  parts.push(message);
  if (repeats > 0) parts.push(`(${repeats} more)`);
  for (const [name, value] of Object.entries(fields ?? {})) {
    if (value !== undefined) parts.push(`${name}=${value}`);
  }
  return printable(parts.join(' '));
}

const colours: Partial<Record<LogLevel, 'red' | 'yellow'>> = { error: 'red', warn: 'yellow' };

function formatColoured(line: Line, stamp: Stamp): string {
  const text = formatReadable(line, stamp);
  const colour = colours[line.level];
  const word = line.level.toUpperCase();
  if (colour === undefined) return text;
  return text.replace(word, styled(colour, word));
}
