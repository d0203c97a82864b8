// Files, pipes and terminals that take entries as lines. Invariant: lines are written whole and in
// order; the rest that an error or a kill leaves of a line in a file is cut off before the next
// one.

import { close, constants, fstat, fstatSync, ftruncate, open, write } from 'node:fs';
import { open as openHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { limits } from '../config.ts';
import type { StandardOutput } from '../control.ts';
import { AgentError, hasCode, errorText } from '../errors.ts';
import { outputPath } from '../output-target.ts';

export type EntryOutput = {
  /** As the user named it. */
  readonly name: string;
  /**
   * Writes whole lines. `retry` gets each error that may pass: it resolves when it is time to try
   * again, and rejects to give up, which rejects this too. An output that has ended rejects with
   * OUTPUT_UNWRITABLE.
   */
  write(lines: Buffer, retry: (error: Error) => Promise<void>): Promise<void>;
  close(): Promise<void>;
};

const openFile = promisify(open);
const closeFile = promisify(close);
const writeFile = promisify(write);
const statFile = promisify(fstat);
const truncateFile = promisify(ftruncate);
const newline = 0x0a;
const openingBrace = 0x7b;
/** The wait before a full FIFO is tried again. */
const fullFifoMs = 10;
/** A FIFO without a reader must fail rather than block. */
const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;

/** Opens `stdout` or `file:PATH`. Rejects with OUTPUT_UNWRITABLE. */
export async function openOutput(
  name: string,
  stdout: (() => StandardOutput) | undefined,
): Promise<EntryOutput> {
  const path = outputPath(name);
  try {
    if (path !== undefined) return await openOwnFile(name, path);
    if (stdout === undefined) throw new Error('this process has none');
    return ofStandardOutput(name, stdout());
  } catch (error) {
    const reason = errorText(error);
    throw new AgentError('OUTPUT_UNWRITABLE', `--output ${name}: ${reason}`, { cause: error });
  }
}

async function openOwnFile(name: string, path: string): Promise<EntryOutput> {
  const fd = await openFile(path, flags, 0o600);
  const isOwn = (await statFile(fd)).isFile();
  if (isOwn) await cutTornLine(path, fd);
  return new DescriptorOutput(name, fd, isOwn);
}

/** Only the stream can wait for a pipe or a terminal; a file never needs it. */
function ofStandardOutput(name: string, stream: StandardOutput): EntryOutput {
  const stats = fstatSync(stream.fd);
  const isStream = stats.isFIFO() || stats.isSocket() || stream.isTTY === true;
  return isStream ? new StreamOutput(name, stream) : new DescriptorOutput(name, stream.fd, false);
}

/** A kill in the middle of a write leaves the beginning of an entry that is written again. */
async function cutTornLine(path: string, fd: number): Promise<void> {
  const { size } = await statFile(fd);
  const tail = await readTail(path, size);
  const end = tail.lastIndexOf(newline) + 1;
  if (end === tail.length) return;
  const isEntry = tail[end] === openingBrace && (end > 0 || tail.length === size);
  if (isEntry) await truncateFile(fd, size - tail.length + end);
  else await writeFile(fd, '\n');
}

async function readTail(path: string, size: number): Promise<Buffer> {
  const tail = Buffer.alloc(Math.min(size, limits.shipOutputBytes));
  const handle = await openHandle(path, 'r');
  try {
    const { bytesRead } = await handle.read(tail, 0, tail.length, size - tail.length);
    return tail.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** Files and devices. */
class DescriptorOutput implements EntryOutput {
  readonly name: string;
  readonly #fd: number;
  /** This process opened the file, so it may shorten it. */
  readonly #isOwn: boolean;
  #isTorn = false;

  constructor(name: string, fd: number, isOwn: boolean) {
    this.name = name;
    this.#fd = fd;
    this.#isOwn = isOwn;
  }

  async write(lines: Buffer, retry: (error: Error) => Promise<void>): Promise<void> {
    const all = this.#isTorn ? Buffer.concat([Buffer.of(newline), lines]) : lines;
    for (let at = 0; at < all.length;) {
      try {
        at += (await writeFile(this.#fd, all, at, all.length - at)).bytesWritten;
      } catch (error) {
        if (hasCode(error, 'EAGAIN')) await sleep(fullFifoMs);
        else await this.#failed(error as Error, at, retry);
      }
    }
    this.#isTorn = false;
  }

  async close(): Promise<void> {
    if (this.#isOwn) await closeFile(this.#fd);
  }

  async #failed(
    error: Error,
    writtenBytes: number,
    retry: (error: Error) => Promise<void>,
  ): Promise<void> {
    try {
      await retry(error);
    } catch (reason) {
      if (writtenBytes > 0) await this.#takeBack(writtenBytes);
      throw reason;
    }
  }

  async #takeBack(bytes: number): Promise<void> {
    if (!this.#isOwn) this.#isTorn = true;
    else await truncateFile(this.#fd, Math.max(0, (await statFile(this.#fd)).size - bytes));
  }
}

/** Pipes, sockets and terminals: after an error it is unknown how much has arrived. */
class StreamOutput implements EntryOutput {
  readonly name: string;
  readonly #stream: StandardOutput;

  constructor(name: string, stream: StandardOutput) {
    this.name = name;
    this.#stream = stream;
  }

  async write(lines: Buffer): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#stream.write(lines, (error) => {
      if (error === undefined || error === null) resolve();
      else reject(closedError(this.name, error));
    });
    await promise;
  }

  async close(): Promise<void> {}
}

function closedError(name: string, cause: Error): AgentError {
  const text = hasCode(cause, 'EPIPE') ? 'its reader has closed it' : cause.message;
  return new AgentError('OUTPUT_UNWRITABLE', `--output ${name}: ${text}`, { cause });
}
