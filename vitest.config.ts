import { defineConfig } from 'vitest/config';

const slow = process.env['TAILSHIP_SLOW'] === '1';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: slow ? [] : ['test/**/*.slow.test.ts'],
    // Node strips the types itself, so a test loads a file exactly as production does.
    experimental: { viteModuleRunner: false },
    pool: 'forks',
    // Three on two cores: an end-to-end test waits for half of its time, so two leave a core idle.
    maxWorkers: 3,
    // Tests wait for conditions; this only ends the ones that would never end. Shared machines are
    // slow at times, and a slow test is no failed one.
    testTimeout: 300_000,
    hookTimeout: 120_000,
  },
});
