// The two ways to ship a journal: tailship, which reads its files, and journalctl piped into a
// process of Node that parses the export format (journal-client.ts).

import path from 'node:path';
import { askVersion, type Peer, type PeerTask } from './peer.ts';
import { tailship, tailshipBase } from './tailship.ts';

/** The journal is the directory of the task's one file: its writer may have begun a second one. */
function withJournal(peer: Peer): Peer {
  return {
    ...peer,
    command(task) {
      const { args, ...command } = peer.command(task);
      const directory = path.dirname(journalOf(task));
      return { ...command, args: [...args, '--node-logs=auto', `--journal-dir=${directory}`] };
    },
  };
}

const journalctl: Peer = {
  name: 'journalctl',
  title: 'journalctl -o export, piped into Node, which parses it and posts 1,000 entries a request',
  installHint: 'apt install systemd systemd-journal-remote',
  endsItself: true,
  canFollow: false,
  canGzip: false,
  find: () => askVersion('journalctl', '--version'),
  configFiles: () => [],
  command(task) {
    const parser = path.join(import.meta.dirname, 'journal-client.ts');
    const script = 'set -o pipefail; journalctl --directory "$1" -o export --all | "$2" "$3" "$4"';
    const words = ['bash', path.dirname(journalOf(task)), process.execPath, parser, task.endpoint];
    return { file: 'bash', args: ['-c', script, ...words] };
  },
};

function journalOf({ files: [file] }: PeerTask): string {
  if (file === undefined) throw new Error('no journal was written');
  return file;
}

/** In the order of the pairs: the first is measured against each other. */
export const journalPeers: readonly Peer[] = [
  withJournal(tailship),
  withJournal(tailshipBase),
  journalctl,
];
