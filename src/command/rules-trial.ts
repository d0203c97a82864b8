// Encodes the lines of a file as the agent does, without and with rules, in this thread. Reports
// what became of each record, and the cost of a line.

import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { threadCpuUsage } from 'node:process';

import type { LineFormat, Source } from '../encode/drain-task.ts';
import { createEncoder, drainTask } from '../encode/encoder.ts';
import {
  createTemplate,
  requestHead,
  type EntryTemplate,
} from '../encode/entries/entry-template.ts';
import { shapeTemplate } from '../encode/entries/shape-template.ts';
import { parseCriLine } from '../encode/records/cri-line.ts';
import { parseDockerLine } from '../encode/records/docker-line.ts';
import { createSharedMemory, slotAddress } from '../encode/shared-memory.ts';
import type { Config } from '../options/options.ts';
import { compileRules, type ResolvedRules } from '../rules/resolve-rules.ts';
import type { Rule } from '../rules/rule.ts';
import { makeScratchDirectory } from '../scratch-directory.ts';

/** Entries as JSON without the common fields, and names of rules. */
export type TriedLine = {
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly applied: readonly string[];
  readonly missed: readonly string[];
  readonly droppedBy: string | undefined;
};

export type Trial = {
  readonly lines: readonly TriedLine[];
  readonly lineCount: number;
  readonly entryCount: number;
  readonly microsPerLine: number;
  readonly microsBefore: number;
  readonly matching: readonly string[];
};

const layout = { encoderCount: 1, slotCount: 1 };
const idPrefix = '0'.repeat(22);
const idCharacters = 30;
/** CPU time to measure, and warm-up runs before it. */
const measuredMs = 300;
/** Bytes of one run at most: short lines would make a megabyte take seconds. */
const measuredBytes = 1024 * 1024;
const measuredLines = 10_000;
const warmRuns = 3;

type Identity = Parameters<typeof createTemplate>[0];
type Outcome = Pick<TriedLine, 'applied' | 'missed' | 'droppedBy'>;

/** Tries the rules of the named container, or all rules without a name. */
export function tryRules(rules: readonly Rule[], input: Buffer, config: Config): Trial {
  const { project = 'PROJECT', location = 'LOCATION', cluster = 'CLUSTER', node = '' } = config;
  const identity = { project, location, cluster, node };
  const names = {
    namespace: config.namespace ?? 'namespace',
    pod: config.pod ?? 'pod',
    container: config.container ?? 'container',
  };
  const resolved = resolveFor(rules, names, config);
  const base = createTemplate(identity, names, '');
  const template = shapeTemplate(base, project, resolved.template);
  const shared = {
    format: formatOf(input),
    joinStackTraces: config.joinStackTraces,
    fallbackTime: new Date().toISOString(),
  };
  const withFile = <Result>(content: Buffer, work: (before: Run, after: Run) => Result): Result =>
    openContent(content, (file) => {
      const source = { ...shared, ...file };
      const before = new Run(identity, source, base, {});
      return work(before, new Run(identity, source, template, resolved));
    });
  const compared = withFile(input, (before, after) => compare(before, after, resolved));
  const costs = withFile(repeated(input, compared.lineCount), (before, after) => ({
    microsBefore: microsOf(before),
    microsPerLine: microsOf(after),
  }));
  return { ...compared, ...costs };
}

/** Repeated until the fixed cost of a task is negligible. */
function repeated(input: Buffer, lines: number): Buffer {
  const whole = input.at(-1) === 0x0a ? input : Buffer.concat([input, Buffer.from('\n')]);
  const times = Math.min(measuredBytes / whole.length, measuredLines / Math.max(1, lines));
  const count = Math.max(1, Math.floor(times));
  return Buffer.concat(Array.from({ length: count }, () => whole));
}

type OpenContent = { readonly fd: number; readonly end: number };

/** Runs `work` on a temporary file with this content. */
function openContent<Result>(content: Buffer, work: (file: OpenContent) => Result): Result {
  const folder = makeScratchDirectory(tmpdir(), 'tailship-rules-');
  const file = join(folder, 'input');
  writeFileSync(file, content);
  const fd = openSync(file, 'r');
  try {
    return work({ fd, end: content.length });
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true, force: true });
  }
}

function resolveFor(
  rules: readonly Rule[],
  names: { readonly namespace: string; readonly pod: string; readonly container: string },
  { namespace, pod, container }: Config,
): ResolvedRules {
  const isNamed = [namespace, pod, container].some((name) => name !== undefined);
  const tried = isNamed
    ? rules
    : rules.map((rule) => ({ ...rule, match: { ...rule.match, containers: [], podLabels: {} } }));
  return compileRules(tried)({ ...names, labels: {}, annotations: {} });
}

