// Holds up a container's writing while the agent is in trouble.
//
// For conmon's own size limit alone: it replaces a full file, and what was not read of it is gone,
// which no agent can help that is down. Invariant: while anybody holds the gate, the container
// writes nothing, and all it has written has been committed.

import fs from 'node:fs';
import path from 'node:path';
import { until } from '../support/agent-process.ts';

export type WriteGateOptions = {
  /** The container finds it at the same path. */
  readonly directory: string;
  /** Whether the container has ended. */
  readonly isOver: () => boolean;
  /** Whether everything that was written has been committed. */
  readonly isCommitted: () => Promise<boolean>;
};

const waitMsMax = 120_000;

/** See the file's header. */
export class WriteGate {
  readonly #options: WriteGateOptions;
  readonly #holdFile: string;
  readonly #heldFile: string;
  #holders = 0;
  #closed = Promise.resolve();

  constructor(options: WriteGateOptions) {
    this.#options = options;
    this.#holdFile = path.join(options.directory, 'hold');
    this.#heldFile = path.join(options.directory, 'held');
  }

  /** What the container runs between two batches of lines. */
  get command(): string {
    const [hold, held] = [this.#holdFile, this.#heldFile];
    return `while [ -e ${hold} ]; do : > ${held}; sleep 0.05; done; rm -f ${held}`;
  }

  /** Resolves when the container is held; what it returns lets go again. */
  async close(): Promise<() => void> {
    this.#holders += 1;
    if (this.#holders === 1) this.#closed = this.#hold();
    await this.#closed;
    return () => {
      this.#holders -= 1;
      if (this.#holders === 0) void this.#letGo();
    };
  }

  async #hold(): Promise<void> {
    const { isOver, isCommitted } = this.#options;
    fs.writeFileSync(this.#holdFile, '');
    // It may be left of the last time.
    fs.rmSync(this.#heldFile, { force: true });
    const isHeld = () => isOver() || fs.existsSync(this.#heldFile);
    await until('the container is held', isHeld, { withinMs: waitMsMax });
    const isDone = async () => isOver() || isCommitted();
    await until('the held lines are committed', isDone, { withinMs: waitMsMax });
  }

  /** Not before the agent has caught up, unless somebody holds it again. */
  async #letGo(): Promise<void> {
    const { isOver, isCommitted } = this.#options;
    const isDone = async () => isOver() || this.#holders > 0 || isCommitted();
    await until('the agent has caught up', isDone, { withinMs: waitMsMax });
    if (this.#holders === 0) fs.rmSync(this.#holdFile, { force: true });
  }
}
