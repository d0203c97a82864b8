// Whether the kubectl of this machine can render deploy/.

import { spawnSync } from 'node:child_process';

/** Why it cannot; '' if it can. Debian 12's is of 2020 and knows no components. */
export function findKubectlFault(): string {
  const { status, stdout } = spawnSync('kubectl', ['version', '--client', '--output=json'], {
    encoding: 'utf8',
  });
  if (status !== 0) return 'kubectl is missing';
  const { clientVersion } = JSON.parse(stdout) as { clientVersion: { minor: string } };
  const isOld = Number.parseInt(clientVersion.minor, 10) < 21;
  return isOld ? `kubectl is 1.${clientVersion.minor}, 1.21 is needed` : '';
}
