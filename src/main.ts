// Process entry: Node's version, compile cache, argv, signals, stdout, exit code. The sole user of
// `process`; everything else gets what it needs as arguments. Run by Node as `node src/main.ts`, or
// imported by tailship.js.

import './node-version.js';
import { closeSync, openSync, readFileSync } from 'node:fs';
import module from 'node:module';
import { totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

/** As Node itself ends after an uncaught error. */
const exitFault = 1;

// Before the modules are loaded: until a handler is there, a signal to stop may be lost.
const stop = new AbortController();
if (hasMissedStop()) stop.abort('SIGTERM');
else restartWithCompileCache();

const outputClosed = new AbortController();

const reloads = new EventTarget();

for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.on(name, () => {
    if (name === 'SIGHUP' && process.argv[2] === 'run' && !hasLostTerminal()) {
      reloads.dispatchEvent(new Event('reload'));
      return;
    }
    // The second signal is the user who will not wait; positions are saved as of the last commit,
    // so nothing is lost.
    if (stop.signal.aborted) process.exit(1);
    stop.abort(name);
  });
}

const { runCli } = await import('./command/cli.ts');
const { createLog } = await import('./log.ts');
if (!process.stderr.isTTY) structureStderr();

// The agent of a demo that was killed has no demo left to run for.
if (process.channel !== undefined) process.on('disconnect', () => stop.abort('disconnect'));

// A reader that goes away (`tailship top | head`) is no fault; without a listener EPIPE would end
// the agent.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  outputClosed.abort('EPIPE');
});
process.stderr.on('error', () => undefined);

// The cache is written at exit, and SIGKILL is no exit: write it once when everything is loaded.
const flushAfterMs = 10_000;
setTimeout(() => module.flushCompileCache(), flushAfterMs).unref();

/** For the last of a command's output, when nobody reads it. */
const lastWriteMs = 5_000;

const exitCode = await runCli({
  words: process.argv.slice(2),
  environment: process.env,
  signal: stop.signal,
  outputClosed: outputClosed.signal,
  reloads,
  writeOut: (line) => void process.stdout.write(`${line}\n`),
  standardOutput: () => process.stdout,
  writeError: (line) => void process.stderr.write(`${line}\n`),
  terminalSize: () => (process.stdout.isTTY ? process.stdout : undefined),
  terminalInput: () => (process.stdin.isTTY ? process.stdin : undefined),
  ...(process.stderr.isTTY && {
    writeTerminal: (text: string) => void process.stderr.write(text),
  }),
  isErrorTerminal: process.stderr.isTTY,
});
await whenWritten();
// Whatever a library still holds open must not keep a stopped agent alive until SIGKILL.
process.exit(exitCode);

/** Node writes to a socket in the background, as a parent may give one; exit would cut it off. */
async function whenWritten(): Promise<void> {
  if (process.stdout.writableLength === 0) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, lastWriteMs);
  process.stdout.write('', () => resolve());
  await promise;
}

/**
 * What Node would print of a warning or a crash are lines without severity and time, one entry
 * each: they go into the log as it is, a stack as one field of its line.
 */
function structureStderr(): void {
  const write = (line: string) => void process.stderr.write(`${line}\n`);
  const log = createLog({ level: 'warn', write });
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => log.warn(undefined, `${name}: ${message}`));
  // Threads have listeners of their own, which print to the same stderr.
  process.env['NODE_NO_WARNINGS'] = '1';
  process.on('uncaughtException', (error: unknown) => {
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    log.error(undefined, `tailship ends by a fault of its own: ${message}`, { stack });
    process.exit(exitFault);
  });
}

/**
 * The kernel protects the first process of a container from signals that it does not handle.
 * Node's own handler of SIGTERM works once and then raises it again without one; that it is gone
 * tells that one came. The kubelet sends no other until it kills.
 */
function hasMissedStop(): boolean {
  if (process.pid !== 1) return false;
  const sigtermBit = 1n << 14n;
  const [, caught] =
    /^SigCgt:\s+([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return caught !== undefined && (BigInt(`0x${caught}`) & sigtermBit) === 0n;
}

/** SIGHUP has two meanings: read the configuration again, and: the user has closed the terminal. */
function hasLostTerminal(): boolean {
  if (!process.stderr.isTTY) return false;
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return false;
  } catch {
    return true;
  }
}

/**
 * What costs memory before the first line of code runs: the parser that strips types, 20 MB in each
 * thread that does it; V8's young generation, which grows to 16 MB because nothing tells it that an
 * agent has few objects. Both can only be set from outside, and started as `node src/main.ts` this
 * file was already stripped; so it becomes the same process again (same pid) with the cache on.
 * Measured: 66 → 46 MB in the main thread, 79 → 52 MB with one worker, 9 MB less in a catch-up for
 * the young generation; 30 ms more at a cold start, none at a warm one.
 */
function restartWithCompileCache(): void {
  const { NODE_COMPILE_CACHE: cache, NODE_DISABLE_COMPILE_CACHE: isOff } = process.env;
  const hasParent = process.channel !== undefined; // An IPC channel does not survive exec.
  if (cache || isOff || hasParent || process.execve === undefined) return;
  const directory = fileURLToPath(new URL('../node_modules/.cache/tailship', import.meta.url));
  const flags = /^(?:run|tail)$/.test(process.argv[2] ?? '')
    ? ['--max-semi-space-size=1', ...heapFlags()]
    : [];
  const words = [process.execPath, ...flags, ...process.execArgv, ...process.argv.slice(1)];
  process.execve(process.execPath, words, { ...process.env, NODE_COMPILE_CACHE: directory });
}

/**
 * As the image's command line: Node heeds a cgroup's limit only from 1 GiB on, and a heap that may
 * outgrow the limit is killed instead of collected. Without a limit V8 takes what the machine has
 * for its measure, and keeps it; the agent has 14 MB of live objects. What the user sets stays.
 */
function heapFlags(): string[] {
  const heapMiBMax = 128; // More than the 40 % of a limit of 256 MiB.
  const limitBytes = process.constrainedMemory();
  const isLimited = limitBytes > 0 && limitBytes < totalmem();
  const given = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].join(' ');
  const isGiven = /max[-_]old[-_]space[-_]size/.test(given);
  if (isGiven) return [];
  return [isLimited ? '--max-old-space-size-percentage=40' : `--max-old-space-size=${heapMiBMax}`];
}
