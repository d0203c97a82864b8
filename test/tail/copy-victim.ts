// What orphans-killed.test.ts runs and kills: `copy-victim.ts copy|read <folder> <call>` keeps what
// is left of a deleted log, or reads what an earlier run has kept, until the given call of the file
// system kills it.

import { FaultyFs } from '../support/faulty-fs.ts';
import { fiftyLines, OrphanScene } from './orphan-scene.ts';

const [, , what, root = '', failAt] = process.argv;
const scene = new OrphanScene(root, fiftyLines);
// Between two of these the disk does not change.
const kinds = ['make', 'open', 'write', 'sync', 'name'] as const;
const makeDeadly = (): void => {
  scene.faulty = new FaultyFs({ failAt: Number(failAt), kinds, isDeadly: true });
};

if (what === 'copy') {
  const chain = scene.makeDeleted(0);
  const spooler = scene.makeSpooler();
  makeDeadly();
  await scene.keep(spooler, chain);
  scene.read(chain);
  scene.save(chain);
  await scene.keep(spooler, chain);
} else {
  makeDeadly();
  await scene.readAgain();
}
scene.faulty?.restore();
console.log('unharmed');
