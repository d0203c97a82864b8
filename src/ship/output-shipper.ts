// Entries to stdout and files (--output), in place of the endpoint or as a copy of what it gets.
//
// Invariant: in place of the endpoint, a batch is done when every output has it, and what cannot be
// written waits. As a copy, only a slow reader delays the endpoint's entries.

import { setTimeout as sleep } from 'node:timers/promises';

import { backoffMs } from '../backoff.ts';
import { limits } from '../config.ts';
import { AgentError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Batch } from './batch.ts';
import { entryBytes, entryStarts } from './body.ts';
import { createCounters, type ShipCounters } from './counters.ts';
import type { EntryOutput } from './entry-output.ts';
import type { ShipOutcome } from './sending.ts';
import type { Shipper } from './shipper.ts';
import { headOf, selfContained } from './witness.ts';

type OutputParts = {
  /** Gets each batch after the outputs. */
  readonly endpoint: Shipper | undefined;
  readonly outputs: readonly EntryOutput[];
  readonly log: Log;
};

const lineEnd = Buffer.from('\n');
const retryBackoff = { baseMs: limits.shipBackoffBaseMs, maxMs: limits.shipBackoffMaxMs };

export class OutputShipper implements Shipper {
  readonly counters: ShipCounters;
  readonly #endpoint: Shipper | undefined;
  readonly #log: Log;
  /** Those that have not ended. */
  readonly #outputs: Set<EntryOutput>;
  /** Once aborted, nothing is tried again. */
  readonly #stopping = new AbortController();
  /**
   * Of batches that wait for their outputs. A race with one promise for all of them would keep
   * something of each batch for as long as the agent runs.
   */
  readonly #waiting = new Set<(reason: AgentError) => void>();
  #queue: Promise<unknown> = Promise.resolve();
  #isOver = false;

  constructor({ endpoint, outputs, log }: OutputParts) {
    this.#endpoint = endpoint;
    this.#outputs = new Set(outputs);
    this.#log = log;
    this.counters = endpoint?.counters ?? createCounters();
  }

  async ship(batch: Batch): Promise<ShipOutcome> {
    if (this.#isOver) throw stopped();
    const written = this.#queue.then(() => this.#writeBatch(batch));
    this.#queue = written.catch(() => undefined);
    const wireBytes = await this.#untilGivenUp(written);
    if (this.#endpoint !== undefined) return this.#endpoint.ship(batch);
    const { entryCount } = batch;
    this.counters.acceptedEntries += entryCount;
    this.counters.wireBytes += wireBytes;
    this.counters.lastSuccessMs = Date.now();
    return { accepted: entryCount, deadLettered: 0, requests: 0, retries: 0, wireBytes };
  }

  bodiesMax(project: string | undefined): number {
    return this.#endpoint?.bodiesMax(project) ?? Number.POSITIVE_INFINITY;
  }

  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    const graceOver = sleep(graceMs, undefined, { ref: false });
    await Promise.all([this.#endpoint?.stop(graceMs), Promise.race([this.#queue, graceOver])]);
    this.#isOver = true;
    for (const giveUp of this.#waiting) giveUp(stopped());
    await Promise.all(Array.from(this.#outputs, (output) => output.close()));
  }

  async #untilGivenUp(written: Promise<number>): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#waiting.add(reject);
    written.then(resolve, reject);
    try {
      return await promise;
    } finally {
      this.#waiting.delete(reject);
    }
  }

  /** Resolves to the bytes of the lines. */
  async #writeBatch(batch: Batch): Promise<number> {
    const open = new Set(this.#outputs);
    let bytes = 0;
    if (open.size === 0) return bytes;
    for (const lines of entryLines(batch, limits.shipOutputBytes)) {
      bytes += lines.length;
      for (const output of open) {
        if (!(await this.#writeLines(output, lines))) open.delete(output);
      }
    }
    return bytes;
  }

  /** Whether they were written: a copy may be given up. */
  async #writeLines(output: EntryOutput, lines: Buffer): Promise<boolean> {
    if (this.#isOver) throw stopped();
    let failures = 0;
    const retry = async (error: Error): Promise<void> => {
      if (this.#endpoint !== undefined) throw error;
      failures += 1;
      this.#failed(output, error, failures);
      await sleep(backoffMs(failures, retryBackoff), undefined, { signal: this.#stopping.signal });
    };
    try {
      await output.write(lines, retry);
    } catch (error) {
      if (this.#endpoint === undefined) throw this.#stopping.signal.aborted ? stopped() : error;
      this.#giveUp(output, error as Error);
      return false;
    }
    if (failures > 0) {
      this.counters.consecutiveFailures = 0;
      this.#log.info('OUTPUT_UNWRITABLE', `--output ${output.name} can be written again`);
    }
    return true;
  }

  #failed({ name }: EntryOutput, { message }: Error, failures: number): void {
    const code = 'OUTPUT_UNWRITABLE';
    const text = `--output ${name} cannot be written, trying on: ${message}`;
    this.counters.consecutiveFailures = failures;
    this.counters.lastError = { code, text, timeMs: Date.now() };
    this.#log.error(code, text);
  }

  #giveUp(output: EntryOutput, error: Error): void {
    const hasEnded = error instanceof AgentError;
    if (hasEnded) this.#outputs.delete(output);
    const text = hasEnded
      ? `${error.message}; the endpoint still gets all entries`
      : `--output ${output.name} misses entries that the endpoint gets: ${error.message}`;
    this.#log.warn('OUTPUT_UNWRITABLE', text);
  }
}

function stopped(): AgentError {
  return new AgentError('SHIP_STOPPED', 'the agent is stopping');
}

/** The entries as NDJSON, at least one line and about `bytes` at a time; they keep their text. */
function* entryLines(
  { body, entryCount }: Pick<Batch, 'body' | 'entryCount'>,
  bytes: number,
): Generator<Buffer> {
  const starts = entryStarts(body, entryCount);
  const head = headOf(body, starts);
  let lines: Buffer[] = [];
  let length = 0;
  for (let index = 0; index < entryCount; index += 1) {
    const line = selfContained(Buffer.from(entryBytes(body, starts, index)), head);
    lines.push(line, lineEnd);
    length += line.length + lineEnd.length;
    if (length < bytes && index < entryCount - 1) continue;
    yield Buffer.concat(lines, length);
    lines = [];
    length = 0;
  }
}
