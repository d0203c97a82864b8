// Whether a line continues the stack trace of the lines before it in its stream. The invariant: the
// next state depends on the last state and the line alone, so an encoder that keeps nothing between
// tasks can begin again at the first line of a trace.
//
// A line that could start a trace moves the machine out of `idle`; it is an ordinary line until the
// next one is a continuation. A line that fits no rule of the state ends the trace, and may itself
// start another. The rules follow what the log agents of GKE detected (Java and what runs on it,
// JavaScript, C#, Python, PHP, Go, Ruby, Dart); Rust, Python's carets and Node's error properties
// are ours.

import { scanObject } from '../json/object-scan.ts';

export type TraceState =
  | 'idle'
  | 'exception' // An exception's name and text, of Java, JavaScript or C#.
  | 'exceptionNested'
  | 'exceptionFrame'
  | 'errorProperty' // The braces that Node prints after the frames of an error with properties.
  | 'pythonFrame'
  | 'pythonCode'
  | 'phpError'
  | 'phpFrame'
  | 'goPanic'
  | 'goSignal'
  | 'goRoutine'
  | 'goFunction'
  | 'goFile'
  | 'rubyError'
  | 'rubyFrame'
  | 'dartError'
  | 'dartSource'
  | 'dartCaret'
  | 'dartReceiver'
  | 'dartFrame'
  | 'rustPanic'
  | 'rustMessage'
  | 'rustFrame';

type Rule = readonly [pattern: RegExp, to: TraceState];

/** Where the encoder starts. */
export const traceStart: TraceState = 'idle';

/**
 * Only so much of a line is looked at: a tenant can write a mebibyte of anything, and frames are
 * short.
 */
const lookCharactersMax = 4096;

