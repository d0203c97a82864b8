import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { limits } from '../src/config.ts';
import { type ConfigKey, options } from '../src/options/options.ts';
import { configKeys, flagOf, loadConfig, rowOf, variableOf } from '../src/options/config-loader.ts';
import { allowedText, parseOptionValue, valueText } from '../src/options/option-value.ts';
import { makeConfig } from './support/make-config.ts';

type Environment = Record<string, string>;
type Flags = Partial<Record<ConfigKey, unknown>>;

function loadRun(flags: Flags = {}, environment: Environment = {}) {
  return loadConfig({ command: 'run', flags, environment });
}

function yamlFile(text: string): string {
  const file = join(mkdtempSync(join(tmpdir(), 'tailship-config-')), 'tailship.yaml');
  writeFileSync(file, text);
  return file;
}

async function failure(flags: Flags, environment: Environment = {}): Promise<string> {
  const error = await loadRun(flags, environment).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
  return (error as Error).message;
}

describe('the option table', () => {
  test('gives each option a flag and a variable that follow from its key', () => {
    expect(flagOf('containersDir')).toBe('--containers-dir');
    expect(variableOf('containersDir')).toBe('TAILSHIP_CONTAINERS_DIR');
    expect(new Set(configKeys.map(flagOf)).size).toBe(configKeys.length);
  });

  // An empty list is how nothing is said; written, it would be an empty text.
  const withDefault = configKeys.filter((key) => {
    const { default: value } = rowOf(key);
    return value !== undefined && !(Array.isArray(value) && value.length === 0);
  });
  test.each(withDefault)('has a default for %s that its own parser accepts as written', (key) => {
    const row = rowOf(key);
    expect(parseOptionValue(row, valueText(row.default), key)).toEqual(row.default);
  });

  test.each(configKeys)('says in one sentence what %s is for', (key) => {
    expect(rowOf(key).help).toMatch(/^\S.*\.$/);
    expect(rowOf(key).commands.length).toBeGreaterThan(0);
  });

  test('lets no batch be longer than a slot can hold', () => {
    expect(options.batchBytesMax.max).toBe(limits.batchBytesSoftMax);
  });
});

describe('loadConfig()', () => {
  test('takes flags over variables over the file over the defaults, and says so', async () => {
    const config = yamlFile('project: from-file\ncluster: from-file\nlocation: from-file\n');
    const loaded = await loadRun(
      { config, project: 'from-flag' },
      { TAILSHIP_PROJECT: 'from-variable', TAILSHIP_CLUSTER: 'from-variable' },
    );
    expect(loaded.config).toMatchObject({
      project: 'from-flag',
      cluster: 'from-variable',
      location: 'from-file',
      node: undefined,
    });
    expect(loaded.origins).toMatchObject({
      project: '--project',
      cluster: 'TAILSHIP_CLUSTER',
      location: config,
      node: 'default',
    });
  });

  test('freezes the configuration and what is in it', async () => {
    const { config } = await loadRun({ logRoot: ['/a'] });
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.logRoot)).toBe(true);
    expect(Object.isFrozen(config.adminAddress)).toBe(true);
    expect(Object.isFrozen(makeConfig().logRoot)).toBe(true);
  });

  test('reads the file that TAILSHIP_CONFIG names', async () => {
    const { config } = await loadRun({}, { TAILSHIP_CONFIG: yamlFile('workers: 3\n') });
    expect(config.workers).toBe(3);
  });

  test('leaves options of other commands at their defaults, so that one file serves all', async () => {
    const { config } = await loadRun({ config: yamlFile('port: 1234\n') }, { TAILSHIP_DATA: '/x' });
    expect(config.port).toBe(options.port.default);
    expect(config.data).toBeUndefined();
  });

  test('takes lists from YAML lists and comma-separated variables, as absolute paths', async () => {
    const fromFile = await loadRun({ config: yamlFile('logRoot: [/a, /b/../c]\n') });
    const fromVariable = await loadRun({}, { TAILSHIP_LOG_ROOT: '/a, /c' });
    expect(fromFile.config.logRoot).toEqual(['/a', '/c']);
    expect(fromVariable.config.logRoot).toEqual(['/a', '/c']);
  });

  test('takes an empty variable as not set', async () => {
    const { config, origins } = await loadRun({}, { TAILSHIP_PROJECT: '', TAILSHIP_GZIP: '' });
    expect(config.project).toBeUndefined();
    expect(origins.gzip).toBe('default');
  });

  test('takes a YAML number as the text of a text option', async () => {
    const { config } = await loadRun({ config: yamlFile('project: 123456\n') });
    expect(config.project).toBe('123456');
  });

  test('ignores what Kubernetes sets beside a Service named tailship', async () => {
    const environment = {
      TAILSHIP_PORT: 'tcp://10.0.0.1:80',
      TAILSHIP_SERVICE_HOST: '10.0.0.1',
      TAILSHIP_PORT_80_TCP_ADDR: '10.0.0.1',
    };
    const loaded = await loadConfig({ command: 'emulator', flags: {}, environment });
    expect(loaded.config.port).toBe(options.port.default);
    expect(loaded.warnings).toEqual([]);
  });

  test('warns of an unknown variable with the nearest known one', async () => {
    const { warnings } = await loadRun({}, { TAILSHIP_ENPOINT: 'x' });
    expect(warnings).toEqual(['unknown variable TAILSHIP_ENPOINT; meant is TAILSHIP_ENDPOINT?']);
  });
});

