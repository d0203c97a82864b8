// syslog-ng of Debian: its own kubernetes() source with http() as one writes it down, and tuned.
//
// Tuned: kubernetes() groups every line by its file to join partial ones, which costs more than all
// the rest, so the tuned one does not join; its lines are split at three spaces, sent in batches.

import { askVersion, type Peer, type PeerTask, trimMargin } from './peer.ts';

/** More files than the corpus has: one that is rotated has a successor before it goes. */
const spareFiles = 8;
/**
 * Lines under way in all, about 2.4 kB of memory each, and of one file: with fewer than a batch it
 * waits for the batch to time out.
 */
const windowLines = 100_000;
const fileWindowLinesMax = 10_000;
const fileWindowLinesMin = 100;

/**
 * The window of flow control. syslog-ng gives each file `log-iw-size() / max-files()` lines, and a
 * file that has used its share waits for an answer.
 */
function windowOf(task: PeerTask): { readonly files: number; readonly lines: number } {
  const files = task.files.length + spareFiles;
  const share = Math.floor(windowLines / files);
  const each = Math.min(fileWindowLinesMax, Math.max(fileWindowLinesMin, share));
  return { files, lines: files * each };
}

const global = `
@version: 3.38
@include "scl.conf"
options { stats-freq(0); log-msg-size(131072); keep-timestamp(yes); time-reopen(1); };`;

function trust(task: PeerTask): string {
  return task.caFile === undefined ? '' : `tls(ca-file("${task.caFile}") peer-verify(yes))`;
}

/** Members of a JSON line become members of the entry; \`content\` is the macro that holds it. */
function mergeJson(task: PeerTask, content: string): string {
  if (task.kind === 'text' || task.kind === 'long') return '';
  return `
  if {
    parser { json-parser(prefix(".json.") template("\${${content}}")); };
    rewrite { unset(value("${content}")); };
  };`;
}

function defaultConfig(task: PeerTask): string {
  return trimMargin(`${global}
source files { kubernetes(base-dir("${task.containersDir}")); };
destination sink {
  http(
    url("${task.endpoint}/syslog-ng")
    method("POST")
    headers("Content-Type: application/json")
    body("$(format-json --scope rfc5424 --key .k8s.* --key .json.* --shift-levels 1)")
    ${trust(task)}
  );
};
log {
  source(files);${mergeJson(task, 'MESSAGE')}
  destination(sink);
  flags(flow-control);
};
`);
}

function tunedConfig(task: PeerTask): string {
  const resource =
    '--pair resource="${.k8s.namespace_name}/${.k8s.pod_name}/${.k8s.container_name}"';
  const { files, lines } = windowOf(task);
  const entry = '--key .cri.* --shift-levels 1 --key .json.* --shift-levels 1';
  return trimMargin(`${global}
source files {
  wildcard-file(
    base-dir("${task.containersDir}")
    filename-pattern("*.log")
    max-files(${files})
    log-iw-size(${lines})
    log-fetch-limit(10000)
    follow-freq(1)
    flags(no-parse)
  );
};
destination sink {
  http(
    url("${task.endpoint}/syslog-ng")
    method("POST")
    headers("Content-Type: application/json")
    batch-lines(2000)
    batch-bytes(1024Kb)
    batch-timeout(1000)
    body-prefix("[")
    delimiter(",\\n")
    body-suffix("]")
    log-fifo-size(${lines})
    body('$(format-json ${entry} ${resource})')
    ${trust(task)}
  );
};
log {
  source(files);
  parser {
    csv-parser(
      columns(".cri.time", ".cri.stream", ".cri.tag", ".cri.text")
      delimiters(" ")
      flags(greedy)
    );
  };
  parser { kubernetes-metadata-parser(prefix(".k8s.")); };${mergeJson(task, '.cri.text')}
  destination(sink);
  flags(flow-control);
};
`);
}

function makeSyslogNg(isTuned: boolean): Peer {
  const how = isTuned ? 'tuned, not joining' : 'kubernetes(), joining';
  return {
    name: isTuned ? 'syslog-ng-tuned' : 'syslog-ng',
    title: `syslog-ng, ${how}: format-json, http()`,
    installHint: 'apt-get install syslog-ng-core syslog-ng-mod-http syslog-ng-scl',
    endsItself: false,
    canFollow: true,
    canGzip: false,
    find: () =>
      askVersion('syslog-ng', '--version') && askVersion('dpkg-query', '-W', 'syslog-ng-mod-http'),
    configFiles: (task) => [
      { name: 'syslog-ng.conf', text: isTuned ? tunedConfig(task) : defaultConfig(task) },
    ],
    command(task) {
      const own = (name: string) => `${task.stateDir}/${name}`;
      const args = ['--foreground', '--no-caps', '--cfgfile', own('syslog-ng.conf')];
      args.push('--persist-file', own('persist'), '--pidfile', own('pid'), '--control', own('ctl'));
      return { file: 'syslog-ng', args };
    },
  };
}

export const syslogNg = makeSyslogNg(false);
export const syslogNgTuned = makeSyslogNg(true);
