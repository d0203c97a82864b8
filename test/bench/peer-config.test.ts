// Most agents cannot be installed where the tests run, so their configurations are read with a real
// parser of their format and held against the keys that their documentation lists. Where a program
// is here, it checks its own.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import { corpusKinds } from '../../bench/corpus.ts';
import type { PeerTask } from '../../bench/peers/peer.ts';
import { peers } from '../../bench/peers/peers.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'peer-config-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const caFile = path.join(folder, 'ca.pem');
writeFileSync(caFile, '');

function makeTask(change: Partial<PeerTask> = {}): PeerTask {
  return {
    containersDir: '/tmp/bench/var/log/containers',
    logRoot: '/tmp/bench/var/log/pods',
    files: Array.from({ length: 4 }, (_, index) => `/tmp/bench/var/log/pods/${index}/0.log`),
    kind: 'text',
    stateDir: folder,
    endpoint: 'http://127.0.0.1:8080',
    grpcEndpoint: 'http://127.0.0.1:8081',
    forwardEndpoint: 'tcp://127.0.0.1:8082',
    caFile: undefined,
    metadataUrl: 'http://127.0.0.1:8083',
    gzip: false,
    follow: true,
    ...change,
  };
}

/** Every kind of task that a scenario makes. */
const tasks = corpusKinds.flatMap((kind) => [
  makeTask({ kind }),
  makeTask({ kind, caFile, endpoint: 'https://127.0.0.1:8443' }),
  makeTask({ kind, gzip: true }),
]);

function configsOf(name: string, task: PeerTask): Map<string, string> {
  const peer = peers.find((each) => each.name === name);
  if (peer === undefined) throw new Error(`no peer is called ${name}`);
  return new Map(peer.configFiles(task).map((file) => [file.name, file.text]));
}

type Tree = { readonly [key: string]: unknown };

/** The only YAML file of a peer, parsed strictly. */
function readYaml(name: string, task: PeerTask): Tree {
  const [text] = [...configsOf(name, task)].flatMap(([file, content]) =>
    file.endsWith('.yaml') ? [content] : [],
  );
  if (text === undefined) throw new Error(`${name} has no file that ends in .yaml`);
  const document = parseDocument(text, { strict: true, uniqueKeys: true });
  expect([...document.errors, ...document.warnings]).toEqual([]);
  return document.toJS() as Tree;
}

const words = (text: string) => new Set(text.split(/\s+/));

/**
 * Keys that the programs take, without those that no adapter uses where there are many. From
 * docs.fluentbit.io: "Tail", "Stackdriver", "Forward", "Parser" (filter), "Parsers" and "Service";
 * the same names are in the config_map of each plugin's source, which refuses all others.
 */
const fluentBitKeys: Readonly<Record<string, ReadonlySet<string>>> = {
  service: words(
    'flush daemon log_level log_file grace parsers_file http_server http_port hot_reload',
  ),
  parser: words(
    'name format regex time_key time_format time_keep time_offset types skip_empty_values',
  ),
  'inputs tail': words(`name tag path path_key exclude_path db db.sync db.locking db.journal_mode
    read_from_head refresh_interval rotate_wait ignore_older skip_long_lines skip_empty_lines
    buffer_chunk_size buffer_max_size mem_buf_limit static_batch_size event_batch_size
    inotify_watcher key parser multiline.parser tag_regex offset_key`),
  'filters parser': words('name match key_name parser preserve_key reserve_data unescape_key'),
  'outputs stackdriver': words(`name match google_service_credentials service_account_email
    service_account_secret metadata_server export_to_project_id resource resource_labels labels
    k8s_cluster_name k8s_cluster_location labels_key log_name_key tag_prefix severity_key
    text_payload_key trace_key span_id_key http_request_key autoformat_stackdriver_trace
    custom_k8s_regex compress cloud_logging_base_url workers tls tls.verify tls.ca_file`),
  'outputs forward': words(`name match host port time_as_integer upstream unix_path tag send_options
    require_ack_response compress workers shared_key self_hostname tls tls.verify tls.ca_file`),
};

const fluentBits = peers.filter(({ name }) => name.startsWith('fluent-bit'));

