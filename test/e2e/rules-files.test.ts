// Rules hold for every byte that a container wrote, wherever it is by now: rotated, compressed, cut
// by a rotation, kept after its pod was deleted, in Docker's format; and while rules change.

import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { runOnce, startAgentProcess, until } from '../support/agent-process.ts';
import { entriesOf, holdsOpen, withAdmin, type Shown } from '../support/agent-status.ts';
import { fakePod, FakeApiServer } from '../support/fake-api-server.ts';
import { useScene, type Scene } from '../support/scene.ts';

let scene: Scene;
useScene(16, (made) => (scene = made));

let server: FakeApiServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

type RuledEntry = Shown & {
  readonly logName: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly split?: { readonly index?: number; readonly totalSplits: number };
};
type Container = ReturnType<ReturnType<Scene['kubelet']['startPod']>['container']>;

const rules = `
rules:
  - drop: 'GET /healthz'
  - parse: logfmt
    severity: { from: level, map: pino }
    message: msg
    labels: { team: core }
    redact: { pattern: 'key=(\\w)\\w*', with: 'key=$1…' }
`;
const long = 'x'.repeat(40_000);
/** A text over 256 KB is several entries; an object would lose the end of its longest string. */
const huge = 'y'.repeat(300_000);

function writeConfig(yaml: string): string {
  const config = path.join(scene.scratch.path, 'tailship.yaml');
  writeFileSync(config, yaml);
  return `--config=${config}`;
}

async function shipped(): Promise<RuledEntry[]> {
  return (await entriesOf(scene.emulator.url)) as RuledEntry[];
}

/** Two lines that are shaped in every way, and one that is left out. */
function writeSome(container: Container, name: string): void {
  container.write([
    `level=40 msg="${name} one key=abc" n=1`,
    'GET /healthz 200',
    { stream: 'stderr', text: `level=error msg="${name} two" long=${long}` },
  ]);
}

/** What `writeSome` becomes, and the record that a rotation cut. */
function expectShaped(entries: readonly RuledEntry[], names: readonly string[]): void {
  const messages = entries.map(({ jsonPayload }) => String(jsonPayload?.['message']));
  const expected = names.flatMap((name) => [`${name} one key=a…`, `${name} two`, `${name} cut`]);
  expect(messages.toSorted()).toEqual(expected.toSorted());
  for (const { jsonPayload, severity, labels } of entries) {
    expect(severity).toMatch(/^(?:WARNING|ERROR)$/);
    expect(labels).toMatchObject({ team: 'core' });
    expect(jsonPayload).not.toHaveProperty('level');
  }
}

/** Files of four rotations, each of which cuts a record in two. */
async function writeAndRotate(container: Container, names: readonly string[]): Promise<void> {
  for (const name of names) {
    writeSome(container, name);
    container.write([{ text: `level=error msg="${name} `, partial: true }]);
    await container.rotate();
    container.write(['cut"']);
  }
}

const names = ['first', 'second', 'third', 'fourth'];

test('rotated, compressed and cut records are shaped by --once', async () => {
  const { kubelet, agent } = scene;
  const container = kubelet
    .startPod({ namespace: 'shop', pod: 'web-0', containers: ['app'] })
    .container();
  await writeAndRotate(container, names);
  expect(container.rotatedNames().filter((name) => name.endsWith('.gz')).length).toBeGreaterThan(1);
  const { code, summary } = await runOnce({ ...agent, flags: [writeConfig(rules)] });
  expect(code).toBe(0);
  expect(summary).toMatchObject({ entries: 3 * names.length });
  expectShaped(await shipped(), names);
});

