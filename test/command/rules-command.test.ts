// `tailship rules test` and `rules explain`, as a user runs them.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

import { tryRules } from '../../src/command/rules-trial.ts';
import { parseRules } from '../../src/rules/parse-rules.ts';
import { startAgentProcess, until } from '../support/agent-process.ts';
import { withAdmin } from '../support/agent-status.ts';
import { makeConfig } from '../support/make-config.ts';
import { cpuMsOf } from '../support/own-time.ts';
import { type Scene, useScene } from '../support/scene.ts';

let scratch: Scene['scratch'];
let kubelet: Scene['kubelet'];
let agent: Scene['agent'];
useScene(7, (scene) => ({ scratch, kubelet, agent } = scene));

const mainFile = path.resolve(import.meta.dirname, '../../src/main.ts');
const rules = `
rules:
  - match: 'shop/*/*'
    drop: 'GET /healthz'
  - name: fields
    match: 'shop/*/*'
    parse: logfmt
    severity: { from: level, map: pino }
    project: other-project
`;

function write(name: string, text: string): string {
  const file = path.join(scratch.path, name);
  writeFileSync(file, text);
  return file;
}

function run(words: readonly string[], input = '') {
  const args = ['--no-warnings', mainFile, 'rules', ...words];
  return spawnSync(process.execPath, args, { input, encoding: 'utf8' });
}

describe('rules test', () => {
  test('prints what becomes of each line, which rules did it, and what it costs', () => {
    const input = write('input', 'GET /healthz\nlevel=40 n=1\nplain\n');
    const { stdout, status } = run([
      'test',
      '--rules',
      write('rules.yaml', rules),
      '--input',
      input,
    ]);
    expect(status).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toEqual([
      '@@ rules 1; dropped by 1',
      expect.stringMatching(/^- \{"textPayload":"GET \/healthz"/),
      '@@ rules fields',
      expect.stringMatching(/^- \{"textPayload":"level=40 n=1"/),
      expect.stringMatching(/^\+ .*"jsonPayload":\{"n":"1"\}.*"severity":"WARNING"/),
      '@@ missed by fields',
      expect.stringMatching(/^- \{"textPayload":"plain"/),
      expect.stringMatching(/^\+ .*other-project.*"textPayload":"plain"/),
      expect.stringMatching(
        /^3 lines, 2 entries; .*: 1, fields; [\d.]+ µs a line \([\d.]+ without/,
      ),
    ]);
  });

  test('takes log lines from stdin, of the container that is named', () => {
    const file = write('rules.yaml', rules);
    const input = '2024-03-05T14:07:21Z stdout P GET /hea\n2024-03-05T14:07:22Z stdout F lthz\n';
    const flags = ['--namespace=data', '--json'];
    const other = run(['test', '--rules', file, '--input=-', ...flags], input);
    expect(JSON.parse(other.stdout)).toMatchObject({ applied: [], missed: [] });
    const own = run(['test', '--rules', file, '--input=-', '--namespace=shop'], input);
    expect(own.stdout).toContain('"timestamp":"2024-03-05T14:07:21Z"');
  });

  test('measures short lines as quickly as long ones', () => {
    const { rules: list } = parseRules([{ drop: 'zz' }, { set: { a: 'b' } }]);
    const ms = cpuMsOf(() => tryRules(list, Buffer.from('x\ny\n'), makeConfig()));
    expect(ms).toBeLessThan(4_000);
  });

  test('says what is wrong with the rules, and with the words', () => {
    const file = write('rules.yaml', 'rules: [{ drp: x }]');
    const wrong = run(['test', '--rules', file, '--input=-']);
    expect(wrong.status).toBe(2);
    expect(wrong.stderr).toContain(`rules[0].drp in ${file} is unknown; meant is drop?`);
    expect(run(['tset']).stderr).toContain('needs test|explain; got tset');
    expect(run(['test', '--input=-']).stderr).toContain('needs --rules FILE');
    const list = write('list.yaml', '- drop: x\n- set: { a: b }\n');
    expect(run(['test', '--rules', list, '--input=-'], 'x\ny\n').stdout).toContain('dropped by 1');
    for (const [input, text] of [
      [path.join(scratch.path, 'none.log'), '--input cannot be read: ENOENT'],
      [scratch.path, '--input cannot be read: EISDIR'],
      [write('empty.log', ''), 'has no line'],
    ] as const) {
      const { status, stderr } = run(['test', '--rules', list, '--input', input]);
      expect(status).toBe(2);
      expect(stderr).toContain(text);
    }
  });
});

test('rules explain says which rules the containers of a pod have, and why', async () => {
  const config = write('tailship.yaml', rules);
  kubelet
    .startPod({ namespace: 'shop', pod: 'web-0', containers: ['app'] })
    .container()
    .write(['a']);
  const admin = await withAdmin();
  startAgentProcess({ ...agent, flags: [`--config=${config}`, ...admin.flags] });
  await until('it reads', async () => (await admin.status())?.lines === 1);
  const { stdout, status } = run(['explain', 'web-0', ...admin.flags]);
  expect(status).toBe(0);
  expect(stdout.trimEnd().split('\n')).toEqual([
    'shop/web-0/app',
    '  1  drop  (match: shop/*/*)',
    '  fields  parse, severity, project  (match: shop/*/*)',
  ]);
  expect(run(['explain', 'none', ...admin.flags]).status).toBe(2);
});
