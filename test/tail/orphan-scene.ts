// A pod whose log was read in part, and that was deleted some seconds ago; what keeps its bytes,
// and what a later run finds of them.

import { existsSync, mkdirSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { limits } from '../../src/config.ts';
import { restoreTemplate } from '../../src/encode/entries/entry-template.ts';
import { steadyNowMs } from '../../src/steady-clock.ts';
import { Chain } from '../../src/tail/chain.ts';
import type { OrphanSource } from '../../src/tail/orphan-copy.ts';
import { noPodTexts } from '../../src/tail/reading-rules.ts';
import { Spooler } from '../../src/tail/spooler.ts';
import type { KnownOffset, TailSetup } from '../../src/tail/tail-setup.ts';
import type { FaultyFs } from '../support/faulty-fs.ts';
import { makeTailSetup } from './tail-fixture.ts';

const name = { namespace: 'ns', pod: 'pod', container: 'api', podUid: 'uid', restartCount: 0 };

export const lineOf = (number: number) =>
  `2024-03-05T14:07:00.${String(number).padStart(9, '0')}Z stdout F line ${'x'.repeat(number % 90)}\n`;

export const fiftyLines = Array.from({ length: 50 }, (_, index) => lineOf(index)).join('');

export class OrphanScene {
  readonly directory: string;
  readonly state: string;
  readonly reports: string[] = [];
  readonly lost: { reason: string; bytes: number }[] = [];
  readonly setup: TailSetup;
  nowMs = steadyNowMs() - 10_000;
  /** What another run has saved. */
  stored: KnownOffset[] = [];
  /** What the encoder reads is another matter, and does not fail. */
  faulty: FaultyFs | undefined;
  readonly #text: string;

  readonly #positions: string;

  /** In an empty folder, or in that of a run before. */
  constructor(root: string, text: string) {
    this.#text = text;
    this.#positions = join(root, 'positions.json');
    if (existsSync(this.#positions)) {
      this.stored = JSON.parse(readFileSync(this.#positions, 'utf8')) as KnownOffset[];
    }
    this.directory = join(root, 'pods', 'ns_pod_uid', 'api');
    this.state = join(root, 'state');
    mkdirSync(this.directory, { recursive: true });
    mkdirSync(this.state, { recursive: true });
    this.setup = makeTailSetup(join(root, 'pods'), {
      lookup: () => this.stored,
      lost: ({ reason, bytes }) => this.lost.push({ reason, bytes }),
      report: (code, told) => this.reports.push(`${code} ${told}`),
    });
  }

  /** Whose the copies are. */
  get source(): OrphanSource {
    return {
      log: { linkPath: 'x', directory: this.directory, fileName: '0.log', format: 'cri', name },
      workload: { resource: '{"type":"k8s_container"}', labels: '"k8s-pod/app":"web"' },
      podTexts: noPodTexts,
      annotations: { 'tailship.dev/rate-limit': '1Mi' },
    };
  }

  makeChain(): Chain {
    const place = { directory: this.directory, liveName: '0.log', format: 'cri' } as const;
    return new Chain({ ...place, podUid: 'uid', container: 'api', restartCount: 0 }, this.setup);
  }

  makeSpooler(): Spooler {
    const report = (code: string, told: string) => this.reports.push(`${code} ${told}`);
    return new Spooler({ directory: this.state, roots: this.setup.roots, report });
  }

  /** Reads up to `bytes`, and has them acknowledged; returns what was read. */
  read(chain: Chain, bytes = 1e9): string {
    const { faulty, nowMs } = this;
    const cut = chain.cut(bytes, nowMs);
    chain.startDrain();
    const wasArmed = faulty?.isArmed === true;
    if (faulty !== undefined) faulty.isArmed = false;
    const pieces = cut.segments.map(({ fd, start, end }) => {
      const piece = Buffer.alloc(end - start);
      readSync(fd, piece, 0, piece.length, start);
      return piece.toString();
    });
    if (faulty !== undefined) faulty.isArmed = wasArmed;
    chain.advance(cut, { consumed: cut.segments.map(({ end }) => end), more: false }, nowMs);
    for (const [at, file] of cut.files.entries()) {
      const segment = cut.segments[at];
      if (segment !== undefined) file.acknowledge(file.begin(segment));
    }
    return pieces.join('');
  }

  makeDeleted(readBytes: number): Chain {
    mkdirSync(this.directory, { recursive: true });
    writeFileSync(join(this.directory, '0.log'), this.#text);
    const chain = this.makeChain();
    chain.look(this.nowMs);
    if (readBytes > 0) this.read(chain, readBytes);
    rmSync(this.directory, { recursive: true });
    for (let times = 0; times < 3; times += 1) chain.look((this.nowMs += 1_001));
    return chain;
  }

  async keep(spooler: Spooler, chain: Chain): Promise<void> {
    const { log: containerLog, workload, annotations } = this.source;
    const base = restoreTemplate({ project: 'p' }, workload);
    spooler.orphans.sweep();
    await spooler.orphans.keepAll(
      [{ containerLog, annotations, podTexts: noPodTexts, base, chain }],
      60_000,
    );
  }

  /** As the agent does before it removes what it has shipped; the store is another matter. */
  save(chain: Chain): void {
    const { faulty } = this;
    if (faulty !== undefined) faulty.isArmed = false;
    const checkpoints = chain.files.map((file) => file.checkpoint());
    writeFileSync(this.#positions, JSON.stringify(checkpoints));
    if (faulty !== undefined) faulty.isArmed = true;
  }

  /** What another run finds and reads; the copies are removed when it is read. */
  async readAgain(): Promise<{ readonly text: string; readonly sources: OrphanSource[] }> {
    const spooler = this.makeSpooler();
    const chain = this.makeChain();
    const found = spooler.orphans.list();
    for (const each of found) {
      spooler.orphans.adopt(chain.restore(each, this.nowMs), chain, each);
    }
    let text = '';
    for (let step = 0; step < 6; step += 1) {
      chain.look((this.nowMs += limits.spoolRetryMs));
      await spooler.start([{ chain }], this.nowMs);
      text += this.read(chain);
    }
    if (found.length > 0) this.save(chain);
    chain.look(this.nowMs);
    await this.keep(spooler, chain);
    chain.close();
    return { text, sources: found.map(({ record }) => record.source) };
  }
}
