// `tailship demo` as a script and as a person would run it: with stdout no terminal, and in a
// directory whose path has a space in it.

import fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { AgentStatus } from '../../src/admin/admin-source.ts';
import { startCommand, until } from '../support/agent-process.ts';
import { useScratch } from '../support/scene.ts';

const scratch = useScratch();

const free = ['--port=0', '--admin-address=127.0.0.1:0'];
const clean = /^written [1-9]\d*, lost 0, doubled 0, out of order 0, altered 0$/;

describe('tailship demo', () => {
  test('--seconds ends by itself with nothing lost and nothing left behind', async () => {
    const demo = startCommand(['demo', '--seconds=3', ...free], { TMPDIR: scratch.path });
    expect(await demo.ended).toBe(0);
    expect(demo.lines.at(-1)).toMatch(clean);
    expect(demo.lines.join('\n')).toMatch(/agent +http:\S+[^]*emulator +http:\S+/);
    expect(fs.readdirSync(scratch.path)).toEqual([]);
  });

  test('Ctrl-C ends it in the same way', async () => {
    const demo = startCommand(['demo', ...free], { TMPDIR: scratch.path });
    await until('it greets', () => demo.lines.includes('Ctrl-C ends it.') || undefined);
    const [, agent = ''] = /agent +(http:\S+)/.exec(demo.lines.join('\n')) ?? [];
    const { workloads, showsContent } = (await (
      await fetch(`${agent}api/status`)
    ).json()) as AgentStatus;
    expect(workloads.length).toBeGreaterThan(0);
    expect(showsContent).toBe(true);
    demo.signal('SIGINT');
    expect(await demo.ended).toBe(0);
    expect(demo.lines.at(-1)).toMatch(clean);
    expect(fs.readdirSync(scratch.path)).toEqual([]);
  });

  test('an agent that cannot start ends it with 1 and says why', async () => {
    // An option that `run` has and `demo` has not: the agent refuses its value.
    const environment = { TMPDIR: scratch.path, TAILSHIP_FORMAT: 'nonsense' };
    const demo = startCommand(['demo', '--seconds=3', ...free], environment);
    expect(await demo.ended).toBe(1);
    expect(demo.lines.join('\n')).toMatch(/agent: .*CONFIG_INVALID.*nonsense/);
    expect(fs.readdirSync(scratch.path)).toEqual([]);
  });
});
