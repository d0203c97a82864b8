import { createServer, type Server } from 'node:http';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkPressure } from '../../src/admin/cgroup-checks.ts';
import { runCheck } from '../../src/admin/check-command.ts';
import { checkEndpoint } from '../../src/admin/endpoint-checks.ts';
import type { Finding } from '../../src/admin/finding.ts';
import { checkHost } from '../../src/admin/host-checks.ts';
import { loadConfig } from '../../src/options/config-loader.ts';
import type { Config, ConfigKey } from '../../src/options/options.ts';
import { AgentError } from '../../src/errors.ts';
import { createLog } from '../../src/log.ts';
import { sendDryRun } from '../../src/ship/dry-run.ts';
import { FaultyFs } from '../support/faulty-fs.ts';
import { makeConfig } from '../support/make-config.ts';

let directory: string;
let containersDir: string;
let logRoot: string;
let stateDir: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tailship-check-'));
  containersDir = join(directory, 'containers');
  logRoot = join(directory, 'pods');
  stateDir = join(directory, 'state');
  for (const path of [containersDir, logRoot, stateDir]) mkdirSync(path);
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function link(name: string, target: string): void {
  symlinkSync(target, join(containersDir, name));
}

function linkLog(): void {
  writeFileSync(join(logRoot, '0.log'), '');
  link('a.log', join(logRoot, '0.log'));
}

function limitFiles({ instances = 128, watches = 10_000, descriptors = '20000' } = {}) {
  const inotifyDir = join(directory, 'inotify');
  mkdirSync(inotifyDir, { recursive: true });
  writeFileSync(join(inotifyDir, 'max_user_instances'), `${instances}\n`);
  writeFileSync(join(inotifyDir, 'max_user_watches'), `${watches}\n`);
  const processLimits = join(directory, 'limits');
  const row = `Max open files            ${descriptors}                20000                files\n`;
  writeFileSync(processLimits, `Limit  Soft Limit  Hard Limit  Units\n${row}`);
  return { inotifyDir, processLimits };
}

function hostFindings(overrides: Partial<Config> = {}, files = limitFiles()): Finding[] {
  const config = makeConfig({ containersDir, logRoot: [logRoot], stateDir, ...overrides });
  return checkHost(config, files);
}

function notOk(findings: readonly Finding[]): Finding[] {
  return findings.filter(({ level }) => level !== 'ok');
}

