import { defineConfig } from 'vitest/config';

const slow = process.env['TAILSHIP_SLOW'] === '1';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: slow ? [] : ['test/**/*.slow.test.ts'],
    // Node strips the types itself, so a test loads a file exactly as production does.
    experimental: { viteModuleRunner: false },
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
  },
});
