// A node's files before and after an upgrade, always the same bytes, so that a state directory
// which an earlier release left can be kept in the repository; and that release's own sources, from
// git.
//
// Run by itself it makes test/e2e/state-0.1 again:
//
//   node test/e2e/old-node.ts test/e2e/state-0.1

import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

import { makeScratch, startCommand, startEmulatorProcess } from '../support/agent-process.ts';

/** The last commit of 0.1. */
export const oldRelease = 'f9392a1';
const root = path.resolve(import.meta.dirname, '../..');

const containers = [
  { pod: 'cart-0', uid: '11111111-1111-4111-8111-111111111111' },
  { pod: 'rotated-0', uid: '22222222-2222-4222-8222-222222222222' },
  { pod: 'packed-0', uid: '33333333-3333-4333-8333-333333333333' },
  { pod: 'restarted-0', uid: '44444444-4444-4444-8444-444444444444' },
] as const;
/** Lines that the old release finds, of each container, and those that are written afterwards. */
export const linesBefore = 150;
export const linesAfter = 80;

export type OldNode = { readonly words: readonly string[]; readonly podsDir: string };

/** The directories of the node below a folder, and the words that an agent is given for them. */
export function oldNode(folder: string): OldNode {
  const podsDir = path.join(folder, 'pods');
  const containersDir = path.join(folder, 'containers');
  for (const directory of [podsDir, containersDir]) fs.mkdirSync(directory, { recursive: true });
  const values = {
    'containers-dir': containersDir,
    'log-root': podsDir,
    project: 'acme-logs-42',
    cluster: 'blue',
    location: 'europe-west4',
    node: 'gke-blue-pool-1-7f3a',
  };
  const flags = Object.entries(values).map(([name, value]) => `--${name}=${value}`);
  return { podsDir, words: ['run', '--once', '--admin-address=off', ...flags] };
}

/** What the old release finds. */
export function writeBefore(folder: string): void {
  const { podsDir } = oldNode(folder);
  for (const each of containers) {
    const directory = path.join(podsDir, `ns_${each.pod}_${each.uid}`, 'app');
    fs.mkdirSync(directory, { recursive: true });
    fs.writeFileSync(path.join(directory, '0.log'), lines(each.pod, 0, linesBefore));
    link(folder, each.pod, path.join(directory, '0.log'));
  }
}

/** What has happened meanwhile: more lines, a rotation, a rotation that was packed, a restart. */
export function writeAfter(folder: string): void {
  const { podsDir } = oldNode(folder);
  const half = linesAfter / 2;
  for (const { pod, uid } of containers) {
    const directory = path.join(podsDir, `ns_${pod}_${uid}`, 'app');
    const live = path.join(directory, '0.log');
    const end = linesBefore + linesAfter;
    if (pod === 'cart-0') fs.appendFileSync(live, lines(pod, linesBefore, end));
    else fs.appendFileSync(live, lines(pod, linesBefore, linesBefore + half));
    if (pod === 'rotated-0' || pod === 'packed-0') {
      const rotated = `${live}.20260102-040000`;
      fs.renameSync(live, rotated);
      fs.writeFileSync(live, lines(pod, linesBefore + half, end));
      if (pod === 'packed-0') {
        fs.writeFileSync(`${rotated}.gz`, gzipSync(fs.readFileSync(rotated)));
        fs.rmSync(rotated);
      }
    }
    if (pod === 'restarted-0') {
      const next = path.join(directory, '1.log');
      fs.writeFileSync(next, lines(pod, linesBefore + half, end));
      link(folder, pod, next);
    }
  }
}

function lines(pod: string, from: number, end: number): string {
  const written: string[] = [];
  for (let index = from; index < end; index += 1) {
    const time = new Date(Date.UTC(2026, 0, 2, 3, 0, index)).toISOString().replace('Z', '000000Z');
    const text = index % 3 === 0 ? `{"message":"${pod} ${index}"}` : `${pod} line ${index}`;
    written.push(`${time} ${index % 2 === 0 ? 'stdout' : 'stderr'} F ${text}\n`);
  }
  return written.join('');
}

function link(folder: string, pod: string, target: string): void {
  const name = path.join(folder, 'containers', `${pod}_ns_app-${'a'.repeat(64)}.log`);
  fs.rmSync(name, { force: true });
  fs.symlinkSync(target, name);
}

/** Every insertId that an emulator holds, sorted. */
export async function insertIds(url: string): Promise<string[]> {
  const text = await (await fetch(`${url}/emulator/entries`)).text();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { insertId: string }).insertId)
    .toSorted();
}

/** Whether the repository's history goes back to the old release; a shallow clone's does not. */
export function hasOldRelease(): boolean {
  return spawnSync('git', ['cat-file', '-e', `${oldRelease}^{commit}`], { cwd: root }).status === 0;
}

/** Puts the old release into a folder; returns a command that runs it in place of today's. */
export function takeOldRelease(folder: string): string[] {
  fs.mkdirSync(folder, { recursive: true });
  const archive = execFileSync('git', ['archive', oldRelease, 'src', 'package.json'], {
    cwd: root,
    maxBuffer: 64 * 1024 * 1024,
  });
  execFileSync('tar', ['--extract', '--directory', folder], { input: archive });
  fs.symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  // It is given Node, today's main.ts and the words.
  const script = 'old=$0 node=$1; shift 2; exec "$node" "$old" "$@"';
  return ['sh', '-c', script, path.join(folder, 'src/main.ts')];
}

async function writeOldState(target: string): Promise<void> {
  const scratch = makeScratch();
  const emulator = await startEmulatorProcess();
  try {
    const under = takeOldRelease(path.join(scratch.path, 'old'));
    const { words } = oldNode(scratch.path);
    const runOld = async (stateDir: string): Promise<void> => {
      const flags = [`--endpoint=${emulator.url}`, `--state-dir=${stateDir}`];
      const command = startCommand([...words, ...flags], {}, under);
      if ((await command.ended) !== 0) throw new Error(command.lines.join('\n'));
    };
    writeBefore(scratch.path);
    await runOld(target);
    writeAfter(scratch.path);
    const copy = path.join(scratch.path, 'state');
    fs.cpSync(target, copy, { recursive: true });
    await runOld(copy);
    const ids = await insertIds(emulator.url);
    fs.writeFileSync(path.join(target, 'insert-ids.txt'), `${ids.join('\n')}\n`);
  } finally {
    await emulator.stop();
    scratch.remove();
  }
}

const [, program, target] = process.argv;
if (program === import.meta.filename && target !== undefined) await writeOldState(target);
