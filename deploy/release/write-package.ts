// Writes dist/, what `npm pack` packs: src/ with its types stripped. Node refuses to strip types below
// node_modules, so an installed package must hold JavaScript. Every character keeps its line and
// column, and nothing is bundled or renamed, so a stack trace of a user is one of src/.

import { copyFileSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');
const from = path.join(root, 'src');
const to = path.join(root, 'dist');

rmSync(to, { recursive: true, force: true });
// The sources of the kernel are another language; what of them TypeScript imports is none.
const names = globSync('**/*.*', { cwd: from });
const queue = names.filter((name) => !name.startsWith('encode/kernel/') && !name.endsWith('.d.ts'));
for (const name of queue) {
  const source = path.join(from, name);
  const target = path.join(to, name.replace(/\.ts$/, '.js'));
  mkdirSync(path.dirname(target), { recursive: true });
  if (/\.[jt]s$/.test(name)) writeFileSync(target, asJavaScript(source));
  else copyFileSync(source, target);
}
// The versions that were tested are the versions that are installed.
copyFileSync(path.join(root, 'package-lock.json'), path.join(root, 'npm-shrinkwrap.json'));

/** The text without types; `'./drain.ts'` becomes `'./drain.js'` where that is a file of ours. */
function asJavaScript(source: string): string {
  const text = readFileSync(source, 'utf8');
  const plain = source.endsWith('.ts') ? stripTypeScriptTypes(text) : text;
  return plain.replaceAll(/(['"])([\w./-]+)\.ts\1/g, (found, quote: string, name: string) => {
    const target = path.relative(from, path.join(path.dirname(source), `${name}.ts`));
    if (!names.includes(target)) return found;
    if (!queue.includes(target)) queue.push(target);
    return `${quote}${name}.js${quote}`;
  });
}