describe('checkHost()', () => {
  test('finds nothing wrong with a healthy node, and leaves nothing behind', () => {
    linkLog();
    expect(notOk(hostFindings())).toEqual([]);
    expect(readdirSync(stateDir)).toEqual([]);
  });

  test('follows a log root that is itself a link', () => {
    const real = join(directory, 'disk');
    mkdirSync(real);
    writeFileSync(join(real, '0.log'), '');
    rmSync(logRoot, { recursive: true });
    symlinkSync(real, logRoot);
    link('a.log', join(logRoot, '0.log'));
    expect(notOk(hostFindings())).toEqual([]);
  });

  test('warns where no log is: the directory is hardly the right one', () => {
    const [finding, ...others] = notOk(hostFindings());
    expect(finding).toMatchObject({
      name: 'containers-dir',
      level: 'warn',
      text: `${containersDir} holds no log`,
      advice: expect.stringContaining('mount it'),
    });
    expect(others).toEqual([]);
  });

  test('looks at raw files, and not at a directory of containers, where those are read', () => {
    const missing = join(directory, 'missing');
    const raw = { format: 'raw' as const, containersDir: missing, logRoot: [missing] };
    const rawPath = [join(logRoot, '*.log')];
    expect(notOk(hostFindings({ ...raw, rawPath }))).toMatchObject([
      { name: 'raw-path', level: 'warn', text: `no file matches ${rawPath[0]}` },
    ]);
    writeFileSync(join(logRoot, 'app.log'), '');
    expect(notOk(hostFindings({ ...raw, rawPath }))).toEqual([]);
  });

  test('fails for directories that are missing', () => {
    const missing = join(directory, 'missing');
    const findings = notOk(hostFindings({ containersDir: missing, logRoot: [missing] }));
    expect(findings.map(({ name, level }) => [name, level])).toEqual([
      ['containers-dir', 'fail'],
      ['log-root', 'fail'],
    ]);
  });

  test('warns of links that lead nowhere, or outside the roots', () => {
    link('a.log', join(logRoot, 'gone.log'));
    link('b.log', '/etc/hostname');
    link('c.log', '/etc/hostname');
    const texts = notOk(hostFindings()).map(({ text }) => text);
    expect(texts).toEqual([
      `${containersDir} has 3 links, but none leads to a log under ${logRoot}`,
      '1 log: the link leads nowhere, such as a.log',
      expect.stringMatching(/^2 logs: the link leads outside .*, such as [bc]\.log$/),
    ]);
  });

  test('takes a state directory that can be made, and fails for one that cannot', () => {
    linkLog();
    expect(notOk(hostFindings({ stateDir: join(stateDir, 'a', 'b') }))).toEqual([]);
    expect(readdirSync(stateDir)).toEqual([]);
    const file = join(directory, 'file');
    writeFileSync(file, '');
    for (const impossible of [file, join(file, 'below')]) {
      const [finding] = notOk(hostFindings({ stateDir: impossible }));
      expect(finding).toMatchObject({ name: 'state-dir', level: 'fail' });
    }
  });

  test('fails for a state directory that is full, and leaves nothing in it', () => {
    const files = limitFiles();
    const faulty = new FaultyFs({ failAt: 1, kinds: ['write'], code: 'ENOSPC' });
    try {
      const [finding] = notOk(hostFindings({}, files)).filter(({ name }) => name === 'state-dir');
      expect(finding?.level).toBe('fail');
      expect(finding?.text).toMatch(/ENOSPC/);
    } finally {
      faulty.restore();
    }
    expect(readdirSync(stateDir)).toEqual([]);
  });

  test('warns of limits of the kernel that are too low for the containers', () => {
    linkLog();
    const files = limitFiles({ instances: 1, watches: 5, descriptors: '30' });
    const names = notOk(hostFindings({}, files)).map(({ name, level }) => `${level} ${name}`);
    expect(names).toEqual([
      'warn inotify max_user_instances',
      'warn inotify max_user_watches',
      'warn open files',
    ]);
    expect(notOk(hostFindings({}, limitFiles({ descriptors: 'unlimited' })))).toEqual([]);
  });
});

