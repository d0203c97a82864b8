// Fluent Bit with its Cloud Logging output, three times: at its defaults and tuned, both joining
// partial lines, and its leanest, which does not. Then forwarding, as where fluentd collects: to a
// fluentd elsewhere, of which the sink is the receiving end, and to one on the same node, whose
// cost counts. A configuration is YAML only if its name says so.
//
// Tuned: chunks of 512k, no second copy of the time, a buffer limit that a node would give, and
// without inotify, which at a live load costs it more than all the rest.

import { httpOutput } from './fluentd.ts';
import { askVersion, type Peer, type PeerTask, trimMargin } from './peer.ts';

type Variant = 'default' | 'tuned' | 'lean' | 'forward' | 'relayed';

const names = {
  default: 'fluent-bit',
  tuned: 'fluent-bit-tuned',
  lean: 'fluent-bit-lean',
  forward: 'fluent-bit-forward',
  relayed: 'fluent-bit-fluentd',
} as const satisfies Record<Variant, string>;
const titles = {
  default: 'Fluent Bit, defaults, joining: tail, output stackdriver over REST',
  tuned: 'Fluent Bit, tuned, joining: tail, output stackdriver over REST',
  lean: 'Fluent Bit, tuned, not joining: tail, output stackdriver over REST',
  forward: 'Fluent Bit, tuned, joining: tail, forward with acknowledgements to a fluentd elsewhere',
  relayed: 'Fluent Bit, tuned, joining: tail, forward to a fluentd on the node, out_http',
} as const satisfies Record<Variant, string>;

const configName = 'fluent-bit.yaml';
const relayName = 'fluentd.conf';

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

/** The tag is this and the path, with dots for slashes. */
const tagPrefix = 'k8s_container.';

function relaySocket({ stateDir }: PeerTask): string {
  return `${stateDir}/forward.sock`;
}

/** What a record is sent to; `content` is its key that holds a text. */
function outputOf(task: PeerTask, variant: Variant, content: string): string {
  const { hostname, port } = new URL(task.forwardEndpoint);
  if (variant === 'forward') {
    return `
    - name: forward
      match: '*'
      host: ${hostname}
      port: ${port}
      require_ack_response: true
      workers: 1`;
  }
  if (variant === 'relayed') {
    return `
    - name: forward
      match: '*'
      unix_path: ${relaySocket(task)}
      workers: 1`;
  }
  const trust = task.caFile === undefined ? 'tls: false' : `tls.ca_file: ${task.caFile}`;
  return `
    - name: stackdriver
      match: '*'
      cloud_logging_base_url: ${task.endpoint}
      metadata_server: ${task.metadataUrl}
      ${trust}
      resource: k8s_container
      k8s_cluster_name: bench
      k8s_cluster_location: europe-west4
      tag_prefix: ${tagPrefix}${task.containersDir.slice(1).replaceAll('/', '.')}.
      severity_key: severity
      text_payload_key: ${content}
      compress: ${task.gzip ? 'gzip' : '""'}
      workers: 1`;
}

function fluentBitConfig(task: PeerTask, variant: Variant): string {
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
  const tag = variant === 'relayed' ? 'kubernetes.' : tagPrefix;
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
      tag: ${tag}*
      ${parse}${variant === 'default' ? '' : tuning}${isJson ? filters : ''}
  outputs:${outputOf(task, variant, content)}
`);
}

/** fluentd as the relay: it takes what is forwarded and posts it. */
function relayConfig(task: PeerTask): string {
  const source = `
<source>
  @type unix
  path ${relaySocket(task)}
</source>
`;
  return trimMargin(`${source}${httpOutput(task, true)}`).replaceAll(/^\s*\n/gm, '');
}

/**
 * Runs the relay, and the agent once the relay listens. At SIGTERM the agent ends first, so that
 * the relay gets all that it has.
 */
const relayScript = `
fluentd --no-supervisor -q --config "$1" & relay=$!
until [ -S "$2" ]; do kill -0 $relay || exit 1; sleep 0.05; done
"$3" --config "$4" & agent=$!
trap 'kill $agent; wait $agent; kill $relay' TERM
wait $agent
wait $relay`;

function findProgram(): { readonly file: string; readonly version: string } | undefined {
  for (const file of ['fluent-bit', '/opt/fluent-bit/bin/fluent-bit']) {
    const version = askVersion(file, '--version');
    if (version !== undefined) return { file, version };
  }
  return undefined;
}

function makeFluentBit(variant: Variant): Peer {
  const isRelayed = variant === 'relayed';
  const fluentdHint = isRelayed ? ', and gem install fluentd' : '';
  return {
    name: names[variant],
    title: titles[variant],
    installHint: `packages.fluentbit.io: apt-get install fluent-bit (not in Debian)${fluentdHint}`,
    endsItself: false,
    canFollow: true,
    canGzip: variant !== 'forward',
    ...(variant === 'forward' && { isPlainOnly: true as const }),
    find() {
      const relay = isRelayed ? askVersion('fluentd', '--version') : '';
      return relay === undefined ? undefined : findProgram()?.version;
    },
    configFiles(task) {
      const own = { name: configName, text: fluentBitConfig(task, variant) };
      return isRelayed ? [own, { name: relayName, text: relayConfig(task) }] : [own];
    },
    command(task) {
      const file = findProgram()?.file ?? 'fluent-bit';
      const config = `${task.stateDir}/${configName}`;
      if (!isRelayed) return { file, args: ['--config', config] };
      const relay = `${task.stateDir}/${relayName}`;
      const args = ['-c', relayScript, 'bash', relay, relaySocket(task), file, config];
      return { file: 'bash', args };
    },
  };
}

export const fluentBit = makeFluentBit('default');
export const fluentBitTuned = makeFluentBit('tuned');
export const fluentBitLean = makeFluentBit('lean');
export const fluentBitForward = makeFluentBit('forward');
export const fluentBitRelayed = makeFluentBit('relayed');
