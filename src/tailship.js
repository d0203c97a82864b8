#!/usr/bin/env node
// The `tailship` on the PATH: the entry that costs least memory. It is plain JavaScript, so that an
// old Node says one clear line, and so that the compile cache is on before the first TypeScript
// file: main.ts then need not start itself again.

import './node-version.js';
import module from 'node:module';
import { fileURLToPath } from 'node:url';

// Node itself has done this if NODE_COMPILE_CACHE is set. The directory must belong to the user who
// installed tailship, never be /tmp, where others could plant code. One that cannot be written is
// no error: everything works, with 20 MB more.
if (!process.env.NODE_COMPILE_CACHE && !process.env.NODE_DISABLE_COMPILE_CACHE) {
  const directory = fileURLToPath(new URL('../node_modules/.cache/tailship', import.meta.url));
  module.enableCompileCache(directory);
  // Workers take the cache from this variable only.
  process.env.NODE_COMPILE_CACHE = directory;
}

await import('./main.ts');
