import { describe, expect, test } from 'vitest';
import { JsonSplitter } from '../../src/discover/pods/json-splitter.ts';

function split(text: string, depth: number, chunkBytes: number, bytesMax = 1e6) {
  const objects: string[] = [];
  const splitter = new JsonSplitter({ depth, bytesMax, onObject: (found) => objects.push(found) });
  const bytes = Buffer.from(text);
  for (let start = 0; start < bytes.length; start += chunkBytes) {
    splitter.push(bytes.subarray(start, start + chunkBytes));
  }
  return { objects, envelope: splitter.envelope };
}

const pods = [
  { name: 'plain' },
  { text: 'quote \\" brace } bracket ] \\\\', nested: { deep: [{ a: [] }, {}] } },
  { name: 'ünïcode 🚢' },
];
const list = { kind: 'PodList', metadata: { resourceVersion: '7', continue: '' }, items: pods };

describe('JsonSplitter', () => {
  test('hands over the objects of a list wherever the chunks are cut', () => {
    const text = JSON.stringify(list);
    for (let chunkBytes = 1; chunkBytes <= Buffer.byteLength(text); chunkBytes += 1) {
      const { objects, envelope } = split(text, 3, chunkBytes);
      expect(objects.map((object) => JSON.parse(object) as unknown)).toEqual(pods);
      expect(JSON.parse(envelope)).toEqual({ ...list, items: [0, 0, 0] });
    }
  });

  test('hands over the events of a watch, with any white space between', () => {
    const text = pods.map((pod) => JSON.stringify(pod)).join('\n\r\n ');
    for (const chunkBytes of [1, 2, 7, 1_000]) {
      const { objects, envelope } = split(text, 1, chunkBytes);
      expect(objects.map((object) => JSON.parse(object) as unknown)).toEqual(pods);
      expect(envelope).toBe('');
    }
  });

  test('holds nothing of the objects that it has handed over', () => {
    const object = JSON.stringify({ text: 'x'.repeat(100) });
    expect(split(`${object}\n`.repeat(1_000), 1, 64, 200).objects).toHaveLength(1_000);
  });

  test('ends the reading at an object that is too long', () => {
    const text = JSON.stringify({ text: 'x'.repeat(300) });
    expect(() => split(text, 1, 64, 200)).toThrow(/too long/);
    expect(() => split('['.repeat(10) + 'x'.repeat(300), 3, 64, 200)).toThrow(/too long/);
  });
});