describe.each(fluentBits.map(({ name }) => name))('%s', (name) => {
  test('its file ends in .yaml, and the command names that file', () => {
    const peer = peers.find((each) => each.name === name);
    const { args = [] } = peer?.command(makeTask()) ?? {};
    expect(args.join(' ')).toContain(`${folder}/fluent-bit.yaml`);
    expect([...configsOf(name, makeTask()).keys()]).toContain('fluent-bit.yaml');
  });

  test.each(tasks.map((task, index) => [index, task] as const))(
    'its configuration has only keys that Fluent Bit takes: task %i',
    (_, task) => {
      const { service, parsers, pipeline, ...rest } = readYaml(name, task);
      expect(rest).toEqual({});
      const expectKeys = (section: string, tree: unknown) => {
        const unknown = Object.keys(tree as Tree).filter(
          (key) => !fluentBitKeys[section]?.has(key),
        );
        expect(unknown, section).toEqual([]);
      };
      expectKeys('service', service);
      const known = new Set<unknown>();
      for (const parser of parsers as Tree[]) {
        expectKeys('parser', parser);
        known.add(parser['name']);
        if (parser['format'] !== 'regex') continue;
        // Onigmo's syntax for this is that of JavaScript.
        const groups = new RegExp(String(parser['regex'])).exec(
          '2026-03-05T14:07:21Z stdout F a b',
        );
        expect(groups?.groups).toMatchObject({ stream: 'stdout', message: 'a b' });
      }
      for (const [kind, sections] of Object.entries(pipeline as Tree)) {
        for (const section of sections as Tree[]) {
          expectKeys(`${kind} ${String(section['name'])}`, section);
          const parser = section['parser'];
          if (parser !== undefined) expect(known).toContain(parser);
        }
      }
    },
  );
});

/**
 * Keys by the path to them, from vector.dev/docs/reference/configuration ("File", "Remap", "HTTP"),
 * the READMEs of filelogreceiver, batchprocessor, otlphttpexporter and file_storage, and "Configure
 * Promtail" in Grafana's documentation.
 */
const documentedKeys: Readonly<Record<string, Readonly<Record<string, ReadonlySet<string>>>>> = {
  vector: {
    '': words('data_dir sources transforms sinks'),
    'sources.files': words(`type include exclude read_from max_line_bytes glob_minimum_cooldown_ms
      max_read_bytes oldest_first fingerprint ignore_older_secs`),
    'transforms.entries': words('type inputs source drop_on_error drop_on_abort'),
    'sinks.endpoint': words(`type inputs uri method compression tls payload_prefix payload_suffix
      encoding batch buffer request framing acknowledgements healthcheck`),
    'sinks.endpoint.batch': words('max_bytes max_events timeout_secs'),
    'sinks.endpoint.encoding': words('codec json timestamp_format only_fields except_fields'),
    'sinks.endpoint.tls': words('ca_file crt_file key_file verify_certificate verify_hostname'),
  },
  otelcol: {
    '': words('receivers processors exporters extensions service'),
    'receivers.filelog': words(`include exclude start_at include_file_path include_file_name storage
      operators poll_interval max_log_size fingerprint_size max_concurrent_files max_batches`),
    'processors.batch': words('send_batch_size send_batch_max_size timeout'),
    'exporters.otlphttp': words(`endpoint logs_endpoint encoding compression tls sending_queue
      retry_on_failure timeout headers`),
    'exporters.otlphttp.tls': words('ca_file cert_file key_file insecure insecure_skip_verify'),
    'extensions.file_storage': words('directory timeout compaction fsync create_directory'),
    service: words('telemetry extensions pipelines'),
    'service.pipelines.logs': words('receivers processors exporters'),
  },
  promtail: {
    '': words('global server clients positions scrape_configs limits_config target_config options'),
    server: words('disable http_listen_address http_listen_port grpc_listen_port log_level'),
    positions: words('filename sync_period ignore_invalid_yaml'),
    'clients.0': words(`url headers tenant_id batchwait batchsize basic_auth tls_config
      backoff_config external_labels timeout`),
    'clients.0.tls_config': words('ca_file cert_file key_file server_name insecure_skip_verify'),
    'scrape_configs.0': words('job_name pipeline_stages encoding relabel_configs static_configs'),
    'scrape_configs.0.pipeline_stages.0': words('cri docker json regex match labels output'),
    'scrape_configs.0.static_configs.0': words('targets labels'),
  },
};

function memberAt(tree: Tree, keyPath: string): unknown {
  const keys = keyPath.split('.').filter(Boolean);
  return keys.reduce<unknown>((at, key) => (at as Tree | undefined)?.[key], tree);
}

