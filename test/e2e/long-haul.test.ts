import { describe, expect, test } from 'vitest';
import { trendsOf, type Minute } from './long-haul-run.ts';

const flat = { rss: 100, ownRss: 50, descriptors: 300, p50Ms: 500, p99Ms: 1_000 };
const minutes = (of: (minute: number) => Partial<Minute>): Minute[] =>
  Array.from({ length: 50 }, (_, index) => ({ minute: index, ...flat, ...of(index) }));

describe('the slope of a long haul', () => {
  test('is that of each measure, in an hour', () => {
    const trends = trendsOf(minutes((minute) => ({ rss: 100 + 2 * minute })));
    expect(trends.rss).toEqual({ median: 150, perHour: 120 });
    expect(trends.descriptors).toEqual({ median: 300, perHour: 0 });
  });

  test('is not moved by some busy minutes at the end', () => {
    const trends = trendsOf(minutes((minute) => ({ p99Ms: minute < 43 ? 1_000 : 9_000 })));
    expect(trends.p99Ms).toEqual({ median: 1_000, perHour: 0 });
  });

  test('shows a leak that steps down now and then', () => {
    const trends = trendsOf(minutes((minute) => ({ rss: 100 + minute - 5 * (minute % 3) })));
    expect(trends.rss.perHour).toBeGreaterThan(30);
  });
});
