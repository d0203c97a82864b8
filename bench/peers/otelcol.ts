// OpenTelemetry Collector (contrib): filelog with the container parser, otlphttp as JSON, which is
// the nearest to a LogEntry that it posts to an endpoint of one's own.

import { askVersion, type Peer, type PeerTask, trimMargin } from './peer.ts';

function otelConfig(task: PeerTask): string {
  const trust = task.caFile === undefined ? '' : `\n    tls: { ca_file: ${task.caFile} }`;
  const isJson = task.kind === 'json' || task.kind === 'mixed';
  const merge = `
      - type: json_parser
        if: 'body startsWith "{"'`;
  return trimMargin(`
receivers:
  filelog:
    include: ["${task.containersDir}/*.log"]
    start_at: beginning
    include_file_path: true
    storage: file_storage
    operators:
      - type: container
        add_metadata_from_filepath: false${isJson ? merge : ''}
processors:
  batch: { send_batch_size: 8192, timeout: 1s }
exporters:
  otlphttp:
    logs_endpoint: ${task.endpoint}/v1/logs
    encoding: json
    compression: ${task.gzip ? 'gzip' : 'none'}${trust}
extensions:
  file_storage: { directory: ${task.stateDir} }
service:
  telemetry: { logs: { level: error }, metrics: { level: none } }
  extensions: [file_storage]
  pipelines:
    logs: { receivers: [filelog], processors: [batch], exporters: [otlphttp] }
`);
}

export const otelcol: Peer = {
  name: 'otelcol',
  title: 'OpenTelemetry Collector contrib: filelog, container parser, otlphttp as JSON, joining',
  installHint: 'github.com/open-telemetry/opentelemetry-collector-releases: otelcol-contrib',
  endsItself: false,
  canFollow: true,
  canGzip: true,
  find: () => askVersion('otelcol-contrib', '--version'),
  configFiles: (task) => [{ name: 'otelcol.yaml', text: otelConfig(task) }],
  command: ({ stateDir }) => ({
    file: 'otelcol-contrib',
    args: ['--config', `${stateDir}/otelcol.yaml`],
  }),
};
