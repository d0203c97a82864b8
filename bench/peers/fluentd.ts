// fluentd at its floor: tail, parse CRI, post, nothing of what GKE's pipeline adds. Twice, as one
// writes it down and tuned. The pipeline of GKE is fluentd-gke.ts.
//
// Tuned, measured: parser-cri's default time format takes the slow path of Ruby's parser, `%N` half
// of it; without the stat watcher each line no longer costs a wake-up at a live load. It does not
// join partial lines: the gem for that (concat) would cost more than all the rest.

import { askVersion, type Peer, type PeerTask, trimMargin } from './peer.ts';

const installHint =
  'apt-get install ruby-full build-essential && ' +
  'gem install fluentd fluent-plugin-parser-cri -v "~> 0.1"';

/** How a line's content becomes members of the record; a text stays `message`. */
function contentParts(task: PeerTask): { nested: string; filter: string } {
  const nested = task.kind === 'json' ? '<parse>\n      @type json\n    </parse>' : '';
  const filter = `
    <filter kubernetes.**>
      @type parser
      key_name message
      reserve_data true
      remove_key_name_field true
      emit_invalid_record_to_error false
      <parse>
        @type json
      </parse>
    </filter>`;
  return { nested, filter: task.kind === 'mixed' ? trimMargin(filter) : '' };
}

/** Posts everything tagged `kubernetes.…` to the sink. */
export function httpOutput(task: PeerTask, isTuned: boolean): string {
  const connection = isTuned ? 'reuse_connections true' : '# reuse_connections false';
  const trust = task.caFile === undefined ? '' : `tls_ca_cert_path ${task.caFile}`;
  return `<match kubernetes.**>
  @type http
  endpoint ${task.endpoint}/fluentd
  ${connection}
  compress ${task.gzip ? 'gzip' : 'text'}
  ${trust}
  <buffer>
    flush_interval 1s
  </buffer>
</match>
`;
}

function floorConfig(task: PeerTask, isTuned: boolean): string {
  const { nested, filter } = contentParts(task);
  const tail = isTuned ? 'enable_stat_watcher false' : '# enable_stat_watcher true';
  const time = isTuned ? 'time_format %Y-%m-%dT%H:%M:%S.%N%z' : '# time_format of the plugin';
  return trimMargin(`
<source>
  @type tail
  path ${task.containersDir}/*.log
  pos_file ${task.stateDir}/pos
  tag kubernetes.*
  read_from_head true
  ${tail}
  <parse>
    @type cri
    ${time}
    ${nested}
  </parse>
</source>
${filter}${httpOutput(task, isTuned)}`).replaceAll(/^\s*\n/gm, '');
}

function makeFluentd(isTuned: boolean): Peer {
  return {
    name: isTuned ? 'fluentd-tuned' : 'fluentd',
    title: `fluentd's floor, ${isTuned ? 'tuned' : 'defaults'}: tail, parser-cri, out_http`,
    installHint,
    endsItself: false,
    canFollow: true,
    canGzip: true,
    find() {
      const isParserHere = askVersion('gem', 'list', '--exact', 'fluent-plugin-parser-cri');
      return isParserHere === undefined ? undefined : askVersion('fluentd', '--version');
    },
    configFiles: (task) => [{ name: 'fluentd.conf', text: floorConfig(task, isTuned) }],
    command({ stateDir }) {
      const args = ['--config', `${stateDir}/fluentd.conf`, '-q'];
      return { file: 'fluentd', args: isTuned ? ['--no-supervisor', ...args] : args };
    },
  };
}

export const fluentd = makeFluentd(false);
export const fluentdTuned = makeFluentd(true);
