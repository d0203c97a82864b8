import { describe, expect, test } from 'vitest';
import { severityNames } from '../../../src/log-severity.ts';
import { openEmulator, type Fixture } from '../emulator-fixture.ts';
import { sceneRequests, sceneTimeMs } from './scene.ts';

type Answer = {
  readonly storedCount: number;
  readonly keptCount: number;
  readonly matchCount: number;
  readonly severities: Readonly<Record<string, number>>;
  readonly workloads: readonly (readonly [string, number])[];
  readonly histogram: { startMs: number; stepMs: number; counts: number[][] };
  readonly entries: readonly { timestamp: string; severity?: string; insertId: string }[];
};

/** An entry as the fixture gives it back. */
type StoredJson = Awaited<ReturnType<Fixture['stored']>>[number];

async function explore({ emulator }: Fixture, query: Record<string, string> = {}): Promise<Answer> {
  const asked = new URLSearchParams(query).toString();
  const response = await fetch(`${emulator.url}/emulator/explore?${asked}`);
  return (await response.json()) as Answer;
}

async function openScene(count: number): Promise<Fixture> {
  const fixture = await openEmulator();
  for (const request of sceneRequests(count)) await fixture.write(request);
  return fixture;
}

function sumOf(counts: Iterable<number>): number {
  return [...counts].reduce((sum, count) => sum + count, 0);
}

describe('GET /emulator/explore', () => {
  test('counts each entry once in each facet, and in the histogram', async () => {
    const answer = await explore(await openScene(700), { limit: '10' });
    expect(answer).toMatchObject({ storedCount: 700, keptCount: 700, matchCount: 700 });
    expect(sumOf(Object.values(answer.severities))).toBe(700);
    expect(sumOf(answer.workloads.map(([, count]) => count))).toBe(700);
    expect(sumOf(answer.histogram.counts.flat())).toBe(700);
    expect(answer.histogram.counts.length).toBeLessThanOrEqual(61);
    expect(answer.entries).toHaveLength(10);
    const times = answer.entries.map(({ timestamp }) => Date.parse(timestamp));
    expect(times).toEqual(times.toSorted((left, right) => right - left));
  });

  test('shows what arrives while somebody looks, a repeat not again', async () => {
    const fixture = await openEmulator();
    expect(await explore(fixture)).toMatchObject({ keptCount: 0, entries: [] });
    const [request = {}] = sceneRequests(20);
    await fixture.write(request);
    await fixture.write(request);
    expect(await explore(fixture)).toMatchObject({ keptCount: 20, matchCount: 20 });
    await fetch(`${fixture.emulator.url}/emulator/entries`, { method: 'DELETE' });
    expect(await explore(fixture)).toMatchObject({ keptCount: 0, matchCount: 0 });
  });

  test('filters by severity, workload, text and time, each alone and together', async () => {
    const fixture = await openScene(900);
    const all = await fixture.stored();
    const from = sceneTimeMs - 300_000;
    const filters: Record<string, (entry: StoredJson) => boolean> = {
      'severities=ERROR,CRITICAL': (entry) => /ERROR|CRITICAL/.test(entry['severity']),
      'workload=payments/ledger-0/ledger': (entry) =>
        entry['resource'].labels.pod_name === 'ledger-0',
      'text=Gateway': (entry) => JSON.stringify(entry).toLowerCase().includes('gateway'),
      [`from=${from}`]: (entry) => Date.parse(entry['timestamp']) >= from,
    };
    for (const [query, isWanted] of Object.entries(filters)) {
      const wanted = all.filter(isWanted).length;
      expect(wanted).toBeGreaterThan(0);
      expect(
        (await explore(fixture, Object.fromEntries(new URLSearchParams(query)))).matchCount,
      ).toBe(wanted);
    }
    const together = Object.fromEntries(new URLSearchParams(Object.keys(filters).join('&')));
    const wanted = all.filter((entry) =>
      Object.values(filters).every((isWanted) => isWanted(entry)),
    );
    expect((await explore(fixture, together)).matchCount).toBe(wanted.length);
  });

  test('leaves the own filter out of a facet, so that the others can be chosen', async () => {
    const fixture = await openScene(400);
    const all = await explore(fixture);
    const errors = await explore(fixture, { severities: 'ERROR' });
    expect(errors.severities).toEqual(all.severities);
    expect(errors.matchCount).toBe(all.severities['ERROR']);
    expect(Object.keys(errors.severities)).toEqual([...severityNames]);
  });
});

describe('the page of the emulator', () => {
  test('is for browsers; others get the greeting', async () => {
    const { emulator } = await openEmulator();
    const page = await fetch(emulator.url, { headers: { accept: 'text/html,*/*' } });
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    const named = [...(await page.text()).matchAll(/(?:src|href)="([^":]+)"/g)];
    expect(named.length).toBeGreaterThan(2);
    for (const [, address] of named) {
      expect((await fetch(`${emulator.url}/${address}`)).status).toBe(200);
    }
    expect(await (await fetch(emulator.url)).text()).toMatch(/^tailship emulator/);
    expect((await fetch(`${emulator.url}/nothing.js`)).status).toBe(404);
  });
});
