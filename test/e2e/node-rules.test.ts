// Rules, globs and limits hold for each log of the node by its name: `_node/NODE/kubelet`.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { runOnce, startAgentProcess, until } from '../support/agent-process.ts';
import { withAdmin } from '../support/agent-status.ts';
import { hasSystemd, journalPath, writeJournal } from '../support/journal-writer.ts';
import { type Scene, useScene } from '../support/scene.ts';

type Shipped = {
  readonly logName: string;
  readonly severity?: string;
  readonly timestamp: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly resource: { readonly type: string; readonly labels: Readonly<Record<string, string>> };
  readonly textPayload?: string;
  readonly jsonPayload?: Readonly<Record<string, unknown>>;
};

const mainFile = path.resolve(import.meta.dirname, '../../src/main.ts');

let scene: Scene;
let files: string;
let journal: string;
useScene(11, (given) => (scene = given));

beforeEach(() => {
  files = path.join(scene.scratch.path, 'var log');
  mkdirSync(files);
  journal = path.join(scene.scratch.path, 'journal');
  scene.kubelet.startPod({ namespace: 'ns', pod: 'pod', containers: ['c'] });
});

function agentOf(rules: readonly object[], ...flags: string[]): Scene['agent'] {
  const file = path.join(scene.scratch.path, 'tailship.yaml');
  writeFileSync(file, `rules: ${JSON.stringify(rules)}\n`);
  const own = [`--config=${file}`, '--node-logs=auto', `--journal-dir=${journal}`, ...flags];
  return { ...scene.agent, flags: own };
}

async function run(rules: readonly object[], ...flags: string[]): Promise<Shipped[]> {
  const { code, stderr } = await runOnce(agentOf(rules, ...flags));
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return await shipped();
}

async function shipped(): Promise<Shipped[]> {
  const answer = await fetch(`${scene.emulator.url}/emulator/entries`);
  const text = (await answer.text()).trim();
  return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as Shipped);
}

const unit = (name: string, message: string, fields: Readonly<Record<string, string>> = {}) => ({
  unit: `${name}.service`,
  message,
  fields,
});

function messages(entries: readonly Shipped[]): unknown[] {
  return entries.map(({ jsonPayload, textPayload }) => textPayload ?? jsonPayload?.['MESSAGE']);
}

function logs(entries: readonly Shipped[]): string[] {
  return entries.map(({ logName }) => logName);
}