test('records around a rotation are shaped while the agent runs', async () => {
  const { kubelet, agent } = scene;
  const container = kubelet
    .startPod({ namespace: 'shop', pod: 'web-0', containers: ['app'] })
    .container();
  startAgentProcess({ ...agent, flags: [writeConfig(rules)] });
  for (const [index, name] of names.entries()) {
    await writeAndRotate(container, [name]);
    const count = 3 * (index + 1);
    await until(`${name} came`, async () => (await shipped()).length >= count);
  }
  expectShaped(await shipped(), names);
  container.write([{ stream: 'stderr', text: `"no logfmt" key=abc ${huge} key=abc` }]);
  const parts = async () => (await shipped()).filter(({ split }) => split !== undefined);
  await until('a split record came', async () => {
    const found = await parts();
    return found.length > 1 && found.length === found[0]?.split?.totalSplits;
  });
  for (const part of await parts()) {
    expect(part).toMatchObject({ severity: 'ERROR', labels: { team: 'core' } });
  }
  const inOrder = (await parts()).toSorted(
    (one, other) => (one.split?.index ?? 0) - (other.split?.index ?? 0),
  );
  const whole = inOrder.map(({ textPayload }) => textPayload).join('');
  expect(whole).toMatch(/^seq=\d+ "no logfmt" key=a… y{300000} key=a…$/);
});

test('files that are kept after their pod was deleted have the rules of its labels', async () => {
  const { kubelet, agent, emulator } = scene;
  server = new FakeApiServer();
  const url = await server.listen();
  const node = 'gke-blue-pool-1-7f3a';
  const annotations = { 'example.com/owner': 'ann' };
  const known = fakePod(1, { node, annotations });
  server.put(known);
  const { namespace, name, uid } = known.metadata;
  const pod = kubelet.startPod({ namespace, pod: name, uid, containers: ['app'] });
  const own = `
  - match: { labels: { app: web } }
    labels: { owner: { annotation: example.com/owner }, app: { podLabel: app } }
`;
  const flags = [writeConfig(`${rules.trimEnd()}${own}`), `--kubernetes-api=${url}`];
  const first = startAgentProcess({ ...agent, flags });
  pod.container().write(['level=error msg=before']);
  await until('the first came', async () => (await shipped()).length === 1);
  await emulator.setFaults({ mode: 'status', status: 503 });
  writeSome(pod.container(), 'kept');
  pod.container().write(['level=error msg="kept cut"']);
  await until('the log is open', () => holdsOpen(first.pid, pod.directory));
  pod.delete();
  server.remove(uid);
  await until('it is copied', () => copies() === 1);
  await first.kill();
  await emulator.setFaults({});
  startAgentProcess({ ...agent, flags });
  await until('all came', async () => (await shipped()).length >= 4);
  const entries = await shipped();
  expectShaped(entries.slice(1), ['kept']);
  for (const { labels } of entries) expect(labels).toMatchObject({ owner: 'ann', app: 'web' });
});

function copies(): number {
  const folder = path.join(scene.agent.stateDir, 'orphans');
  if (!existsSync(folder)) return 0;
  return readdirSync(folder).filter((name) => name.endsWith('.json')).length;
}

test('lines in the format of Docker are joined and shaped', async () => {
  const { agent, scratch } = scene;
  const id = 'ab'.repeat(32);
  const directory = path.join(scratch.path, 'docker', id);
  const containersDir = path.join(scratch.path, 'containers');
  mkdirSync(directory, { recursive: true });
  mkdirSync(containersDir);
  const line = (log: string, stream = 'stdout') =>
    `${JSON.stringify({ log, stream, time: '2024-03-05T14:07:01.5Z' })}\n`;
  const file = path.join(directory, `${id}-json.log`);
  const parts = [
    line('level=40 msg="docker one '),
    line('level=error msg="docker two" n=1\n', 'stderr'),
    line('key=abc"\n'),
    line('GET /hea'),
    line('lthz\n'),
    line('{"level":50,"msg":"docker cut"}\n'),
  ];
  writeFileSync(file, parts.join(''));
  symlinkSync(file, path.join(containersDir, `web-0_shop_app-${id}.log`));
  const kubelet = { containersDir, podsDir: path.join(scratch.path, 'docker') };
  const { code } = await runOnce({ ...agent, kubelet, flags: [writeConfig(rules)] });
  expect(code).toBe(0);
  // A record of which nothing but the message is left is a text.
  const entries = (await shipped()).map((entry) => ({
    ...entry,
    jsonPayload: entry.jsonPayload ?? { message: entry.textPayload },
  }));
  expectShaped(entries, ['docker']);
});

