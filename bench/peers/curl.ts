// The floor: curl uploads the raw files over one connection and understands nothing of them. What
// an agent costs beyond this is what it does.

import { askVersion, type Peer } from './peer.ts';

export const curl: Peer = {
  name: 'curl',
  title: 'curl -T of the raw files, one connection: the floor',
  installHint: 'apt-get install curl',
  endsItself: true,
  canFollow: false,
  canGzip: false,
  find: () => askVersion('curl', '--version'),
  configFiles: () => [],
  command(task) {
    // An empty `Expect` spares the round trip of a 100-continue per file.
    const uploads = task.files.flatMap((file) => ['-T', file, `${task.endpoint}/raw`]);
    const trust = task.caFile === undefined ? [] : ['--cacert', task.caFile];
    return { file: 'curl', args: ['-sS', '--fail', '-H', 'Expect:', ...trust, ...uploads] };
  },
};