describe.each(Object.entries(documentedKeys))('%s', (name, keys) => {
  test.each(tasks.map((task, index) => [index, task] as const))(
    'its configuration has only documented keys: task %i',
    (_, task) => {
      const tree = readYaml(name, task);
      for (const [keyPath, known] of Object.entries(keys)) {
        const member = memberAt(tree, keyPath);
        if (keyPath.endsWith('tls') || keyPath.endsWith('tls_config')) {
          expect(member === undefined, keyPath).toBe(task.caFile === undefined);
        } else expect(member, keyPath).toBeDefined();
        const unknown = Object.keys(member ?? {}).filter((key) => !known.has(key));
        expect(unknown, keyPath).toEqual([]);
      }
    },
  );
});

test('the pipeline of the collector names only what it defines', () => {
  const tree = readYaml('otelcol', makeTask());
  const used = memberAt(tree, 'service.pipelines.logs') as Readonly<Record<string, string[]>>;
  for (const [kind, names] of Object.entries(used)) {
    expect(Object.keys(tree[kind] as Tree)).toEqual(expect.arrayContaining(names));
  }
  const parts = tree['receivers'] as { filelog: Tree };
  expect(Object.keys(tree['extensions'] as Tree)).toContain(parts.filelog['storage']);
});

test.each([1, 4, 20, 50, 500, 2_000, 20_000])(
  'tuned syslog-ng lets each of %i files have whole batches under way',
  (fileCount) => {
    const files = Array.from({ length: fileCount }, (_, index) => String(index));
    const text = configsOf('syslog-ng-tuned', makeTask({ files })).get('syslog-ng.conf') ?? '';
    const numberOf = (option: string) =>
      Number(new RegExp(`${option}\\((\\d+)\\)`).exec(text)?.[1]);
    // The window is shared out among as many files as there may be, and no less than 100 each.
    const share = numberOf('log-iw-size') / numberOf('max-files');
    expect(numberOf('max-files')).toBeGreaterThan(fileCount);
    expect(share).toBeGreaterThanOrEqual(100);
    expect(share * fileCount).toBeGreaterThanOrEqual(Math.min(8_000 * fileCount, 50_000));
    if (fileCount <= 20) expect(share).toBeGreaterThan(numberOf('batch-lines'));
    // syslog-ng warns of a queue that is smaller than the window, and would drop.
    expect(numberOf('log-fifo-size')).toBeGreaterThanOrEqual(numberOf('log-iw-size'));
  },
);

/** How each program checks a configuration without running it. */
const checks: Readonly<Record<string, (file: string) => readonly string[]>> = {
  'fluent-bit.yaml': (file) => ['fluent-bit', '--dry-run', '--config', file],
  'fluentd.conf': (file) => ['fluentd', '--dry-run', '--config', file],
  'otelcol.yaml': (file) => ['otelcol-contrib', 'validate', '--config', file],
  'promtail.yaml': (file) => ['promtail', '-check-syntax', `-config.file=${file}`],
  'rsyslog.conf': (file) => ['rsyslogd', '-N1', '-f', file],
  'syslog-ng.conf': (file) => ['syslog-ng', '--syntax-only', '--cfgfile', file],
  'vector.yaml': (file) => ['vector', 'validate', '--no-environment', '--config-yaml', file],
};

const configured = peers.filter((peer) => peer.configFiles(makeTask()).length > 0);

for (const peer of configured) {
  test.skipIf(peer.find() === undefined)(`${peer.name} accepts its own configuration`, () => {
    for (const task of tasks.filter(({ gzip }) => peer.canGzip || !gzip)) {
      for (const { name, text } of peer.configFiles(task)) {
        const file = path.join(folder, name);
        writeFileSync(file, text);
        const [program = '', ...args] = checks[name]?.(file) ?? [];
        const command = peer.command(task);
        // rsyslog may be unpacked beside syslog-ng, with libraries and modules of its own.
        const isOwn = path.basename(command.file) === program;
        const at = command.args.indexOf('-M');
        if (isOwn && at !== -1) args.push('-M', command.args[at + 1] ?? '');
        const env = { ...process.env, ...(isOwn && command.env) };
        const options = { env, encoding: 'utf8', stdio: 'pipe' } as const;
        execFileSync(isOwn ? command.file : program, args, options);
      }
    }
  });
}