describe('a wrong value', () => {
  test.each<[Flags, string]>([
    [{ workers: '0' }, '--workers is "0"; allowed is a whole number from 1 to 8'],
    [{ workers: '1.5' }, '--workers is "1.5"; allowed is a whole number from 1 to 8'],
    [{ workers: 'many' }, '--workers is "many"; allowed is a whole number from 1 to 8'],
    [{ from: 'middle' }, '--from is "middle"; allowed is start or end'],
    [{ gzip: 'yes' }, '--gzip is "yes"; allowed is true or false'],
    [{ project: '' }, '--project is ""; allowed is a text that is not empty'],
    ...['a/b', 'My Project', 'projects/p', 'p_1', '-p', 'é', `p${'x'.repeat(63)}`].map(
      (project): [Flags, string] => [
        { project },
        `--project is "${project}"; allowed is the id of a project, such as my-project-123`,
      ],
    ),
    [
      { endpoint: 'https://me:secret@a' },
      '--endpoint is "https://…@a"; allowed is a URL without user and password',
    ],
    [
      { proxy: 'socks5://me:secret@a' },
      '--proxy is "socks5://…@a"; allowed is an http:// or https:// URL',
    ],
    [
      { endpoint: 'http://a/v2/entries:write' },
      '--endpoint is "http://a/v2/entries:write"; allowed is a URL without /v2/entries:write',
    ],
    [
      { endpoint: 'localhost:80' },
      '--endpoint is "localhost:80"; allowed is an http:// or https:// URL',
    ],
    [{ endpoint: 'http://a/?b' }, '--endpoint is "http://a/?b"; allowed is a URL without ? and #'],
    [
      { adminAddress: '8090' },
      '--admin-address is "8090"; allowed is HOST:PORT such as 127.0.0.1:8090, or off',
    ],
    [
      { adminAddress: 'a:70000' },
      '--admin-address is "a:70000"; allowed is HOST:PORT such as 127.0.0.1:8090, or off',
    ],
    [
      { batchBytesMax: '4Mi' },
      '--batch-bytes-max is "4Mi"; allowed is a number of bytes from 4096 to 3145728, also as 64Ki or 2Mi',
    ],
    [
      { flushIntervalMs: '5 parsecs' },
      '--flush-interval-ms is "5 parsecs"; allowed is a number of milliseconds from 10 to 60000, also as 5s or 1m',
    ],
  ])('names flag, value and what is allowed: %o', async (flags, text) => {
    expect(await failure(flags)).toBe(text);
  });

  test('names the variable or the key and its file', async () => {
    expect(await failure({}, { TAILSHIP_WORKERS: 'x' })).toMatch(/^TAILSHIP_WORKERS is "x"; /);
    const config = yamlFile('workers: [1]\n');
    expect(await failure({ config })).toContain(`workers in ${config} is [1]; allowed is`);
  });

  test('with an unknown key suggests the nearest one, also for the flag written as a key', async () => {
    expect(await failure({ config: yamlFile('conections: 3\n') })).toMatch(
      /unknown key conections; meant is connections\?$/,
    );
    expect(await failure({ config: yamlFile('containers-dir: /x\n') })).toMatch(
      /meant is containersDir\?$/,
    );
    const unknown = await failure({ config: yamlFile('zzzzzz: 1\n') });
    expect(unknown).toContain('known are containersDir');
    expect(await failure({ config: yamlFile('config: b.yaml\n') })).toMatch(
      /names another file: config is a flag only$/,
    );
  });

  test('in a file that is missing, broken or no map names the file', async () => {
    expect(await failure({ config: '/nonexistent.yaml' })).toContain(
      '/nonexistent.yaml cannot be read: ENOENT',
    );
    expect(await failure({ config: yamlFile('a: [1\n') })).toContain('cannot be read: ');
    expect(await failure({ config: yamlFile('- a\n') })).toContain('must hold');
    expect(await failure({ config: yamlFile('gzip: true\n---\ngzip: true\n') })).toMatch(
      /cannot be read: it contains multiple documents$/,
    );
    expect((await loadRun({ config: yamlFile('# nothing\n') })).config.workers).toBe(1);
  });
});