test.each(['--rules FILE alone', 'rules: FILE in the file of --config'])(
  'a file of rules is read again at a SIGHUP: %s',
  async (way) => {
    const { kubelet, agent, scratch } = scene;
    const container = kubelet
      .startPod({ namespace: 'shop', pod: 'web-0', containers: ['app'] })
      .container();
    const file = path.join(scratch.path, 'rules.yaml');
    const admin = await withAdmin();
    writeFileSync(file, '- set: { a: first }\n');
    const own = way.startsWith('--') ? `--rules=${file}` : writeConfig(`rules: ${file}\n`);
    const { pid, log } = startAgentProcess({ ...agent, flags: [own, ...admin.flags] });
    const comes = (value: string) => async () => {
      container.write(['x']);
      return (await shipped()).some(({ jsonPayload }) => jsonPayload?.['a'] === value);
    };
    await until('the first comes', comes('first'));
    const reload = async (text: string, result: 'accepted' | 'refused') => {
      const before = (await admin.status())?.configReloads[result] ?? 0;
      if (text === '') rmSync(file);
      else writeFileSync(file, text);
      process.kill(pid, 'SIGHUP');
      await until(
        `it is ${result}`,
        async () => ((await admin.status())?.configReloads[result] ?? 0) > before,
      );
    };
    await reload('- set: { a: second }\n', 'accepted');
    await until('the second comes', comes('second'));
    await reload('- set: { a: third }\n- { drop: "(" }\n', 'refused');
    expect(log.some((line) => line.includes(`rules[1].drop in ${file}`))).toBe(true);
    await reload('', 'refused');
    const count = (await shipped()).length;
    await until('lines go on', async () => {
      container.write(['x']);
      return (await shipped()).length > count;
    });
    expect((await shipped()).at(-1)?.jsonPayload).toMatchObject({ a: 'second' });
  },
);

/** Every part of a version says which one it is. */
function versionOf(version: number): string {
  const text = `v${version}`;
  return `
rules:
  - { set: { a: ${text} }, logName: ${text} }
  - { set: { b: ${text} }, labels: { c: ${text} } }
  - { match: { stream: stderr }, labels: { d: ${text} } }
`;
}

test('a reload under load changes rules as a whole, and an invalid one nothing', async () => {
  const { kubelet, agent } = scene;
  const containers = ['web-0', 'web-1', 'web-2'].map((pod) =>
    kubelet.startPod({ namespace: 'shop', pod, containers: ['app'] }).container(),
  );
  const admin = await withAdmin();
  const config = writeConfig(versionOf(0));
  const { pid } = startAgentProcess({ ...agent, flags: [config, ...admin.flags] });
  await until('it runs', async () => (await admin.status()) !== undefined);
  let written = 0;
  const write = () => {
    for (const container of containers) {
      container.write(['out', { stream: 'stderr', text: 'err' }, '{"n":1}']);
      written += 3;
    }
  };
  const rounds = 9;
  const countOf = async (result: 'accepted' | 'refused') =>
    (await admin.status())?.configReloads[result] ?? 0;
  for (let round = 1; round <= rounds; round += 1) {
    const isInvalid = round % 3 === 0;
    const refusedBefore = await countOf('refused');
    writeConfig(versionOf(round) + (isInvalid ? "  - { drop: '(' }\n" : ''));
    process.kill(pid, 'SIGHUP');
    const isDone = async () => {
      write();
      if (isInvalid) return (await countOf('refused')) > refusedBefore;
      return (await shipped()).some(({ logName }) => logName.endsWith(`/v${round}`));
    };
    await until(`reload ${round}`, isDone, { everyMs: 5 });
  }
  write();
  await until('all came', async () => (await shipped()).length >= written);
  const entries = await shipped();
  expect(entries).toHaveLength(written);
  for (const { jsonPayload = {}, labels = {}, logName } of entries) {
    const version = String(jsonPayload['a']);
    expect(version).toMatch(/^v(?:[01]|2|4|5|7|8)$/);
    expect([jsonPayload['b'], labels['c']]).toEqual([version, version]);
    expect(logName.endsWith(`/${version}`), logName).toBe(true);
    if (String(jsonPayload['message']).endsWith('err')) expect(labels['d']).toBe(version);
  }
});
