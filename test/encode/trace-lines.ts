// Stack traces, whole ones and lines of them, of which random logs make halves and wrong ones.

/** Each is one record. */
export const traces = {
  'Java with causes': `java.lang.IllegalStateException: cart is closed
\tat shop.Cart.add(Cart.java:61)
\tSuppressed: java.lang.Exception: close
\t\tat shop.Db.close(Db.java:9)
\t\t... 3 more
Caused by: java.io.IOException: pipe
\tat shop.Db.read(Db.java:7)
\t... 12 common frames omitted`,
  'Java in a log line': `Jul 09, 2015 3:23:29 PM shop.Make: RuntimeException: Run!
  at shop.Object.do$a1(Make.java:50)
Caused by: shop.OtherException
  at shop.Servlet.doPost(Servlet.java:169)`,
  'Java, nested': `javax.ejb.EJBException: x
nested exception is:
java.rmi.RemoteException: y
  at a.B.c(B.java:1)`,
  'Kotlin coroutine': `Exception in thread "main" java.lang.Error: k
\tat MainKt$main$1.invokeSuspend(Main.kt:5)
\tat kotlin.coroutines.jvm.internal.BaseContinuationImpl.resumeWith(X.kt:33)`,
  JavaScript: `ReferenceError: cart is not defined
    at next (/app/router/index.js:256:14)
    at async /app/app.js:52:3`,
  'JavaScript without a message': `Error
    at bls (<anonymous>:3:9)`,
  'JavaScript eval': `V8 errors stack trace
  eval at Foo.a (eval at Bar.z (myscript.js:10:3))
  at new Name (native)`,
  'Node error with properties': `Error: connect ECONNREFUSED 127.0.0.1:5432
    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1555:16) {
  errno: -111,
  code: 'ECONNREFUSED',
}`,
  'Node error with a cause': `Error: outer
    at a (/app/a.js:1:1) {
  [cause]: TypeError: inner
      at b (/app/b.js:2:2)
}`,
  'C#': `Unhandled exception. System.InvalidOperationException: outer
 ---> System.ArgumentException: inner
   at Shop.Cart.Inner() in /src/Cart.cs:line 9
   --- End of inner exception stack trace ---
   at Shop.Cart.Add() in /src/Cart.cs:line 5
--- End of stack trace from previous location where exception was thrown ---
   at Shop.Program.Main()`,
  Python: `Traceback (most recent call last):
  File "/app/a.py", line 17, in start
    return get()
           ^^^^^
  File "<frozen os>", line 5, in get
  File "/app/b.py", line 5, in get
    raise ValueError('x')
ValueError: x`,
  'Python without a text': `Traceback (most recent call last):
  File "/app/a.py", line 1, in f
    f()
  [Previous line repeated 996 more times]
KeyboardInterrupt`,
  PHP: `PHP Fatal error:  Uncaught Exception: message in /app/e.php:60
Stack trace:
#0 [internal function]: A::{closure}()
#1 {main}
  thrown in /app/e.php on line 60`,
  'PHP, old': `exception 'Exception' with message 'Custom' in /app/test.php:5
Stack trace:
#0 /app/test.php(9): func1()
#1 {main}`,
  'Go panic': `panic: runtime error: index out of range [4] with length 2

goroutine 1 [running]:
main.pick(...)
\t/src/main.go:12
net/http.(*conn).serve(0xc000112000, {0x7a1b20, 0xc00010e000})
\t/src/main.go:5 +0x1d
created by main.main in goroutine 1
\t/src/main.go:8 +0x58

goroutine 6 gp=0xc000007 m=nil [chan receive, 2 minutes]:
main.Map[...]({0x1, 0x2})
\t/src/map.go:3 +0x1`,
  'Go signal': `panic: main.MyError: nil [recovered]
\tpanic: again
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x7fd34f]

goroutine 5 [running]:
panics.Wait()
\tpanics/panics.go:16 +0x3b`,
  'Go deadlock': `fatal error: all goroutines are asleep - deadlock!

goroutine 1 [chan receive]:
main.main()
\t/src/main.go:5`,
  'Go http': `2024/03/05 14:07:21 http: panic serving 10.0.0.1:53412: boom
goroutine 19 [running]:
net/http.(*conn).serve.func1()
\t/go/server.go:1850 +0xbf`,
  Ruby: ` NoMethodError (undefined method \`word' for #<BooksController:0x007>):
  app/controllers/books_controller.rb:69:in \`recursive'
  config/error_reporting_logger.rb:62:in 'tagged'`,
  'Ruby, uncaught': `/app/a.rb:3:in 'Cart#add': boom (RuntimeError)
\tfrom /app/a.rb:6:in 'block in <main>'
\tfrom /usr/local/bundle/bin/puma:25:in 'Kernel#load'
\tfrom <internal:kernel>:187:in 'loop'`,
  'Ruby, old quotes': `app.rb:3:in \`add': Shop::Error: boom (Shop::Error)
\tfrom app.rb:6:in \`<main>'`,
  'Ruby with the source line': `a.rb:1:in 'Object#f': undefined method 'fop' for nil (NoMethodError)

    cart.fop
        ^^^^
Did you mean?  fob
\tfrom a.rb:5:in '<main>'`,
  Rails: ` ActionController::RoutingError (No route matches [GET] "/settings"):
  
  actionpack (5.1.4) lib/action_dispatch/debug_exceptions.rb:63:in \`call'`,
  Dart: `Unhandled exception:
Bad state: oops
#0      main.<anonymous closure> (file:///a.dart:15:20)
<asynchronous suspension>
#1      List.[] (dart:core-patch/growable_array.dart:151)`,
  'Dart with source': `Unhandled exception:
FormatException: Invalid base64 data (at line 3, character 8)
this is not valid
       ^

#0      main (file:///a.dart:24:4)`,
  'Dart method': `Unhandled exception:
NoSuchMethodError: No top-level method 'noMethod' declared.
Receiver: top-level
Tried calling: noMethod()
#0      NoSuchMethodError._throwNew (dart:core-patch/errors_patch.dart:196)`,
  Rust: `thread 'main' panicked at src/main.rs:2:5:
assertion \`left == right\` failed
  left: 1
 right: 2
stack backtrace:
   0: rust_begin_unwind
             at /rustc/9fc/library/std/src/panicking.rs:597:5
   1: app::main
note: Some details are omitted, run with \`RUST_BACKTRACE=full\` for a verbose backtrace.`,
  'Rust, old': `thread '<unnamed>' panicked at 'boom', src/main.rs:2:5
note: run with \`RUST_BACKTRACE=1\` environment variable to display a backtrace`,
};

/** Lines that begin a trace, or look like it. */
const oddLines = [
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

/** Lines of traces. */
export const traceLines: readonly string[] = [
  ...oddLines,
  ...Object.values(traces).flatMap((text) => text.split('\n')),
];
