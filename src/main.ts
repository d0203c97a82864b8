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

// Before modules are loaded: until there is a handler, a signal to stop may be lost.
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
    // A second signal means that the user does not want to wait. Positions are saved as of the last
    // commit, so nothing is lost.
    if (stop.signal.aborted) process.exit(1);
    stop.abort(name);
  });
}

// What users of fluentd send by habit: it flushes at the one and reloads at the other. Node would
// open its inspector, or end.
if (process.argv[2] === 'run') {
  for (const name of ['SIGUSR1', 'SIGUSR2'] as const) {
    process.on(name, () => void reloads.dispatchEvent(new Event(name)));
  }
}

const { runCli } = await import('./command/cli.ts');
const { createLog } = await import('./log.ts');
if (!process.stderr.isTTY) structureStderr();

// The agent of a demo ends with it, even if the demo is killed.
if (process.channel !== undefined) process.on('disconnect', () => stop.abort('disconnect'));

// The end of a reader (`tailship top | head`) is no error; without a listener EPIPE would end the
// agent.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  outputClosed.abort('EPIPE');
});
process.stderr.on('error', () => undefined);

// Node writes the cache at exit, which SIGKILL skips: write it once when everything is loaded.
const flushAfterMs = 10_000;
setTimeout(() => module.flushCompileCache(), flushAfterMs).unref();

/** Time for a command's last output if nothing reads it. */
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
// A handle that a library keeps open must not keep a stopped agent alive until SIGKILL.
process.exit(exitCode);

/** Node writes to a socket in the background, and exit would cut the output off. */
async function whenWritten(): Promise<void> {
  if (process.stdout.writableLength === 0) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, lastWriteMs);
  process.stdout.write('', () => resolve());
  await promise;
}

/**
 * Node prints warnings and crashes as lines without severity and time, one entry each. This logs
 * them instead, a stack as one field.
 */
function structureStderr(): void {
  const write = (line: string) => void process.stderr.write(`${line}\n`);
  const log = createLog({ level: 'warn', write });
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => log.warn(undefined, `${name}: ${message}`));
  // Threads have their own listeners, which print to the same stderr.
  process.env['NODE_NO_WARNINGS'] = '1';
  process.on('uncaughtException', (error: unknown) => {
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    log.error(undefined, `tailship ends by a fault of its own: ${message}`, { stack });
    process.exit(exitFault);
  });
}

/**
 * The kernel ignores signals that the first process of a container does not handle. Node's own
 * handler of SIGTERM is gone after one signal, so its absence shows that one came. The kubelet
 * sends no second one.
 */
function hasMissedStop(): boolean {
  if (process.pid !== 1) return false;
  const sigtermBit = 1n << 14n;
  const [, caught] =
    /^SigCgt:\s+([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return caught !== undefined && (BigInt(`0x${caught}`) & sigtermBit) === 0n;
}

/** SIGHUP means to reload the configuration, or that the user has closed the terminal. */
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
 * Restarts as the same process (same pid) with the compile cache and a small young generation,
 * which can only be set from outside. Type stripping costs 20 MB in each thread, and the young
 * generation grows to 16 MB without need. Measured: 66 → 46 MB in the main thread, 79 → 52 MB with
 * one worker, 9 MB less in a catch-up; 30 ms more at a cold start, none at a warm one.
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
 * The same as the image's command line. Node heeds a cgroup's limit only from 1 GiB on, and a heap
 * beyond the limit is killed instead of collected. Without a limit V8 sizes its heap by the
 * machine, but the agent has 14 MB of live objects. The user's own setting wins.
 */
function heapFlags(): string[] {
  const heapMiBMax = 128; // More than 40 % of a limit of 256 MiB.
  const limitBytes = process.constrainedMemory();
  const isLimited = limitBytes > 0 && limitBytes < totalmem();
  const given = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].join(' ');
  const isGiven = /max[-_]old[-_]space[-_]size/.test(given);
  if (isGiven) return [];
  return [isLimited ? '--max-old-space-size-percentage=40' : `--max-old-space-size=${heapMiBMax}`];
}