/** The format of the first line; unknown formats are text. */
function formatOf(input: Buffer): LineFormat {
  const end = input.indexOf(0x0a);
  const line = input.subarray(0, end === -1 ? input.length : end);
  if (parseCriLine(line, 0, line.length) !== undefined) return 'cri';
  return parseDockerLine(line, 0, line.length) === undefined ? 'raw' : 'docker';
}

type RunSource = Pick<Source, 'format' | 'joinStackTraces'> &
  OpenContent & {
    /** For lines without a time. */
    readonly fallbackTime: string;
  };

class Run {
  readonly #memory = createSharedMemory(layout);
  readonly #bytes = Buffer.from(this.#memory.buffer);
  readonly #encoder;
  readonly #head: Uint8Array;
  readonly #sourceFrom: (start: number) => Source;
  readonly #end: number;
  readonly outcomes = new Map<string, Outcome>();

  constructor(
    identity: Identity,
    { fd, end, fallbackTime, ...source }: RunSource,
    template: EntryTemplate,
    { steps, firstLine }: Partial<ResolvedRules>,
  ) {
    const rule = {
      redact: [],
      shares: undefined,
      ...(steps && { steps }),
      ...(firstLine && { firstLine }),
    };
    const { resource, logName, labels } = template;
    this.#sourceFrom = (start) => ({
      ...source,
      resource,
      logName,
      labels,
      segments: [{ fd, start, end, ended: true, idPrefix, fallbackTime }],
      ended: true,
      flushFirst: false,
      ...((steps ?? firstLine) && { recordRule: rule }),
    });
    this.#end = end;
    this.#head = requestHead(identity, { resource: '', labels: '' });
    this.#encoder = {
      ...createEncoder(this.#memory, 0),
      onRuled: (id: string, outcome: Outcome) =>
        this.outcomes.set(id.slice(0, idCharacters), outcome),
    };
  }

  /** Encodes the whole input; `take` gets each entry. Returns the number of lines. */
  drain(take?: (entry: string) => void): number {
    let start = 0;
    let lines = 0;
    for (;;) {
      const source = this.#sourceFrom(start);
      const task = { slot: 0, head: this.#head, sources: [source], traceParent: undefined };
      const result = drainTask(this.#encoder, layout, { ...task, readAtMs: Date.now() });
      const [answer] = result.sources;
      const next = answer?.consumed[0] ?? start;
      lines += answer?.lines ?? 0;
      if (take !== undefined && result.bodyBytes > 0) {
        for (const entry of this.#entriesOf(result.bodyBytes)) take(entry);
      }
      if (next === start || next >= this.#end) return lines;
      start = next;
    }
  }

  #entriesOf(bodyBytes: number): string[] {
    const at = slotAddress(layout, 0);
    const text = this.#bytes.toString('utf8', at + this.#head.length, at + bodyBytes - 2);
    return text.split(',\n');
  }
}

/** An entry without its id and resource. */
function shown(entry: string): { readonly id: string; readonly text: string } {
  const fields = JSON.parse(entry) as Record<string, unknown>;
  const id = String(fields['insertId']).slice(0, idCharacters);
  const hidden = { insertId: undefined, resource: undefined };
  return { id, text: JSON.stringify({ ...fields, ...hidden }) };
}

function collect(run: Run): { readonly byId: Map<string, string[]>; readonly lines: number } {
  const byId = new Map<string, string[]>();
  const lines = run.drain((entry) => {
    const { id, text } = shown(entry);
    const texts = byId.get(id);
    if (texts === undefined) byId.set(id, [text]);
    else texts.push(text);
  });
  return { byId, lines };
}

/** A record that was joined to another is listed on its own before. */
function compare(
  before: Run,
  after: Run,
  { matching }: ResolvedRules,
): Omit<Trial, 'microsPerLine' | 'microsBefore'> {
  const old = collect(before);
  const made = collect(after);
  const none = { applied: [], missed: [], droppedBy: undefined };
  const ids = new Set([...old.byId.keys(), ...made.byId.keys()]);
  const lines = Array.from(ids, (id) => ({
    before: old.byId.get(id) ?? [],
    after: made.byId.get(id) ?? [],
    ...(after.outcomes.get(id) ?? none),
  }));
  return {
    lines,
    lineCount: made.lines,
    entryCount: made.byId.values().reduce((sum, texts) => sum + texts.length, 0),
    matching: matching.map(({ name }) => name),
  };
}

/** CPU time per line, after warm-up. */
function microsOf(run: Run): number {
  for (let count = 0; count < warmRuns; count++) run.drain();
  const endMs = performance.now() + measuredMs;
  const start = threadCpuUsage();
  let lines = 0;
  do lines += run.drain();
  while (performance.now() < endMs && lines > 0);
  const { user, system } = threadCpuUsage(start);
  return lines === 0 ? 0 : (user + system) / lines;
}
