// kernel.wasm is committed, so that no one needs the compiler to run tailship; this test keeps it
// equal to its sources. `npm run build` compiles it.

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');

/** The compiler takes seconds on a quiet machine, and a minute on one that does much else. */
const timeoutMs = 180_000;

test(
  'kernel.wasm is what `npm run build` makes of the sources',
  { timeout: timeoutMs },
  async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'kernel-build-'));
    try {
      const built = path.join(folder, 'kernel.wasm');
      const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
        readonly scripts: { readonly build: string };
      };
      // The script's own words, so that the two cannot grow apart either.
      const [, ...args] = manifest.scripts.build.split(' ');
      const asc = path.join(root, 'node_modules/assemblyscript/bin/asc.js');
      await promisify(execFile)(process.execPath, [asc, ...args, '--outFile', built], {
        cwd: root,
      });
      expect(
        readFileSync(built).equals(readFileSync(path.join(root, 'src/encode/kernel.wasm'))),
      ).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);
