// rsyslog of Debian: imfile, then omelasticsearch, because Debian builds no plain HTTP output: each
// entry has a line of Elasticsearch's bulk form before it. Twice, as one writes it down and tuned.
// It does not join partial lines and takes no pod out of a path. What it says of itself goes into
// a file of its own, where a test looks for complaints about the sink's answers.
//
// Tuned: the content is cut out at its column, which containerd's fixed-width times allow, instead
// of by a regular expression; larger batches, and one worker that waits for them.

import { existsSync } from 'node:fs';
import { askVersion, type Peer, type PeerTask, trimMargin } from './peer.ts';

/** For a machine with syslog-ng, whose package excludes this one. */
const unpackedRoot = '/opt/rsyslog';
const unpackedLibraries = `${unpackedRoot}/usr/lib/x86_64-linux-gnu`;
const packages = 'rsyslog rsyslog-elasticsearch libestr0 libfastjson4 liblognorm5';

function findProgram(): string | undefined {
  const paths = ['/usr/sbin/rsyslogd', `${unpackedRoot}/usr/sbin/rsyslogd`];
  return paths.find((path) => existsSync(path));
}

const byRegex = String.raw`
template(name="entry" type="list" option.jsonf="on") {
  property(outname="timestamp" name="msg" format="jsonf" regex.expression="^([^ ]+)" regex.type="ERE" regex.submatch="1")
  property(outname="stream" name="msg" format="jsonf" regex.expression="^[^ ]+ ([^ ]+)" regex.type="ERE" regex.submatch="1")
  property(outname="text" name="msg" format="jsonf" regex.expression="^[^ ]+ [^ ]+ [^ ]+ (.*)$" regex.type="ERE" regex.submatch="1")
  property(outname="file" name="$!metadata!filename" format="jsonf")
}`;
const byColumn = `
template(name="entry" type="list" option.jsonf="on") {
  property(outname="timestamp" name="msg" format="jsonf" position.from="1" position.to="30")
  property(outname="stream" name="msg" format="jsonf" position.from="32" position.to="37")
  property(outname="text" name="msg" format="jsonf" position.from="41")
  property(outname="file" name="$!metadata!filename" format="jsonf")
}`;
/** The parsed members as they are; a line that is no JSON keeps its text there. */
const parsed = `
template(name="entry" type="list") { property(name="$!all-json") }`;

function rsyslogConfig(task: PeerTask, isTuned: boolean): string {
  const { hostname, port } = new URL(task.endpoint);
  const isJson = task.kind === 'json' || task.kind === 'mixed';
  const cut = isTuned
    ? 'set $.content = substring($msg, 40, 200000);'
    : `set $.content = re_extract($msg, '^[^ ]+ [^ ]+ [^ ]+ (.*)$', 0, 1, "");`;
  const merge = `${cut}
  set $!timestamp = field($msg, 32, 1);
  set $.error = parse_json($.content, "\\$!payload");
  if $.error != 0 then { set $!text = $.content; }`;
  const queue = isTuned
    ? 'queue.dequeueBatchSize="4096" queue.minDequeueBatchSize="512" queue.minDequeueBatchSize.timeout="1000" maxbytes="2m"'
    : '';
  const trust =
    task.caFile === undefined ? 'usehttps="off"' : `usehttps="on" tls.cacert="${task.caFile}"`;
  const template = isJson ? parsed : isTuned ? byColumn : byRegex;
  return trimMargin(`
global(workDirectory="${task.stateDir}" maxMessageSize="128k" processInternalMessages="on")
module(load="imfile")
module(load="omelasticsearch")${template}
ruleset(name="ship" queue.type="LinkedList" queue.size="100000" queue.timeoutEnqueue="60000") {
  ${isJson ? merge : ''}
  action(type="omelasticsearch" server="${hostname}" serverport="${port}" ${trust} bulkmode="on"
    template="entry" searchIndex="bench" action.resumeRetryCount="-1"
    queue.type="LinkedList" queue.size="100000" queue.timeoutEnqueue="60000" ${queue})
}
syslog.* action(type="omfile" file="${task.stateDir}/rsyslogd.log")
input(type="imfile" File="${task.containersDir}/*.log" Tag="kubernetes" ruleset="ship" addMetadata="on")
`);
}

function makeRsyslog(isTuned: boolean): Peer {
  return {
    name: isTuned ? 'rsyslog-tuned' : 'rsyslog',
    title: `rsyslog, ${isTuned ? 'tuned' : 'defaults'}, not joining: imfile, omelasticsearch`,
    installHint:
      `apt-get install ${packages}; beside syslog-ng: apt-get download ${packages} && ` +
      `for each in *.deb; do dpkg -x $each ${unpackedRoot}; done`,
    endsItself: false,
    canFollow: true,
    canGzip: false,
    find() {
      const program = findProgram();
      return program && askVersion('env', `LD_LIBRARY_PATH=${unpackedLibraries}`, program, '-v');
    },
    configFiles: (task) => [{ name: 'rsyslog.conf', text: rsyslogConfig(task, isTuned) }],
    command({ stateDir }) {
      const file = findProgram() ?? 'rsyslogd';
      const args = ['-n', '-f', `${stateDir}/rsyslog.conf`, '-i', `${stateDir}/pid`];
      if (!file.startsWith(unpackedRoot)) return { file, args };
      const env = { LD_LIBRARY_PATH: unpackedLibraries };
      return { file, args: [...args, '-M', `${unpackedLibraries}/rsyslog`], env };
    },
  };
}

export const rsyslog = makeRsyslog(false);
export const rsyslogTuned = makeRsyslog(true);