// Every pattern is linear: no two repetitions in it can match the same characters.
const causedBy: Rule = [/^[\t ]*(?:Caused by|Suppressed): ?/, 'exception'];
const innerException: Rule = [/^[\t ]*---> /, 'exception'];
const errorCause: Rule = [/^[\t ]+\[cause\]: /, 'exception'];
const lastFrame: Rule = [/^[\t ]+at .* \{$/, 'errorProperty'];
const frame: Rule = [/^[\t ]+(?:eval )?at /, 'exceptionFrame'];
const moreFrames: Rule = [/^[\t ]*\.\.\. \d+ (?:more|common frames omitted)/, 'exceptionFrame'];
const endOfInner: Rule = [/^[\t ]*--- End of .*stack trace/, 'exceptionFrame'];
const dartCall: Rule = [/^#\d+\s[^(]*\(.+\)$/, 'dartFrame'];
const goHeader: Rule = [/^goroutine \d+ [^[]*\[[^\]]+\]:$/, 'goFunction'];
const goBlank: Rule = [/^$/, 'goRoutine'];
const rubyCall: Rule = [/^[\t ]+.*?\.rb:\d+:in [`']/, 'rubyFrame'];

const dartErrors = new RegExp(
  `^(?:${[
    'Instance of',
    'Exception',
    'Bad state',
    'IntegerDivisionByZeroException',
    'Invalid argument',
    'RangeError',
    'Assertion failed',
    'Cannot instantiate',
    'Reading static variable',
    'UnimplementedError',
    'Unsupported operation',
    'Concurrent modification',
    'Out of Memory',
    'Stack Overflow',
  ].join('|')})`,
);

const rules: Readonly<Record<TraceState, readonly Rule[]>> = {
  // The order matters where a line fits two: `panic: pkg.Error: x` is Go, `PHP Fatal error:
  // Uncaught Error: x` is PHP.
  idle: [
    [/\bpanic: |^fatal error: /, 'goPanic'],
    [/http: panic serving/, 'goRoutine'],
    [
      /PHP (?:Notice|Parse error|Fatal error|Warning):|exception '[^']+' with message '/,
      'phpError',
    ],
    [/^Traceback \(most recent call last\):$/, 'pythonFrame'],
    [/^Unhandled exception:$/, 'dartError'],
    [/^thread '.*' (?:\(\d+\) )?panicked at .*:$/, 'rustPanic'],
    [/^thread '.*' (?:\(\d+\) )?panicked at /, 'rustMessage'],
    [/(?:Exception|Error|Throwable|V8 errors stack trace)(?::|$)/, 'exception'],
    [/^[^(]*Error \(.*\):$/, 'rubyError'],
  ],
  exception: [
    [/^[\t ]*nested exception is:[\t ]*$/, 'exceptionNested'],
    [/^$/, 'exception'],
    lastFrame,
    frame,
    causedBy,
    innerException,
    moreFrames,
    endOfInner,
  ],
  exceptionNested: [[/(?:Exception|Error|Throwable)(?::|$)/, 'exception']],
  exceptionFrame: [
    lastFrame,
    frame,
    causedBy,
    innerException,
    errorCause,
    moreFrames,
    endOfInner,
    // Closes what a [cause] opened.
    [/^[\t ]*\}$/, 'exceptionFrame'],
  ],
  errorProperty: [errorCause, [/^\}/, 'idle'], [/^[\t ]+\S/, 'errorProperty']],
  pythonFrame: [
    [/^[\t ]+File /, 'pythonCode'],
    [/^[\t ]+[~^][~^ ]*$/, 'pythonFrame'],
    [/^[\t ]+\[Previous line repeated /, 'pythonFrame'],
    [/^[^\s():]+(?::|$)/, 'idle'],
  ],
  pythonCode: [
    [/^[\t ]+File "/, 'pythonCode'],
    [/^[\t ]+\S/, 'pythonFrame'],
    [/^[^\s():]+(?::|$)/, 'idle'],
  ],
  phpError: [[/^Stack trace:/, 'phpFrame']],
  phpFrame: [
    [/^#\d/, 'phpFrame'],
    [/^\s+thrown in /, 'idle'],
  ],
  goPanic: [goBlank, [/^\[signal /, 'goSignal'], [/^\tpanic: /, 'goPanic']],
  goSignal: [goBlank],
  goRoutine: [goHeader],
  goFunction: [
    goBlank,
    [/^[^\s:]+\(|^created by /, 'goFile'],
    [/^\.\.\..*frames elided/, 'goFunction'],
  ],
  goFile: [[/^\s/, 'goFunction']],
  rubyError: [[/^ {2}$/, 'rubyFrame'], rubyCall],
  rubyFrame: [rubyCall],
  dartError: [
    [dartErrors, 'dartFrame'],
    [/^(?:'.+':|FormatException)/, 'dartSource'],
    [/^NoSuchMethodError:/, 'dartReceiver'],
  ],
  // Some Dart errors quote the source line, then point at a column, then leave blank lines.
  dartSource: [dartCall, [/^./, 'dartCaret']],
  dartCaret: [[/^[\t ]*\^|^$/, 'dartCaret'], dartCall],
  dartReceiver: [[/^(?:Receiver|Tried calling|Found):/, 'dartReceiver'], dartCall],
  dartFrame: [dartCall, [/^<asynchronous suspension>$/, 'dartFrame']],
  rustPanic: [[/^/, 'rustMessage']],
  rustMessage: [
    // The two sides of a failed assertion.
    [/^\s+(?:left|right): /, 'rustMessage'],
    [/^stack backtrace:$/, 'rustFrame'],
    [/^note: run with `RUST_BACKTRACE=/, 'idle'],
  ],
  rustFrame: [
    [/^\s+\d+: |^\s+at /, 'rustFrame'],
    [/^note: /, 'idle'],
  ],
};

function next(state: TraceState, line: string): TraceState | undefined {
  return rules[state].find(([pattern]) => pattern.test(line))?.[1];
}

/** Whether the line is a JSON object: a record of its own, whatever trace it contains. */
function isObject(line: string): boolean {
  return /^[\t\n\r ]*\{/.test(line) && scanObject(line) !== undefined;
}

/** The state after `lineText`, and whether the line belongs to the trace of the lines before it. */
export function traceStep(
  state: TraceState,
  lineText: string,
): { state: TraceState; join: boolean } {
  if (isObject(lineText)) return { state: 'idle', join: false };
  const line =
    lineText.length > lookCharactersMax ? lineText.slice(0, lookCharactersMax) : lineText;
  const after = state === 'idle' ? undefined : next(state, line);
  if (after !== undefined) return { state: after, join: true };
  return { state: next('idle', line) ?? 'idle', join: false };
}