describe.skipIf(!hasSystemd)('of the journal', () => {
  test('an entry is shaped by the rules for its log, and by those for the journal', async () => {
    writeJournal(journalPath(journal), [
      unit('kubelet', 'GET /healthz'),
      unit('kubelet', 'pod=web-0 ms=12', { PRIORITY: '3', _PID: '77' }),
      unit('containerd', 'GET /healthz', { PRIORITY: '3', _PID: '78' }),
    ]);
    const ofKubelet = {
      match: '_node/*/kubelet',
      drop: 'GET /healthz',
      parse: { format: 'logfmt', field: 'MESSAGE', keepField: true },
      severity: { from: 'PRIORITY', map: 'syslog' },
      rename: { ms: 'took' },
      remove: '_PID',
      labels: { team: 'core' },
      logName: 'my.kubelet',
      resource: { cluster_name: 'green' },
    };
    const ofAll = { match: '_node/*/journal', set: { seen: true } };
    const [first, second, ...more] = await run([ofKubelet, ofAll]);
    expect(more).toEqual([]);
    expect(first).toMatchObject({
      logName: 'projects/acme-logs-42/logs/my.kubelet',
      severity: 'ERROR',
      labels: { team: 'core' },
      resource: { type: 'k8s_node', labels: { cluster_name: 'green' } },
      jsonPayload: { MESSAGE: 'pod=web-0 ms=12', pod: 'web-0', took: '12', seen: true },
    });
    expect(first?.jsonPayload).not.toHaveProperty('_PID');
    expect(first?.jsonPayload).not.toHaveProperty('PRIORITY');
    expect(second).toMatchObject({
      logName: 'projects/acme-logs-42/logs/container-runtime',
      resource: { labels: { cluster_name: 'blue' } },
      jsonPayload: { MESSAGE: 'GET /healthz', PRIORITY: '3', _PID: '78', seen: true },
    });
    expect(second?.severity ?? 'DEFAULT').toBe('DEFAULT');
    expect(second?.labels).toBeUndefined();
  });

  test('entries for another project go to it, in their order with all others', async () => {
    const units = ['kubelet', 'containerd', 'kubelet', 'kubelet', 'docker', 'kubelet'];
    writeJournal(
      journalPath(journal),
      units.map((name, index) => unit(name, `line ${index}`)),
    );
    const entries = await run([{ match: '_node/*/kubelet', project: 'other-project' }]);
    expect(messages(entries)).toEqual(units.map((_, index) => `line ${index}`));
    const projects = units.map((name) => (name === 'kubelet' ? 'other-project' : 'acme-logs-42'));
    expect(logs(entries).map((log) => log.split('/')[1])).toEqual(projects);
  });

  test('globs name one log: what it is without, what is hidden in it, what is sampled', async () => {
    const entries = ['kubelet', 'containerd', 'ssh', 'docker', 'cron@7'].flatMap((name) => [
      unit(name, `token=${name}`),
      unit(name, 'debug', { PRIORITY: '7' }),
    ]);
    writeJournal(journalPath(journal), entries);
    const flags = [
      '--node-units=*',
      '--node-severity=priority',
      '--exclude=_node/*/docker',
      '--exclude=_node/*/cron?7',
      '--redact=_node/*/kubelet=token=[a-z]+',
      '--sample=_node/*/ssh:DEBUG=0',
    ];
    const arrived = await run([], ...flags);
    expect(messages(arrived)).toEqual([
      '[REDACTED]',
      'debug',
      'token=containerd',
      'debug',
      'token=ssh',
    ]);
  });

  test('what a rule cannot treat is shipped as it was, also what is hidden in parts', async () => {
    writeJournal(
      journalPath(journal),
      ['plain', 'secret=a b', 'xx'].map((text) => unit('kubelet', text)),
    );
    const rules = [
      { match: '_node/*/kubelet', parse: { regex: '^(?<word>x+)$' } },
      { match: '_node/*/kubelet', redact: { pattern: 'secret=\\S+', with: 'xxx' } },
    ];
    const entries = await run(rules);
    expect(messages(entries)).toEqual(['plain', 'xxx b', undefined]);
    expect(entries.at(-1)?.jsonPayload).toMatchObject({ word: 'xx', PRIORITY: '4' });
  });

  test('`rules explain` says which rules a log has that the agent has read', async () => {
    writeJournal(journalPath(journal), [unit('kubelet', 'one'), unit('docker', 'two')]);
    const admin = await withAdmin();
    const rules = [{ match: '_node/*/kubelet', name: 'healthz', drop: 'healthz' }];
    const agent = startAgentProcess(agentOf(rules, '--from=start', ...admin.flags));
    await until('both are read', async () => (await admin.status())?.journal?.logs.length === 2);
    const words = [mainFile, 'rules', 'explain', '_node/gke-blue-pool-1-7f3a', ...admin.flags];
    const stdout = execFileSync(process.execPath, words, { encoding: 'utf8' });
    expect(stdout.trimEnd().split('\n').toSorted()).toEqual([
      '  healthz  drop  (match: _node/*/kubelet)',
      '_node/gke-blue-pool-1-7f3a/docker: no rule',
      '_node/gke-blue-pool-1-7f3a/kubelet',
    ]);
    expect(await agent.stop()).toBe(0);
  });

  test('rules that are read again hold from then on', async () => {
    const file = journalPath(journal);
    writeJournal(file, [unit('kubelet', 'before')]);
    await runOnce(agentOf([]));
    const agent = startAgentProcess(agentOf([{ match: '_node', drop: 'healthz' }]));
    await until('it has begun', () => agent.log.length > 0);
    writeJournal(file, [unit('kubelet', 'healthz 1'), unit('kubelet', 'one')]);
    await until('the next has come', async () => (await shipped()).length === 2);
    agentOf([{ match: '_node/*/kubelet', labels: { at: 'last' } }]);
    process.kill(agent.pid, 'SIGHUP');
    await until('it was read', () => agent.log.some((line) => line.includes('configuration')));
    writeJournal(file, [unit('kubelet', 'healthz 2')]);
    await until('the last has come', async () => (await shipped()).length === 3);
    const all = await shipped();
    expect(messages(all)).toEqual(['before', 'one', 'healthz 2']);
    expect(all.at(-1)?.labels).toEqual({ at: 'last' });
    expect(await agent.stop()).toBe(0);
  });
});

test('a rule for a node file changes what it says, and leaves the log its name', async () => {
  for (const name of ['a', 'b', 'c']) {
    writeFileSync(path.join(files, `${name}.log`), 'level=error msg=hello\nGET /healthz\n');
  }
  const rules = [
    { match: '_node/*/a', labels: { team: 'core' }, drop: 'healthz' },
    { match: '_node/*/b', project: 'other-project', parse: 'logfmt', message: { from: 'msg' } },
    { match: '_node/*/c', logName: 'renamed', resource: { cluster_name: 'green' } },
  ];
  const flags = ['a', 'b', 'c'].map((name) => `--node-file=${name}=${files}/${name}.log`);
  const entries = await run(rules, ...flags);
  const of = (log: string) => entries.filter(({ logName }) => logName === `projects/${log}`);
  expect(of('acme-logs-42/logs/a')).toMatchObject([
    { textPayload: 'level=error msg=hello', labels: { team: 'core' } },
  ]);
  expect(of('other-project/logs/b')).toMatchObject([
    { jsonPayload: { level: 'error', message: 'hello' } },
    { textPayload: 'GET /healthz' },
  ]);
  expect(of('acme-logs-42/logs/renamed')).toMatchObject([
    { resource: { type: 'k8s_node', labels: { cluster_name: 'green' } } },
    { textPayload: 'GET /healthz' },
  ]);
  expect(entries).toHaveLength(5);
});