describe('checkEndpoint()', () => {
  let server: Server;
  let endpoint: string;
  let answer = { status: 200, body: '{}', date: new Date() };
  let bodies: unknown[];

  beforeEach(async () => {
    bodies = [];
    answer = { status: 200, body: '{}', date: new Date() };
    server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      request.on('end', () => {
        bodies.push(JSON.parse(body));
        response.writeHead(answer.status, { date: answer.date.toUTCString() }).end(answer.body);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterEach(() => {
    server.close();
  });

  const place = { project: 'p', cluster: 'c', location: 'l', node: 'n' };

  function findingsOf(overrides: Partial<Config> = {}, found = place): Promise<Finding[]> {
    const findNodeIdentity = () => Promise.resolve(found);
    return checkEndpoint(makeConfig({ endpoint, ...overrides }), { findNodeIdentity, sendDryRun });
  }

  test('sends one dry run and finds nothing wrong with an endpoint that accepts it', async () => {
    expect(notOk(await findingsOf())).toEqual([]);
    expect(bodies).toHaveLength(1);
    expect(bodies[0]).toMatchObject({
      dryRun: true,
      entries: [{ logName: 'projects/p/logs/tailship-check', resource: { type: 'global' } }],
    });
  });

  test('sends one to each project that rules name', async () => {
    const template = { project: 'other' };
    const rules = JSON.stringify([{ template }, { template: {} }, { template }]);
    answer = { ...answer, status: 403, body: '{"error":{"message":"the reason"}}' };
    const findings = notOk(await findingsOf({ rules }));
    expect(findings.map(({ name }) => name)).toEqual(['dry run', 'dry run, other']);
    expect(bodies).toMatchObject([
      { entries: [{ logName: 'projects/p/logs/tailship-check' }] },
      { entries: [{ logName: 'projects/other/logs/tailship-check' }] },
    ]);
  });

  test.each<[number, string, string]>([
    [401, 'SHIP_UNAUTHENTICATED', '{"error":{"message":"the reason"}}'],
    [403, 'SHIP_FORBIDDEN', '{"error":{"message":"the reason"}}'],
    [429, 'SHIP_THROTTLED', 'the reason'],
    [503, 'SHIP_UNAVAILABLE', '<html>\n  the reason</html>'],
    [404, 'SHIP_MISDIRECTED', 'the reason'],
    [400, 'SHIP_REJECTED', '{"error":{"code":400,"message":"the reason"}}'],
    [200, 'SHIP_FOREIGN_ANSWER', '<html>the reason'],
    [200, 'SHIP_FOREIGN_ANSWER', '{"status":"the reason"}'],
  ])('takes status %i for %s and tells what the API says', async (status, code, body) => {
    answer = { ...answer, status, body };
    const [finding, ...others] = notOk(await findingsOf());
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ name: 'dry run', level: 'fail' });
    expect(finding?.text).toContain(`${code}: ${endpoint} answered ${status}: `);
    expect(finding?.text).toContain('the reason');
    expect(finding?.advice).toMatch(/^\S.*\.$/);
  });

  test.each<[number, string]>([
    [-20_000, 'warn'],
    [20_000, 'warn'],
    [400_000, 'fail'],
  ])('sees a server clock that is %i ms away', async (offsetMs, level) => {
    answer = { ...answer, date: new Date(Date.now() + offsetMs) };
    const [finding] = notOk(await findingsOf());
    expect(finding).toMatchObject({ name: 'clock', level });
    expect(finding?.text).toContain(offsetMs > 0 ? 'behind' : 'ahead of');
  });

  test('fails when nothing answers', async () => {
    const [finding] = notOk(await findingsOf({ endpoint: 'http://127.0.0.1:1' }));
    expect(finding?.text).toMatch(/^SHIP_UNREACHABLE: http:\/\/127\.0\.0\.1:1: .*ECONNREFUSED/);
  });

  test('fails when there is no project, and then sends no request', async () => {
    const config = makeConfig({ endpoint });
    const findNodeIdentity = () => Promise.reject(new AgentError('METADATA_UNAVAILABLE', 'nobody'));
    const findings = await checkEndpoint(config, { findNodeIdentity, sendDryRun });
    expect(notOk(findings)).toMatchObject([{ name: 'identity', level: 'fail' }]);
    expect(bodies).toEqual([]);
  });

  test('warns of an identity that is not whole', async () => {
    const [finding] = notOk(await findingsOf({}, { ...place, cluster: '', location: '' }));
    expect(finding).toMatchObject({ name: 'identity', level: 'warn' });
    expect(finding?.advice).toContain('--cluster, --location');
  });

  test('reads the credentials file', async () => {
    const credentialsFile = join(directory, 'key.json');
    writeFileSync(credentialsFile, '{"type":"service_account","client_email":"a@b"}');
    const good = await findingsOf({ credentialsFile });
    expect(good[0]?.text).toBe(`${credentialsFile} is a service_account of a@b`);
    writeFileSync(credentialsFile, '{"type":');
    const [bad] = notOk(await findingsOf({ credentialsFile }));
    expect(bad).toMatchObject({ name: 'credentials', level: 'fail' });
  });
});

describe('checkPressure()', () => {
  async function findingsOf(files: Readonly<Record<string, string>>, flags = {}) {
    const dir = join(directory, 'kernel');
    mkdirSync(dir);
    const membership = 'membership';
    for (const [name, text] of Object.entries({ [membership]: '0::/\n', ...files })) {
      writeFileSync(join(dir, name), text);
    }
    const loaded = await loadConfig({ command: 'check', flags, environment: {} });
    return checkPressure(loaded, {
      cgroup: { mountDir: dir, membershipFile: join(dir, membership) },
      conntrack: { sysctlDir: dir, nodeStatDir: '/nowhere' },
    });
  }

  test('finds nothing wrong where nothing is limited, or limited well', async () => {
    const free = await findingsOf({});
    expect(free.map(({ level, text }) => `${level} ${text}`)).toEqual([
      'ok none, which is best',
      'ok none',
      'ok not loaded, or not to be seen from here',
    ]);
    rmSync(join(directory, 'kernel'), { recursive: true });
    const limited = await findingsOf({
      'cpu.max': '200000 100000\n',
      'cpu.stat': 'nr_periods 100\nnr_throttled 5\nthrottled_usec 9\n',
      'memory.max': `${192 * 2 ** 20}\n`,
      nf_conntrack_max: '1000\n',
      nf_conntrack_count: '800\n',
    });
    expect(limited.map(({ level, text }) => `${level} ${text}`)).toEqual([
      'ok 2 cores',
      'ok 192 MiB; workers: 1, request bodies: 3',
      "ok the node's connection table is 80 % full",
    ]);
  });

  test('warns of a CPU limit that is used up, too little memory, a table nearly full', async () => {
    const findings = await findingsOf({
      'cpu.max': '200000 100000\n',
      'cpu.stat': 'nr_periods 100\nnr_throttled 25\nthrottled_usec 9\n',
      'memory.max': `${64 * 2 ** 20}\n`,
      nf_conntrack_max: '1000\n',
      nf_conntrack_count: '870\n',
    });
    expect(findings.map(({ level }) => level)).toEqual(['warn', 'warn', 'warn']);
    expect(findings[0]?.text).toBe('2 cores, used up in 25 % of its periods');
    expect(findings[1]?.text).toContain('the memory limit is 64 MiB');
    expect(findings[2]?.text).toContain('87 % full');
    for (const { advice } of findings) expect(advice).toMatch(/^\S.*\.$/);
  });

  test('warns of less than a core', async () => {
    const [cpu] = await findingsOf({ 'cpu.max': '50000 100000\n' });
    expect(cpu).toMatchObject({ level: 'warn', text: '0.5 cores, less than one' });
  });
});

describe('runCheck()', () => {
  async function check(flags: Partial<Record<ConfigKey, unknown>>, environment = {}) {
    const lines: string[] = [];
    const control = {
      signal: new AbortController().signal,
      log: createLog({ level: 'error', write: () => undefined }),
      write: (line: string) => void lines.push(line),
    };
    const paths = { containersDir, logRoot: [logRoot], stateDir };
    const loaded = await loadConfig({
      command: 'check',
      flags: { ...paths, ...flags },
      environment,
    });
    const code = await runCheck(loaded, control, {
      findNodeIdentity: () =>
        Promise.resolve({ project: 'p', cluster: 'c', location: 'l', node: 'n' }),
      sendDryRun: () =>
        Promise.resolve({
          status: 200,
          problem: undefined,
          text: '',
          serverTimeMs: 0,
          localTimeMs: 0,
          elapsedMs: 5,
        }),
    });
    return { code, lines };
  }

  test('exits 0 and says so when nothing fails', async () => {
    const { code, lines } = await check({});
    expect(code).toBe(0);
    expect(lines.at(-1)).toBe('tailship can run.');
  });

  test('exits 1 when a check fails', async () => {
    const { code, lines } = await check({ containersDir: join(directory, 'missing') });
    expect(code).toBe(1);
    expect(lines.at(-1)).toMatch(/^1 of \d+ checks failed\.$/);
  });

  test('prints what fails first and options only with --verbose', async () => {
    const environment = { TAILSHIP_WORKRES: '2' };
    const { lines } = await check({ containersDir: join(directory, 'missing') }, environment);
    expect(lines[0]).toMatch(/^fail {2}containers-dir /);
    expect(lines[1]).toMatch(/^ +→ Give --containers-dir/);
    expect(lines[2]).toMatch(/^warn {2}environment /);
    const levels = lines.flatMap((line) => /^(?:fail|warn|ok)/.exec(line) ?? []);
    const order = ['fail', 'warn', 'ok'];
    expect(levels).toEqual(
      levels.toSorted((left, right) => order.indexOf(left) - order.indexOf(right)),
    );
    expect(lines.join('\n')).not.toContain('--workers');
    expect(lines.join('\n')).not.toContain('\u001b');
  });

  test('prints each option with its origin, without the password of a proxy', async () => {
    const proxy = 'http://user:pa55word@proxy:3128';
    const flags = { proxy, project: 'mine', verbose: true };
    const { lines } = await check(flags, { TAILSHIP_WORKERS: '2' });
    const text = lines.join('\n');
    expect(text).toMatch(/^ {2}--project +mine {2}\(--project\)$/m);
    expect(text).toMatch(/^ {2}--workers +2 {2}\(TAILSHIP_WORKERS\)$/m);
    expect(text).toContain('http://***@proxy:3128');
    expect(text).not.toContain('pa55word');
  });

  test('--json prints one object, with the warnings among the findings', async () => {
    const { lines } = await check({ json: true }, { TAILSHIP_WORKRES: '2' });
    expect(lines).toHaveLength(1);
    const told = JSON.parse(lines[0] ?? '') as { ok: boolean; findings: Finding[] };
    expect(told.ok).toBe(true);
    expect(told.findings[0]).toMatchObject({ name: 'environment', level: 'warn' });
    expect(told).toHaveProperty('options.endpoint.origin', 'default');
  });
});
