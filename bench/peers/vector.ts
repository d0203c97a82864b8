// Vector: file source, a remap that parses CRI and merges JSON, http sink in LogEntry form. Its
// kubernetes_logs source needs an API server, so the file source it is built on takes its place.
// Once, because its defaults are what one would tune to.

import { askVersion, type Peer, type PeerTask, trimMargin } from './peer.ts';

function vectorConfig(task: PeerTask): string {
  const trust = task.caFile === undefined ? '' : `\n    tls: { ca_file: ${task.caFile} }`;
  return trimMargin(`
data_dir: ${task.stateDir}
sources:
  files:
    type: file
    include: ["${task.containersDir}/*.log"]
    read_from: beginning
    max_line_bytes: 131072
    glob_minimum_cooldown_ms: 1000
transforms:
  entries:
    type: remap
    inputs: [files]
    source: |
      parts = split(string!(.message), " ", limit: 4)
      content = string(parts[3]) ?? ""
      file = .file
      . = { "timestamp": parts[0], "labels": { "stream": parts[1], "file": file } }
      payload, error = parse_json(content)
      if error == null && is_object(payload) { .jsonPayload = payload } else { .textPayload = content }
sinks:
  endpoint:
    type: http
    inputs: [entries]
    uri: ${task.endpoint}/v2/entries:write
    method: post
    compression: ${task.gzip ? 'gzip' : 'none'}${trust}
    payload_prefix: '{"entries":'
    payload_suffix: '}'
    encoding: { codec: json }
    batch: { max_bytes: 2097152, timeout_secs: 1 }
`);
}

export const vector: Peer = {
  name: 'vector',
  title: 'Vector: file, remap, http in LogEntry form, not joining',
  installHint: 'apt.vector.dev: apt-get install vector (not in Debian)',
  endsItself: false,
  canFollow: true,
  canGzip: true,
  find: () => askVersion('vector', '--version'),
  configFiles: (task) => [{ name: 'vector.yaml', text: vectorConfig(task) }],
  command: ({ stateDir }) => ({
    file: 'vector',
    args: ['--quiet', '--config-yaml', `${stateDir}/vector.yaml`],
  }),
};
