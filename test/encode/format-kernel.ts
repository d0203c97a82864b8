// Formats the kernel's sources: `node test/encode/format-kernel.ts [--check]`. They are
// AssemblyScript, which has decorators on functions; oxfmt reads everything else of it, so a
// decorator is a comment while it formats. The invariant: the text changes in white space alone.

import assert from 'node:assert';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { format, type FormatOptions } from 'oxfmt';

const root = path.resolve(import.meta.dirname, '../..');
const config = JSON.parse(readFileSync(path.join(root, '.oxfmtrc.json'), 'utf8')) as FormatOptions;

async function formatted(file: string, text: string): Promise<string> {
  const readable = text.replaceAll(/^@inline$/gm, '// @inline');
  const { code, errors } = await format(file, readable, config);
  assert.deepStrictEqual(errors, [], file);
  return code.replaceAll(/^\/\/ @inline$/gm, '@inline');
}

const isCheck = process.argv.includes('--check');
for (const file of globSync('src/encode/kernel/*.ts', { cwd: root })) {
  const target = path.join(root, file);
  const before = readFileSync(target, 'utf8');
  const after = await formatted(file, before);
  if (after === before) continue;
  if (isCheck) {
    process.exitCode = 1;
    process.stdout.write(`${file} is not formatted: npm run format\n`);
  } else {
    writeFileSync(target, after);
  }
}
