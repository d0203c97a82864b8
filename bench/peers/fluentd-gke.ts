// fluentd with the steps of the pipeline that GKE published for it: CRI or docker lines, klog
// headers, resource of the pod, stack traces, insertIds, source locations, Cloud Logging's own
// plugin over gRPC. Twice, with the published steps and tuned.
//
// Not in it: the API server's labels, and metrics. Tuned: one format instead of two that are tried,
// the fast time format, no transformation that only rare lines need, buffers in memory.

import { askVersion, type Peer, type PeerTask, trimMargin } from './peer.ts';

const plugins = ['google-cloud', 'detect-exceptions', 'record-reformer', 'multi-format-parser'];
const gems = plugins.map((name) => `fluent-plugin-${name}`);

const parseBoth = `
  <parse>
    @type multi_format
    <pattern>
      format json
      time_key time
      time_format %Y-%m-%dT%H:%M:%S.%NZ
    </pattern>
    <pattern>
      format /^(?<time>.+) (?<stream>stdout|stderr) [^ ]* (?<log>.*)$/
      time_format %Y-%m-%dT%H:%M:%S.%N%:z
    </pattern>
  </parse>`;
const parseCri = `
  enable_stat_watcher false
  <parse>
    @type regexp
    expression /\\A(?<time>\\S+) (?<stream>\\S+) \\S+ (?<log>.*)\\z/
    time_format %Y-%m-%dT%H:%M:%S.%N%z
  </parse>`;

const klog = String.raw`/^(?<severity>\w)(?<time>\d{4} [^\s]*)\s+(?<pid>\d+)\s+(?<source>[^ \]]+)\] (?<log>.*)/`;

/** What both do with a record between source and output. */
const steps = `
<filter reform.**>
  @type parser
  key_name log
  reserve_data true
  emit_invalid_record_to_error false
  <parse>
    @type regexp
    expression ${klog}
    time_format %m%d %H:%M:%S.%N
  </parse>
</filter>
<match reform.**>
  @type record_reformer
  enable_ruby true
  remove_keys stream,log
  tag raw.\${record['stream'] == 'stderr' ? 'stderr' : 'stdout'}
  <record>
    logging.googleapis.com/local_resource_id \${n = tag_suffix[POD].chomp('.log').split('_'); "k8s_container.#{n[1]}.#{n[0]}.#{n[2].rpartition('-')[0]}"}
    message \${record['log']}
    severity \${record['severity'] || (record['stream'] == 'stderr' ? 'ERROR' : 'INFO')}
  </record>
</match>
<match raw.**>
  @type detect_exceptions
  remove_tag_prefix raw
  message message
  stream "logging.googleapis.com/local_resource_id"
  multiline_flush_interval 5
  max_bytes 500000
  max_lines 1000
</match>`;

const transformations = `
<filter {stderr,stdout}>
  @type record_transformer
  enable_ruby true
  <record>
    message \${record['message'].length > 256000 ? "[Trimmed]#{record['message'][0...256000]}..." : record['message']}
  </record>
</filter>
<filter {stderr,stdout}>
  @type add_insert_ids
</filter>
<filter {stderr,stdout}>
  @type record_transformer
  enable_ruby true
  <record>
    "logging.googleapis.com/sourceLocation" \${record['source'] && (parts = record['source'].split(':', 2)).length == 2 ? {'file' => parts[0], 'line' => parts[1]} : nil}
  </record>
</filter>`;
const insertIds = `
<filter {stderr,stdout}>
  @type add_insert_ids
</filter>`;

function pipelineConfig(task: PeerTask, isTuned: boolean): string {
  // The tag is the path with dots for slashes; the file's name begins behind those of its folders.
  const depth = task.containersDir.split('/').filter(Boolean).length;
  const buffer = isTuned ? '@type memory' : `@type file\n    path ${task.stateDir}/buffer`;
  const source = `
<source>
  @type tail
  path ${task.containersDir}/*.log
  pos_file ${task.stateDir}/pos
  tag reform.*
  read_from_head true${isTuned ? parseCri : parseBoth}
</source>`;
  const output = `
<match {stderr,stdout}>
  @type google_cloud
  use_metadata_service false
  project_id bench
  zone europe-west4-a
  vm_id bench-node
  vm_name bench-node
  use_grpc true
  logging_api_url ${task.grpcEndpoint}
  k8s_cluster_name bench
  k8s_cluster_location europe-west4
  detect_json ${!isTuned || task.kind !== 'text'}
  split_logs_by_tag false
  adjust_invalid_timestamps false
  <buffer>
    ${buffer}
    chunk_limit_size 512k
    queue_limit_length 6
    overflow_action block
    flush_interval ${isTuned ? '1s' : '5s'}
    flush_thread_count 2
    retry_forever true
    retry_max_interval 30
  </buffer>
</match>`;
  const between = steps.replace(`tag_suffix[POD]`, `tag_suffix[${depth + 1}]`);
  return trimMargin(`${source}${between}${isTuned ? insertIds : transformations}${output}`);
}

function makePipeline(isTuned: boolean): Peer {
  return {
    name: isTuned ? 'fluentd-gke-tuned' : 'fluentd-gke',
    title: `fluentd with the steps of GKE's published pipeline, ${isTuned ? 'tuned' : 'as published'}`,
    installHint: `apt-get install ruby-full build-essential && gem install ${gems.join(' ')}`,
    endsItself: false,
    canFollow: true,
    canGzip: false,
    find() {
      const listed = gems.map((gem) => askVersion('gem', 'list', '--exact', gem));
      return listed.includes(undefined) ? undefined : `plugin ${listed[0]}`;
    },
    configFiles: (task) => [{ name: 'fluentd.conf', text: pipelineConfig(task, isTuned) }],
    command: ({ stateDir }) => ({
      file: 'fluentd',
      args: ['--config', `${stateDir}/fluentd.conf`, '-q'],
    }),
  };
}

export const fluentdGke = makePipeline(false);
export const fluentdGkeTuned = makePipeline(true);
