// Prints the bill of materials of what runs in production: npm's own CycloneDX, from the lock file and
// not from what is installed. Its number and its time are made from the content and the commit's time,
// so that the same commit has the same bill.
//
//   node deploy/release/write-sbom.ts SECONDS_SINCE_1970

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

type Bill = { serialNumber: string; metadata: { timestamp: string } };
type Package = { dev?: boolean; devDependencies?: object };
type Lock = { packages: Record<string, Package> };

const root = path.resolve(import.meta.dirname, '../..');

function read(name: string): unknown {
  return JSON.parse(readFileSync(path.join(root, name), 'utf8'));
}

/**
 * `npm sbom --omit=dev` leaves out what production and development both need (npm 11.19: yaml and
 * google-auth-library), so npm is asked about a package that has no development. It takes the name of
 * the directory for that of the package.
 */
function writeProduction(directory: string): void {
  const { devDependencies: _, ...manifest } = read('package.json') as Package;
  const lock = read('package-lock.json') as Lock;
  const kept = Object.entries(lock.packages).filter(([, { dev }]) => dev !== true);
  lock.packages = Object.fromEntries(kept);
  delete lock.packages['']?.devDependencies;
  mkdirSync(directory);
  writeFileSync(path.join(directory, 'package.json'), JSON.stringify(manifest));
  writeFileSync(path.join(directory, 'package-lock.json'), JSON.stringify(lock));
}

/** A UUID of version 8, whose bits are the maker's: here of a hash. */
function uuidOf(text: string): string {
  const hash = createHash('sha256').update(text).digest('hex');
  const ends = [hash.slice(0, 8), hash.slice(8, 12), `8${hash.slice(13, 16)}`];
  return [...ends, `8${hash.slice(17, 20)}`, hash.slice(20, 32)].join('-');
}

const seconds = Number(process.argv[2]);
if (!Number.isSafeInteger(seconds)) throw new Error('usage: write-sbom.ts SECONDS_SINCE_1970');
const work = mkdtempSync(path.join(tmpdir(), 'tailship-sbom-'));
try {
  const directory = path.join(work, 'tailship');
  writeProduction(directory);
  const words = ['sbom', '--sbom-format=cyclonedx', '--package-lock-only'];
  const bill = JSON.parse(execFileSync('npm', words, { cwd: directory, encoding: 'utf8' })) as Bill;
  bill.metadata.timestamp = new Date(seconds * 1_000).toISOString();
  bill.serialNumber = '';
  bill.serialNumber = `urn:uuid:${uuidOf(JSON.stringify(bill))}`;
  console.log(JSON.stringify(bill, null, 2));
} finally {
  rmSync(work, { recursive: true });
}
