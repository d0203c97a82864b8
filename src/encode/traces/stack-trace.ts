// Whether a line continues the stack trace of the lines before it in its stream. The invariant: the
// next state depends on the last state and the line alone, so an encoder that keeps nothing between
// tasks can begin again at the first line of a trace.
//
// A line that could start a trace moves the machine out of `idle`; it is an ordinary line until the
// next one is a continuation. A line that fits no rule of the state ends the trace, and may itself
// start another. The rules follow what the log agents of GKE detected (Java and what runs on it,
// JavaScript, C#, Python, PHP, Go, Rails, Dart); Rust, plain Ruby, Python's carets and Node's error
// properties are ours.

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
  | 'rubyMessage'
  | 'rubyFrame'
  | 'dartError'
  | 'dartSource'
  | 'dartCaret'
  | 'dartReceiver'
  | 'dartFrame'
  | 'rustPanic'
  | 'rustMessage'
  | 'rustFrame';

/** Patterns look at one character for each byte. */
export type Rule = readonly [pattern: RegExp, to: TraceState];

/** Where the encoder starts. */
export const traceStart: TraceState = 'idle';

/** Only so much of a line is looked at: a tenant can write a mebibyte of anything. */
export const lookBytes = 4_096;
const openBrace = 0x7b;
const jsonSpace = [0x20, 0x09, 0x0a, 0x0d];
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

