// The wall clock is set forward and back while files are read. (There is no libfaketime here for
// the process as a whole: these are all the places that look at the wall clock.)

import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { steadyNowMs } from '../../src/steady-clock.ts';
import { OpenFiles } from '../../src/tail/open-files.ts';
import { Chain } from '../../src/tail/chain.ts';
import { makeTailSetup } from './tail-fixture.ts';

const hourMs = 3_600_000;
let directory: string;

beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'clock-')), 'c');
  mkdirSync(directory);
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(join(directory, '..'), { recursive: true });
});

function jump(byMs: number): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + byMs });
}

test('`steadyNowMs()` neither jumps nor goes back', () => {
  const before = steadyNowMs();
  expect(Math.abs(before - Date.now())).toBeLessThan(60_000);
  jump(-hourMs);
  const after = steadyNowMs();
  expect(after).toBeGreaterThanOrEqual(before);
  expect(after - before).toBeLessThan(hourMs / 2);
});

test.each([hourMs, -hourMs])('a clock that jumps by %i ms hides no file', (byMs) => {
  const line = (text: string) => `2024-03-05T14:07:00Z stdout F ${text}\n`;
  const path = (name: string) => join(directory, name);
  writeFileSync(path('0.log'), line('a'));
  const place = { directory, liveName: '0.log', podUid: 'u', container: 'c', restartCount: 0 };
  const chain = new Chain(
    { ...place, format: 'cri' },
    makeTailSetup(join(directory, '..'), {
      openFiles: new OpenFiles(9),
    }),
  );
  chain.addLink('x');
  chain.look(steadyNowMs());
  expect(chain.unread).toBe(line('a').length);
  jump(byMs);
  renameSync(path('0.log'), path('0.log.20240305-140721'));
  writeFileSync(path('0.log'), line('b'));
  chain.look(steadyNowMs());
  expect(chain.files).toHaveLength(2);
  appendFileSync(path('0.log'), line('c'));
  chain.look(steadyNowMs());
  expect(chain.unread).toBe(3 * line('a').length);
  chain.close();
});
