// Preloaded into an agent (NODE_OPTIONS=--import): at SIGUSR2 each of its threads collects its
// garbage, so that what is left of its memory is in use. Then `$MEMORY_PROBE_FILE` says how often
// that was done, and with `MEMORY_PROBE_SNAPSHOT` a snapshot of the main heap is beside it.
//
// An encoder sleeps in `Atomics.wait` between two tasks, where neither a timer nor an inspector
// reaches it; so it wakes up now and then to look for a request.

import { renameSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import v8 from 'node:v8';
import vm from 'node:vm';
import {
  getEnvironmentData,
  isMainThread,
  setEnvironmentData,
  threadId,
} from 'node:worker_threads';

type Collect = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void;

const file = process.env['MEMORY_PROBE_FILE'];
const key = 'memory probe';
/** Of `getEnvironmentData(key)`: how often it was asked, and the last that each thread has done. */
const asked = 0;
const threadsMax = 64;
const sleepMs = 200;

function collectGarbage(): void {
  v8.setFlagsFromString('--expose-gc');
  const gc = vm.runInNewContext('gc') as Collect;
  // All that V8 can do: it gives back the pages that it would keep for the next garbage, too.
  gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

function answerSignals(path: string): void {
  const rounds = new Int32Array(new SharedArrayBuffer(4 * (threadsMax + 1)));
  setEnvironmentData(key, rounds);
  const threads: number[] = [];
  process.on('worker', (worker) => threads.push(worker.threadId));
  process.on('SIGUSR2', () => {
    const round = Atomics.add(rounds, asked, 1) + 1;
    void (async () => {
      while (threads.some((id) => Atomics.load(rounds, id) < round)) await sleep(10);
      collectGarbage();
      if (process.env['MEMORY_PROBE_SNAPSHOT'] !== undefined) {
        v8.writeHeapSnapshot(`${path}.${round}.heapsnapshot`);
      }
      writeFileSync(`${path}.tmp`, String(round));
      renameSync(`${path}.tmp`, path);
    })();
  });
}

function answerInSleep(rounds: Int32Array): void {
  const wait = Atomics.wait.bind(Atomics);
  const watchful = (array: Int32Array, index: number, value: number) => {
    for (;;) {
      const round = Atomics.load(rounds, asked);
      if (Atomics.load(rounds, threadId) < round) {
        collectGarbage();
        Atomics.store(rounds, threadId, round);
      }
      const woken = wait(array, index, value, sleepMs);
      if (woken !== 'timed-out') return woken;
    }
  };
  Atomics.wait = watchful as typeof Atomics.wait;
}

if (file !== undefined && isMainThread) answerSignals(file);
if (file !== undefined && !isMainThread) answerInSleep(getEnvironmentData(key) as Int32Array);
