// Fluent Bit with its Cloud Logging output, three times: at its defaults and tuned, both joining
// partial lines, and its leanest, which does not. Listed in peers.ts.
//
// Tuned: chunks of 512k, no second copy of the time, a buffer limit that a node would give, and
// without inotify, which at a live load costs it more than all the rest.

import { askVersion, type Peer, type PeerTask, trimMargin } from './peer.ts';

type Variant = 'default' | 'tuned' | 'lean';

const names = {
  default: 'fluent-bit',
  tuned: 'fluent-bit-tuned',
  lean: 'fluent-bit-lean',
} as const satisfies Record<Variant, string>;
const titles = {
  default: 'Fluent Bit, defaults, joining',
  tuned: 'Fluent Bit, tuned, joining',
  lean: 'Fluent Bit, tuned, not joining',
} as const satisfies Record<Variant, string>;

const parsers = `
parsers:
  - name: cri-lean
    format: regex
    regex: '^(?<time>[^ ]+) (?<stream>stdout|stderr) (?<logtag>[^ ]*) (?<message>.*)$'
    time_key: time
    time_format: '%Y-%m-%dT%H:%M:%S.%L%z'
    time_keep: false
  - name: content
    format: json`;

function fluentBitConfig(task: PeerTask, variant: Variant): string {
  const isTuned = variant !== 'default';
  const tuning = `
      inotify_watcher: false
      mem_buf_limit: 20M
      buffer_chunk_size: 512k
      buffer_max_size: 2M`;
  const parse = variant === 'lean' ? 'parser: cri-lean' : 'multiline.parser: cri';
  const isJson = task.kind === 'json' || task.kind === 'mixed';
  // The multiline parser puts the content into `log`, ours into `message`.
  const content = variant === 'lean' ? 'message' : 'log';
  const filters = `
  filters:
    - name: parser
      match: '*'
      key_name: ${content}
      parser: content
      reserve_data: true`;
  const trust = task.caFile === undefined ? 'tls: false' : `tls.ca_file: ${task.caFile}`;
  return trimMargin(`
service:
  flush: 1
  log_level: error${parsers}
pipeline:
  inputs:
    - name: tail
      path: ${task.containersDir}/*.log
      db: ${task.stateDir}/positions.db
      read_from_head: true
      tag: k8s_container.*
      ${parse}${isTuned ? tuning : ''}${isJson ? filters : ''}
  outputs:
    - name: stackdriver
      match: '*'
      cloud_logging_base_url: ${task.endpoint}
      metadata_server: ${task.metadataUrl}
      ${trust}
      resource: k8s_container
      k8s_cluster_name: bench
      k8s_cluster_location: europe-west4
      tag_prefix: k8s_container.${task.containersDir.slice(1).replaceAll('/', '.')}.
      severity_key: severity
      text_payload_key: ${content}
      compress: ${task.gzip ? 'gzip' : '""'}
      workers: 1
`);
}

function makeFluentBit(variant: Variant): Peer {
  return {
    name: names[variant],
    title: `${titles[variant]}: tail, output stackdriver over REST`,
    installHint: 'packages.fluentbit.io: apt-get install fluent-bit (not in Debian)',
    endsItself: false,
    canFollow: true,
    canGzip: true,
    lineShare: 0.5,
    find: () =>
      askVersion('fluent-bit', '--version') ?? askVersion('/opt/fluent-bit/bin/fluent-bit', '-V'),
    configText: (task) => fluentBitConfig(task, variant),
    command(_task, configFile = '') {
      const isOnPath = askVersion('fluent-bit', '--version') !== undefined;
      const file = isOnPath ? 'fluent-bit' : '/opt/fluent-bit/bin/fluent-bit';
      return { file, args: ['--config', configFile] };
    },
  };
}

export const fluentBit = makeFluentBit('default');
export const fluentBitTuned = makeFluentBit('tuned');
export const fluentBitLean = makeFluentBit('lean');
