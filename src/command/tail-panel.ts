// The live tail of one container for the page: lines of JSON, at a bounded rate.
//
// Invariant: what matches and is not shown is counted, and the count is shown. Past the bound of
// bytes the next entries wait in their files, so that a flood costs no more than the bound.

import { setTimeout as sleep } from 'node:timers/promises';

import { parseGlob } from '../container-glob.ts';
import { limits } from '../config.ts';
import type { Control, PanelRequest, PanelSink } from '../control.ts';
import { configError } from '../errors.ts';
import type { Config } from '../options/options.ts';
import type { Re2Pattern } from '../re2-pattern.ts';
import { steadyNowMs } from '../steady-clock.ts';
import type { ContainerNames } from '../tail/container-names.ts';
import { filterNamed } from './command-words.ts';
import { tailContainers } from './tail-agent.ts';
import { readTailLine } from './tail-lines.ts';

const windowMs = 1_000;

/** Runs until the sink's signal. Throws CONFIG_INVALID, MEMORY_SHORT. */
export async function tailForPanel(
  config: Config,
  { log }: Pick<Control, 'log'>,
  request: PanelRequest,
  sink: PanelSink,
): Promise<void> {
  const filter = request.filter === '' ? undefined : filterNamed('the filter', request.filter);
  const quiet = { ...log, warn: () => undefined };
  const control: Control = { signal: sink.signal, write: () => undefined, log: quiet };
  await tailContainers(config, control, {
    globs: [globOf(request)],
    open: (isShown) => {
      sink.write([]);
      const panel = new Panel(sink, (names) => isShown(names) && isOf(request, names), filter);
      return {
        fd: 1, // A terminal is written as a stream, so nothing is written to this descriptor.
        isTTY: true,
        write: (entries, done) => {
          void panel.show(entries).then(() => done());
        },
      };
    },
  });
}

class Panel {
  readonly #sink: PanelSink;
  readonly #isShown: (names: ContainerNames) => boolean;
  readonly #filter: Re2Pattern | undefined;
  #windowStartMs = 0;
  #windowLines = 0;
  #bytesAhead = 0;
  #skippedLines = 0;

  constructor(
    sink: PanelSink,
    isShown: (names: ContainerNames) => boolean,
    filter: Re2Pattern | undefined,
  ) {
    this.#sink = sink;
    this.#isShown = isShown;
    this.#filter = filter;
  }

  /** Resolves when the next entries may come. */
  async show(entries: Uint8Array): Promise<void> {
    const nowMs = steadyNowMs();
    const passedMs = nowMs - this.#windowStartMs;
    if (passedMs >= windowMs) {
      this.#windowStartMs = nowMs;
      this.#windowLines = 0;
      const allowed = (passedMs / windowMs) * limits.tailPanelBytesPerSecond;
      this.#bytesAhead = Math.max(0, this.#bytesAhead - allowed);
    }
    this.#bytesAhead += entries.length;
    const lines = Buffer.from(entries).toString('utf8').split('\n');
    const shown = lines.map((json) => this.#lineOf(json)).filter((line) => line !== undefined);
    if (this.#skippedLines > 0 && shown.length > 0) {
      shown.unshift({ skippedLines: this.#skippedLines });
      this.#skippedLines = 0;
    }
    if (shown.length > 0) this.#sink.write(shown);
    const waitMs = (this.#bytesAhead / limits.tailPanelBytesPerSecond - 1) * windowMs;
    if (waitMs <= 0) return;
    await sleep(waitMs, undefined, { signal: this.#sink.signal }).catch(() => undefined);
  }

  #lineOf(json: string): object | undefined {
    if (json === '') return undefined;
    const { names, timestamp, severity, text } = readTailLine(json);
    if (!this.#isShown(names)) return undefined;
    if (this.#filter?.matcher(text).find() === false) return undefined;
    if (this.#windowLines >= limits.tailPanelLinesPerSecond || this.#sink.isFull) {
      this.#skippedLines += 1;
      return undefined;
    }
    this.#windowLines += 1;
    const cutCharacters = Math.max(0, text.length - limits.tailPanelLineCharactersMax);
    const kept = text.slice(0, limits.tailPanelLineCharactersMax);
    return { timestamp, severity, text: kept, ...(cutCharacters > 0 && { cutCharacters }) };
  }
}

/** Names of containers contain no wildcard. */
function globOf({ namespace, pod, container }: PanelRequest): string {
  const glob = [namespace, pod, container].join('/');
  try {
    if (/[*?]/.test(glob)) throw new RangeError('a wildcard');
    parseGlob(glob);
  } catch {
    throw configError('namespace, pod and container name one container');
  }
  return glob;
}

function isOf(wanted: PanelRequest, names: ContainerNames): boolean {
  return (['namespace', 'pod', 'container'] as const).every((name) => wanted[name] === names[name]);
}
