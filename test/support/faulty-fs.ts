// Makes the n-th call of the file system fail, and watches over the descriptors meanwhile.
//
// Invariant: a close that is told to fail closes all the same, as on Linux; a write for which there
// is no space has written half; `restore` brings the real functions back, also where they were
// imported by name.

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const watched = {
  open: ['openSync', 'open'],
  read: ['readSync', 'read'],
  write: ['writeSync', 'write', 'writeFileSync', 'appendFileSync'],
  make: ['mkdirSync', 'mkdtempSync'],
  stat: ['fstatSync', 'statSync', 'lstatSync', 'readdirSync', 'readlinkSync'],
  close: ['closeSync', 'close'],
  sync: ['fsyncSync', 'fsync'],
  name: ['renameSync', 'rename', 'unlinkSync', 'unlink', 'rmSync'],
} as const;

export type CallKind = keyof typeof watched;
type AnyFunction = (...given: unknown[]) => unknown;
type Callback = (error: Error | null, value?: unknown) => void;

export type FaultyOptions = {
  /** The call that fails, counted from 1 over all kinds. */
  readonly failAt: number;
  readonly kinds: readonly CallKind[];
  /** That call and all that follow. */
  readonly isLasting?: boolean;
  /** The process is killed in that call, of which a write has written half. */
  readonly isDeadly?: boolean;
  /** Of the error; default EIO. With ENOSPC a write takes half of what it is given. */
  readonly code?: string;
};

export class FaultyFs {
  /** Calls of these kinds so far. */
  calls = 0;
  /** Calls are counted, and one of them fails. */
  isArmed = true;
  /** What the failing call was, when it has come. */
  failed: string | undefined;
  /** Opened and not closed. */
  readonly open = new Map<number, string>();
  /** Closed though they were not open. */
  readonly closedTwice: number[] = [];
  readonly #options: FaultyOptions;
  readonly #real = new Map<string, AnyFunction>();

  constructor(options: FaultyOptions) {
    this.#options = options;
    for (const [kind, names] of Object.entries(watched)) {
      for (const name of names) this.#replace(name, kind as CallKind);
    }
    syncBuiltinESMExports();
  }

  restore(): void {
    Object.assign(fs, Object.fromEntries(this.#real));
    syncBuiltinESMExports();
  }

  #replace(name: string, kind: CallKind): void {
    const functions = fs as unknown as Record<string, AnyFunction>;
    const real = functions[name] as AnyFunction;
    this.#real.set(name, real);
    const call = (given: unknown[]) => this.#call({ name, kind, real, given });
    // What libraries hang on a function, such as its promisified form, stays.
    functions[name] = Object.assign((...given: unknown[]) => call(given), real);
  }

  #call(each: { name: string; kind: CallKind; real: AnyFunction; given: unknown[] }): unknown {
    const { name, kind, real, given } = each;
    const fault = this.#faultOf(name, kind);
    if (fault !== undefined && this.#options.isDeadly === true) {
      if (kind === 'write') this.#writeHalf(name, given);
      process.kill(process.pid, 'SIGKILL');
    }
    const isClose = kind === 'close';
    if (isClose) this.#noteClose(given[0] as number);
    const callback = given.at(-1);
    if (name.endsWith('Sync') || typeof callback !== 'function') {
      if (fault !== undefined) {
        if (isClose) real(...given);
        else if (kind === 'write') this.#writeHalf(name, given);
        throw fault;
      }
      const value = real(...given);
      if (kind === 'open') this.open.set(value as number, String(given[0]));
      return value;
    }
    const done = callback as Callback;
    if (fault !== undefined) {
      if (kind === 'write') this.#writeHalf(name, given);
      if (!isClose) return void setImmediate(done, fault);
      return real(...given.slice(0, -1), () => done(fault));
    }
    return real(...given.slice(0, -1), (error: Error | null, ...values: unknown[]) => {
      if (kind === 'open' && error === null) this.open.set(values[0] as number, String(given[0]));
      (done as AnyFunction)(error, ...values);
    });
  }

  /** As a full disk does: it takes what it has room for. */
  #writeHalf(name: string, given: readonly unknown[]): void {
    if (this.#options.code !== 'ENOSPC' && this.#options.isDeadly !== true) return;
    if (name.startsWith('write') && typeof given[0] === 'number') {
      const [fd, bytes, offset, length, position] = given as [
        number,
        Buffer,
        number,
        number,
        number,
      ];
      this.#real.get('writeSync')?.(fd, bytes, offset, length >> 1, position);
      return;
    }
    const [path, data, options] = given as [string, string | Buffer, unknown];
    const bytes = Buffer.from(data as Buffer);
    this.#real.get(name)?.(path, bytes.subarray(0, bytes.length >> 1), options);
  }

  #faultOf(name: string, kind: CallKind): Error | undefined {
    if (!this.isArmed || !this.#options.kinds.includes(kind)) return undefined;
    this.calls += 1;
    const { failAt, isLasting = false } = this.#options;
    if (isLasting ? this.calls < failAt : this.calls !== failAt) return undefined;
    this.failed = name;
    const { code = 'EIO' } = this.#options;
    const syscall = name.replace('Sync', '');
    return Object.assign(new Error(`${code}: injected, ${syscall}`), { code, syscall });
  }

  #noteClose(fd: number): void {
    if (!this.open.delete(fd)) this.closedTwice.push(fd);
  }
}
