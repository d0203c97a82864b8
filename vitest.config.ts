import { defineConfig } from 'vitest/config';
import { BaseSequencer } from 'vitest/node';

const slow = process.env['TAILSHIP_SLOW'] === '1';

/** The folders whose tests start processes and wait for them, the longest file first. */
const longFolders = [
  '/test/model/',
  '/test/e2e/',
  '/test/admin/',
  '/test/command/',
  '/test/bench/',
];

/** A long file that starts last leaves the other workers idle, and vitest goes by size. */
class LongFirst extends BaseSequencer {
  override async sort(files: Parameters<BaseSequencer['sort']>[0]): Promise<typeof files> {
    const rankOf = ({ moduleId }: (typeof files)[number]) => {
      const rank = longFolders.findIndex((folder) => moduleId.includes(folder));
      return rank === -1 ? longFolders.length : rank;
    };
    return (await super.sort(files)).toSorted((a, b) => rankOf(a) - rankOf(b));
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: slow ? [] : ['test/**/*.slow.test.ts'],
    // Node strips the types itself, so a test loads a file exactly as production does.
    experimental: { viteModuleRunner: false },
    pool: 'forks',
    // Three on two cores: an end-to-end test waits for half of its time, so two leave a core idle.
    maxWorkers: 3,
    sequence: { sequencer: LongFirst },
    // Tests wait for conditions; this only ends the ones that would never end. Shared machines are
    // slow at times, and a slow test is no failed one.
    testTimeout: 300_000,
    hookTimeout: 120_000,
  },
});
