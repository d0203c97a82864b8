// A chain that looks at its files while the process has no descriptor left, then while it has some.
// A process of its own, since the limit is one of processes: its arguments are root and directory.

import fs from 'node:fs';
import { OpenFiles } from '../../src/tail/open-files.ts';
import { Chain } from '../../src/tail/chain.ts';
import { makeTailSetup } from './tail-fixture.ts';

const [, , root = '', directory = ''] = process.argv;
const held: number[] = [];
try {
  for (;;) held.push(fs.openSync('/dev/null', 'r'));
} catch {
  // None is left.
}
const file = { directory, liveName: '0.log', format: 'cri', podUid: 'u', container: 'c' } as const;
const setup = makeTailSetup(root, { openFiles: new OpenFiles(9) });
const chain = new Chain({ ...file, restartCount: 0 }, setup);
chain.addLink('x');
chain.look(1);
for (const fd of held) fs.closeSync(fd);
const before = chain.cut(1e9, 2).bytes;
chain.look(3);
process.stdout.write(JSON.stringify({ before, waits: chain.toSpool(4) !== undefined }));