// Every pattern is linear: no two repetitions in it can match the same characters. White space is
// spelled out, because \s has characters from 0x80 up.
const causedBy: Rule = [/^[\t ]*(?:Caused by|Suppressed): ?/, 'exception'];
const innerException: Rule = [/^[\t ]*---> /, 'exception'];
const errorCause: Rule = [/^[\t ]+\[cause\]: /, 'exception'];
const lastFrame: Rule = [/^[\t ]+at .* \{$/, 'errorProperty'];
const frame: Rule = [/^[\t ]+(?:eval )?at /, 'exceptionFrame'];
const moreFrames: Rule = [/^[\t ]*\.\.\. \d+ (?:more|common frames omitted)/, 'exceptionFrame'];
const endOfInner: Rule = [/^[\t ]*--- End of .*stack trace/, 'exceptionFrame'];
const dartCall: Rule = [/^#\d+[\t-\r ][^(]*\(.+\)$/, 'dartFrame'];
const goHeader: Rule = [/^goroutine \d+ [^[]*\[[^\]]+\]:$/, 'goFunction'];
const goBlank: Rule = [/^$/, 'goRoutine'];
const rubyCall: Rule = [/^[\t ]+.*?\.rb:\d+:in [`']/, 'rubyFrame'];
// Of scripts without .rb and of Ruby's own code, too.
const rubyFrom: Rule = [/^\tfrom [^\t-\r ]/, 'rubyFrame'];

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

/** What continues a trace in each state: the first rule that matches. The start comes first. */
export const traceRules: Readonly<Record<TraceState, readonly Rule[]>> = {
  // The order matters where a line fits two: `panic: pkg.Error: x` is Go, `PHP Fatal error:
  // Uncaught Error: x` is PHP.
  idle: [
    [/(?:^|[^0-9A-Z_a-z])panic: |^fatal error: /, 'goPanic'],
    [/http: panic serving/, 'goRoutine'],
    [
      /PHP (?:Notice|Parse error|Fatal error|Warning):|exception '[^']+' with message '/,
      'phpError',
    ],
    [/^Traceback \(most recent call last\):$/, 'pythonFrame'],
    [/^Unhandled exception:$/, 'dartError'],
    [/^thread '.*' (?:\(\d+\) )?panicked at .*:$/, 'rustPanic'],
    [/^thread '.*' (?:\(\d+\) )?panicked at /, 'rustMessage'],
    [/^[^\t-\r ]+\.rb:\d+:in [`']/, 'rubyMessage'],
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
  errorProperty: [errorCause, [/^\}/, 'idle'], [/^[\t ]+[^\t-\r ]/, 'errorProperty']],
  pythonFrame: [
    [/^[\t ]+File /, 'pythonCode'],
    [/^[\t ]+[~^][~^ ]*$/, 'pythonFrame'],
    [/^[\t ]+\[Previous line repeated /, 'pythonFrame'],
    [/^[^\t-\r ():]+(?::|$)/, 'idle'],
  ],
  pythonCode: [
    [/^[\t ]+File "/, 'pythonCode'],
    [/^[\t ]+[^\t-\r ]/, 'pythonFrame'],
    [/^[^\t-\r ():]+(?::|$)/, 'idle'],
  ],
  phpError: [[/^Stack trace:/, 'phpFrame']],
  phpFrame: [
    [/^#\d/, 'phpFrame'],
    [/^[\t-\r ]+thrown in /, 'idle'],
  ],
  goPanic: [goBlank, [/^\[signal /, 'goSignal'], [/^\tpanic: /, 'goPanic']],
  goSignal: [goBlank],
  goRoutine: [goHeader],
  goFunction: [
    goBlank,
    [/^(?:[^\t-\r :]+\(|created by )/, 'goFile'],
    [/^\.\.\..*frames elided/, 'goFunction'],
  ],
  goFile: [[/^[\t-\r ]/, 'goFunction']],
  rubyError: [[/^ {2}$/, 'rubyFrame'], rubyCall],
  // Ruby quotes the source line, points into it and guesses what was meant.
  rubyMessage: [rubyFrom, [/^$/, 'rubyMessage'], [/^ {4}|^Did you mean\?/, 'rubyMessage']],
  rubyFrame: [rubyCall, rubyFrom],
  dartError: [
    [dartErrors, 'dartFrame'],
    [/^(?:'.+':|FormatException)/, 'dartSource'],
    [/^NoSuchMethodError:/, 'dartReceiver'],
  ],
  // Some Dart errors quote the source line, then point at a column, then leave blank lines.
  dartSource: [dartCall, [/^./, 'dartCaret']],
  dartCaret: [[/^(?:[\t ]*\^|$)/, 'dartCaret'], dartCall],
  dartReceiver: [[/^(?:Receiver|Tried calling|Found):/, 'dartReceiver'], dartCall],
  dartFrame: [dartCall, [/^<asynchronous suspension>$/, 'dartFrame']],
  rustPanic: [[/^/, 'rustMessage']],
  rustMessage: [
    // The two sides of a failed assertion.
    [/^[\t-\r ]+(?:left|right): /, 'rustMessage'],
    [/^stack backtrace:$/, 'rustFrame'],
    [/^note: run with `RUST_BACKTRACE=/, 'idle'],
  ],
  rustFrame: [
    [/^[\t-\r ]+(?:\d+: |at )/, 'rustFrame'],
    [/^note: /, 'idle'],
  ],
};

function next(state: TraceState, line: string): TraceState | undefined {
  return traceRules[state].find(([pattern]) => pattern.test(line))?.[1];
}

/** Whether the line is a JSON object: a record of its own, whatever trace it contains. */
function isObject(content: Uint8Array): boolean {
  const first = content.findIndex((byte) => !jsonSpace.includes(byte));
  return content[first] === openBrace && scanObject(utf8.decode(content)) !== undefined;
}

/** The state after a line, and whether the line belongs to the trace of the lines before it. */
export function traceStep(
  state: TraceState,
  content: Uint8Array,
): { state: TraceState; join: boolean } {
  if (isObject(content)) return { state: 'idle', join: false };
  const line = Buffer.from(content.subarray(0, lookBytes)).toString('latin1');
  const after = state === 'idle' ? undefined : next(state, line);
  if (after !== undefined) return { state: after, join: true };
  return { state: next('idle', line) ?? 'idle', join: false };
}
