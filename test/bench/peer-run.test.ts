// Every adapter whose program is here ships a small corpus, and says nothing of errors. The figures
// do not matter: what matters is that an adapter in the tables has been run.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Corpus, writeCorpus } from '../../bench/corpus.ts';
import { startMeasured } from '../../bench/measure.ts';
import { makeTask, type Place, runPeer } from '../../bench/peer-run.ts';
import { askVersion, type Peer } from '../../bench/peers/peer.ts';
import { peers } from '../../bench/peers/peers.ts';
import { startSink } from '../../bench/sink-client.ts';
import { makeWorkspace } from '../../bench/workspace.ts';
import { eventually } from '../support/eventually.ts';

const timeoutMs = 120_000;
/** Comes with fluentd. */
const forwardSender = 'fluent-cat';
const workspace = makeWorkspace(2 ** 20);
const sink = await startSink();
const progress = { plan: () => {}, ran: () => {}, say: () => {}, end: () => {} };
const place: Place = { sink, workspace, gzip: false, progress };
let corpus: Corpus;
let partials: Corpus;
beforeAll(() => {
  const shape = { kind: 'text', lineCount: 8_000, fileCount: 4, seed: 1 } as const;
  corpus = writeCorpus({ ...shape, folder: workspace.makeLogs('text') });
  const long = { kind: 'long', lineCount: 40, fileCount: 4, seed: 1 } as const;
  partials = writeCorpus({ ...long, folder: workspace.makeLogs('long') });
});
afterAll(async () => {
  await sink.stop();
  workspace.remove();
});

for (const peer of peers) {
  const version = peer.find();
  test.skipIf(version === undefined)(`${peer.name} ships every line once`, async () => {
    const found = { ...peer, version: version ?? '' };
    const { cost, stats } = await runPeer(found, corpus, place, timeoutMs);
    expect(stats).toMatchObject({ distinct: 8_000, doubled: 0, unknown: 0 });
    expect(cost.stderr).not.toMatch(/error/i);
    expect(cost.cpuSeconds).toBeGreaterThan(0);
  });
}

/** What is installed of the peers whose names begin like this. */
function findPeer(name: string): Peer | undefined {
  const peer = peers.find((each) => each.name === name);
  return peer?.find() === undefined ? undefined : peer;
}

const syslogNg = findPeer('syslog-ng-tuned');
test.skipIf(!syslogNg)('tuned syslog-ng fills its batches from four files', async () => {
  const found = { ...(syslogNg as Peer), version: '' };
  const { stats } = await runPeer(found, corpus, place, timeoutMs);
  // 2,000 lines a batch; with 100 lines of a file under way it was 400, and a second for each.
  expect(8_000 / stats.requests).toBeGreaterThan(800);
});

for (const name of ['rsyslog', 'rsyslog-tuned']) {
  const rsyslog = findPeer(name);
  test.skipIf(!rsyslog)(`${name} has no complaint about the answers`, async () => {
    let log = '';
    const found = { ...(rsyslog as Peer), version: '' };
    const watched = {
      ...found,
      command: (task: Parameters<Peer['command']>[0]) => {
        log = path.join(task.stateDir, 'rsyslogd.log');
        return found.command(task);
      },
    };
    await runPeer(watched, corpus, place, timeoutMs);
    const text = readFileSync(log, 'utf8');
    expect(text).toContain('start');
    expect(text).not.toMatch(/error|omelasticsearch|suspended/i);
  });
}

test('an agent that joins partial lines is run on them, and each arrives once', async () => {
  const tailship = findPeer('tailship') as Peer;
  const { stats } = await runPeer({ ...tailship, version: '' }, partials, place, timeoutMs);
  expect(stats).toMatchObject({ distinct: 40, doubled: 0, unknown: 0 });
});

/** Sends to the socket of `fluent-bit-fluentd`, as Fluent Bit would, and stops when all arrived. */
test.skipIf(askVersion('fluentd', '--version') === undefined)(
  'the fluentd of the relay takes what is forwarded to its socket, and posts it',
  async () => {
    const relay = peers.find(({ name }) => name === 'fluent-bit-fluentd') as Peer;
    const task = makeTask(place, relay, corpus, true);
    await sink.reset(3);
    for (const { name, text } of relay.configFiles(task)) {
      writeFileSync(path.join(task.stateDir, name), text);
    }
    const config = path.join(task.stateDir, 'fluentd.conf');
    const running = startMeasured({
      file: 'fluentd',
      args: ['--no-supervisor', '-q', '-c', config],
    });
    const socket = path.join(task.stateDir, 'forward.sock');
    await eventually(() => expect(existsSync(socket)).toBe(true));
    const args = ['--unix', '--socket', socket, 'kubernetes.var.log'];
    const sender = spawn(forwardSender, args, { stdio: ['pipe', 'inherit', 'inherit'] });
    for (const seq of [0, 1, 2]) sender.stdin.write(`{"log":"seq=000000000${seq} forwarded"}\n`);
    sender.stdin.end();
    expect((await once(sender, 'exit'))[0]).toBe(0);
    const arrived = async () => (await sink.stats()).distinct;
    await eventually(async () => expect(await arrived()).toBe(3));
    expect((await running.stop()).exitCode).toBe(0);
  },
);

/** fluentd's own sender waits for an acknowledgement of each chunk, and repeats without one. */
test.skipIf(findPeer('fluentd-tuned') === undefined)(
  'a fluentd that forwards to the sink gets its acknowledgements',
  async () => {
    const fluentd = findPeer('fluentd-tuned') as Peer;
    const { hostname, port } = new URL(sink.forwardUrl);
    const forward = `
<match kubernetes.**>
  @type forward
  require_ack_response true
  ack_response_timeout 5s
  <server>
    host ${hostname}
    port ${port}
  </server>
  <buffer>
    flush_interval 1s
  </buffer>
</match>
`;
    const sender = {
      ...fluentd,
      version: '',
      configFiles: (task: Parameters<Peer['configFiles']>[0]) =>
        fluentd.configFiles(task).map(({ name, text }) => {
          return { name, text: text.replace(/<match [\s\S]*<\/match>\n/, forward) };
        }),
    };
    const { stats, cost } = await runPeer(sender, corpus, place, timeoutMs);
    expect(stats).toMatchObject({ distinct: 8_000, doubled: 0, unknown: 0 });
    expect(cost.stderr).not.toMatch(/error|no ack|timeout/i);
  },
);
