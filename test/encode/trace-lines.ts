// Lines of stack traces, of which random logs make whole ones, halves and wrong ones.

export const traceLines = [
  'java.lang.IllegalStateException: closed',
  '\tat shop.Cart.add(Cart.java:61)',
  'Error',
  'TypeError: x',
  '    at next (/app/index.js:256:14)',
  'panic: boom',
  'goroutine 17 [running]:',
  'main.work(0xc000010000)',
  '\t/src/main.go:17 +0x1d',
  'Traceback (most recent call last):',
  '  File "/app/a.py", line 17, in start',
  'Unhandled exception:',
  'java.lang.Throwable',
  'V8 errors stack trace',
  "thread 'main' panicked at src/main.rs:2:5:",
  'PHP Notice: x',
  "exception 'E' with message 'm'",
  'a.rb (NameError (x)):',
  'Error (x):',
];
