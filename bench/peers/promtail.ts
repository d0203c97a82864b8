// promtail: the file target with the cri stage, which joins partial lines, pushed to Loki as
// protobuf in snappy, the only form it has. Its development has ended; many nodes still run it.

import { askVersion, type Peer, type PeerTask, trimMargin } from './peer.ts';

function promtailConfig(task: PeerTask): string {
  const trust = task.caFile === undefined ? '' : `\n    tls_config: { ca_file: ${task.caFile} }`;
  return trimMargin(`
server: { disable: true, log_level: error }
positions: { filename: ${task.stateDir}/positions.yaml }
clients:
  - url: ${task.endpoint}/loki/api/v1/push
    batchwait: 1s
    batchsize: 1048576${trust}
scrape_configs:
  - job_name: containers
    pipeline_stages:
      - cri: {}
    static_configs:
      - targets: [localhost]
        labels:
          job: containers
          __path__: ${task.containersDir}/*.log
`);
}

export const promtail: Peer = {
  name: 'promtail',
  title: 'promtail: file target, cri stage, push to Loki as snappy protobuf, joining',
  installHint: 'apt.grafana.com: apt-get install promtail (not in Debian)',
  endsItself: false,
  canFollow: true,
  canGzip: false,
  find: () => askVersion('promtail', '--version'),
  configFiles: (task) => [{ name: 'promtail.yaml', text: promtailConfig(task) }],
  command: ({ stateDir }) => ({
    file: 'promtail',
    args: [`-config.file=${stateDir}/promtail.yaml`],
  }),
};
