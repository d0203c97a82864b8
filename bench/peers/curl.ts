// The floor: curl uploads the raw files over one connection and understands nothing of them. What
// an agent costs beyond this is what it does. Listed in peers.ts.

import { execFileSync } from 'node:child_process';
import type { Peer } from './peer.ts';

export const curl: Peer = {
  name: 'curl',
  title: 'curl -T of the raw files, one connection: the floor',
  installHint: 'apt-get install curl',
  endsItself: true,
  canFollow: false,
  lineShare: 1,
  find() {
    try {
      return execFileSync('curl', ['--version'], { encoding: 'utf8' }).split(' ')[1];
    } catch {
      return undefined;
    }
  },
  configText: () => undefined,
  command(task) {
    // An empty `Expect` spares the round trip of a 100-continue per file.
    const uploads = task.files.flatMap((file) => ['-T', file, `${task.endpoint}/raw`]);
    return { file: 'curl', args: ['-sS', '--fail', '-H', 'Expect:', ...uploads] };
  },
};