describe('parseOptionValue()', () => {
  test.each<[ConfigKey, unknown, unknown]>([
    ['batchBytesMax', '64Ki', 65_536],
    ['batchBytesMax', '1M', 1_000_000],
    ['batchBytesMax', 5000, 5000],
    ['flushIntervalMs', '5s', 5_000],
    ['flushIntervalMs', '0.5s', 500],
    ['flushIntervalMs', '250ms', 250],
    ['graceMs', '2m', 120_000],
    ['gzip', 'true', true],
    ['gzip', '0', false],
    ['endpoint', 'https://example.com/', 'https://example.com'],
    ['endpoint', 'http://127.0.0.1:8085/base/', 'http://127.0.0.1:8085/base'],
    ['project', 'my-project-1', 'my-project-1'],
    ['project', 'example.com:shop', 'example.com:shop'],
    ['project', 123_456, '123456'],
    // As `echo ID | base64` in a Secret leaves it.
    ['project', ' my-project-1\n', 'my-project-1'],
    ['cluster', 'blue\n', 'blue'],
    ['endpoint', 'https://example.com\n', 'https://example.com'],
    ['proxy', 'http://me:secret@a:3128', 'http://me:secret@a:3128'],
    ['from', 'end\n', 'end'],
    ['adminAddress', 'off', undefined],
    ['adminAddress', ':8090', { host: '0.0.0.0', port: 8090 }],
    ['adminAddress', '[::1]:80', { host: '::1', port: 80 }],
  ])('reads %s %o as %o', (key, written, value) => {
    expect(parseOptionValue(rowOf(key), written, key)).toEqual(value);
  });

  test('has words for what every kind allows', () => {
    for (const key of configKeys) expect(allowedText(rowOf(key))).not.toBe('');
  });
});

describe('the variables of other tools', () => {
  const proxy = 'http://proxy.example:3128';

  test('name the credentials file, and ours wins', async () => {
    const foreign = { GOOGLE_APPLICATION_CREDENTIALS: '/a.json' };
    expect((await loadRun({}, foreign)).config.credentialsFile).toBe('/a.json');
    const both = { ...foreign, TAILSHIP_CREDENTIALS_FILE: '/b.json' };
    expect((await loadRun({}, both)).config.credentialsFile).toBe('/b.json');
  });

  test('name a proxy for https endpoints only', async () => {
    expect((await loadRun({}, { HTTPS_PROXY: proxy })).config.proxy).toBe(proxy);
    const plain = await loadRun({ endpoint: 'http://127.0.0.1:1' }, { HTTPS_PROXY: proxy });
    expect(plain.config.proxy).toBeUndefined();
    expect(plain.origins.proxy).toBe('default');
  });

  test.each(['*', 'googleapis.com', '.googleapis.com', 'a, logging.googleapis.com:443'])(
    'exempt the hosts of NO_PROXY=%s',
    async (noProxy) => {
      const environment = { HTTPS_PROXY: proxy, NO_PROXY: noProxy };
      expect((await loadRun({}, environment)).config.proxy).toBeUndefined();
    },
  );

  test('do not exempt a host that only ends alike, nor overrule --proxy', async () => {
    const environment = { HTTPS_PROXY: proxy, NO_PROXY: 'apis.com' };
    expect((await loadRun({}, environment)).config.proxy).toBe(proxy);
    const flagged = await loadRun({ proxy }, { NO_PROXY: '*' });
    expect(flagged.config.proxy).toBe(proxy);
  });
});
