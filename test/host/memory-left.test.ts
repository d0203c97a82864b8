import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { refuseIfShort } from '../../src/command/tail-agent.ts';
import { memoryLeft } from '../../src/host/cgroup.ts';
import { makeScratch } from '../support/agent-process.ts';

/** Files of a cgroup by their paths below the mount. */
function leftWith(membership: string, files: Readonly<Record<string, string>>): number | undefined {
  const scratch = makeScratch();
  onTestFinished(() => scratch.remove());
  for (const [name, text] of Object.entries({ '../membership': membership, ...files })) {
    const file = path.join(scratch.path, 'mount', name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
  }
  const membershipFile = path.join(scratch.path, 'membership');
  return memoryLeft({ mountDir: path.join(scratch.path, 'mount'), membershipFile });
}

test('memoryLeft() counts pages that the kernel can take back as free, v2 and v1', () => {
  const v2 = { 'memory.max': '1000\n', 'memory.current': '900\n' };
  expect(leftWith('0::/\n', { ...v2, 'memory.stat': 'anon 500\ninactive_file 300\n' })).toBe(400);
  expect(leftWith('0::/\n', v2)).toBe(100);
  const v1 = {
    'memory/memory.limit_in_bytes': '1000\n',
    'memory/memory.usage_in_bytes': '700\n',
    'memory/memory.stat': 'inactive_file 1\ntotal_inactive_file 200\n',
  };
  expect(leftWith('4:memory:/\n', v1)).toBe(500);
});

test('memoryLeft() is the least of all levels, and nothing without a limit', () => {
  const files = {
    'memory.max': '5000\n',
    'memory.current': '4900\n',
    'pod/memory.max': '1000\n',
    'pod/memory.current': '100\n',
  };
  expect(leftWith('0::/pod\n', files)).toBe(100);
  expect(leftWith('0::/\n', { 'memory.max': 'max\n', 'memory.current': '900\n' })).toBeUndefined();
  expect(leftWith('0::/\n', {})).toBeUndefined();
});

test('a live tail does not start where the agent would be ended with it', () => {
  const short = () => refuseIfShort(10 * 1024 ** 2);
  expect(short).toThrow(expect.objectContaining({ code: 'MEMORY_SHORT' }));
  expect(short).toThrow('10 MiB are left');
  for (const bytes of [undefined, 64 * 1024 ** 2]) expect(() => refuseIfShort(bytes)).not.toThrow();
});
