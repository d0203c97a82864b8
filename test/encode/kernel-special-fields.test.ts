// Special fields in every form, and what has to be repaired: the kernel takes each of them and
// writes what the reference writes. A line that it left to the reference would cost fifty times as
// much.

import { describe, expect, test } from 'vitest';

import { drainHere, openFiles, plainSource } from './drain-bench.ts';
import { generateJsonContent, seededRandom } from './line-generator.ts';
import { seedOfRun } from '../support/seed.ts';

const seed = seedOfRun();
const header = '2024-03-05T14:07:21.1Z stdout F ';

/** Each source's labels: the agent's, those of a rule, one with the key of a mark, none, many. */
const labelsOfSources = [
  '"k8s-pod/app":"web"',
  '"team":"agent","k8s-pod/app":"web","a":"ä\\\\"',
  '"tailship.dev/original-time":"never"',
  '',
  Array.from({ length: 62 }, (_, index) => `"k8s-pod/${index}":"x"`).join(','),
];

/** Entries of the lines with the kernel, which took so many of them, and of the reference. */
function encode(contents: readonly (string | Buffer)[], labels = labelsOfSources[0]!) {
  const lines = contents.map((one) =>
    Buffer.concat([Buffer.from(header), Buffer.from(one), Buffer.from('\n')]),
  );
  const files = openFiles([Buffer.concat(lines)]);
  try {
    const sources = [{ ...plainSource, labels, segments: files.segments() }];
    const { result, entries } = drainHere(sources);
    const slow = drainHere(sources, { useKernel: false }).entries;
    const { fastLines, lines: lineCount } = result.sources[0]!;
    return { taken: fastLines, lineCount, entries, slow };
  } finally {
    files.close();
  }
}

const labelsKey = '"logging.googleapis.com/labels"';
const contents: Readonly<Record<string, readonly (string | Buffer)[]>> = {
  'seconds and nanoseconds': [
    '{"a":1,"timestampSeconds":1709647641,"timestampNanos":5}',
    '{"a":1,"timestampNanos":"5","timestampSeconds":"1709647641"}',
    '{"a":1,"timestampSeconds":1709647641.104582,"timestampNanos":1e3}',
    '{"a":1,"timestampSeconds":1709647641}',
    '{"a":1,"timestampSeconds":1,"time":"2024-03-05T14:07:20Z","timestampNanos":-1}',
    '{"a":1,"time":"2024-03-05T14:07:20Z","timestamp":{"seconds":9999999999,"nanos":0}}',
    '{"a":1,"timestamp":{"seconds":1709647641,"nanos":120000000,"b":{}}}',
    '{"a":1,"timestamp":{"seconds":{},"nanos":null},"timestampSeconds":1,"timestampNanos":2}',
  ],
  times: [
    '{"time":"2024-03-05t14:07:20z","a":1}',
    '{"time":"2024-03-05T14:07:20,104","a":1}',
    '{"time":"2024-03-05T14:07:20.1234567891Z","a":1}',
    '{"time":"2024-03-05T14:07:20-23:59","a":1}',
    '{"time":"2124-03-05T14:07:20Z","a":1}',
    `{"time":"2124-03-05T14:07:20Z",${labelsKey}:{"a":"b"}}`,
    `{"time":"2124-03-05T14:07:20Z",${labelsKey}:{"tailship.dev/original-time":"b"}}`,
    '{"time":"2024-03-06T14:07:21.1Z","a":1}',
    '{"time":"2024-03-06T14:07:21.100000001Z","a":1}',
    '{"time":"\\u0032024-03-05T14:07:20Z","a":1}',
  ],
  severities: [
    ...['Information', 'EMERGENCY', 'trace_int', 'verbose-1', ' info\\t', '30', '400', ''].flatMap(
      (word) => [`{"level":"${word}","a":1}`, `{"severity":"${word}","a":1}`],
    ),
    '{"severity":"\\u0045RROR","a":1}',
    '{"severity":-1,"a":1}',
    '{"severity":{"a":1},"a":1}',
    '{"severity":12345678901,"a":1}',
  ],
  messages: [
    '{"httpRequest":{"requestMethod":"GET","traceId":"x"},"a":1}',
    '{"httpRequest":{"status":"200","responseSize":1e3,"latency":0.5},"a":1}',
    '{"httpRequest":{"latency":" 01.1234567890 s","cacheHit":"true"},"a":1}',
    '{"httpRequest":{"requestUrl":"a\\/b","\\u0073tatus":-7},"a":1}',
    '{"httpRequest":{"x":[{"y":"}"}]},"a":1}',
    '{"httpRequest":null,"a":1}',
    '{"httpRequest":"none","a":1}',
    '{"logging.googleapis.com/operation":{"first":"yes"},"a":1}',
    '{"logging.googleapis.com/sourceLocation":{"line":9223372036854775808,"file":"a"},"a":1}',
  ],
  labels: [
    `{${labelsKey}:{"a":{"b":"c\\\\"}},"a":1}`,
    `{${labelsKey}:{"C:\\\\":"D:\\\\","\\u0061":"\\/"},"a":1}`,
    `{${labelsKey}:{"k8s-pod/app":"own"},"a":1}`,
    `{${labelsKey}:{"team":"own"},"a":1}`,
    `{${labelsKey}:{ },"a":1}`,
    `{${labelsKey}:{${Array.from({ length: 66 }, (_, n) => `"${n}":"x"`).join(',')}},"a":1}`,
  ],
  'odd strings and keys': [
    '{"logging.googleapis.com/trace":7,"logging.googleapis.com/spanId":"\\u0061","a":1}',
    '{"logging.googleapis.com/trace_sampled":"true","a":1}',
    '{"logging.googleapis.com/insertId":"a\\/b","a":1}',
    '{"sev\\u0065rity":"ERROR","a":1}',
    '{"a":1,"\\u0061":2}',
    '{"messag\\u0065":"alone"}',
  ],
  'what has to be repaired': [
    '{"a":1e999}',
    '{"a":-1e400,"b":[1e308]}',
    '{"a":01e400}',
    '{"a":1e400.5}',
    '{1e400:1}',
    '{1e400 :1}',
    '{"a":1e400x}',
    '{"a":"\\ud800","\\udc00\\ud800":"\\ud83d\\ude00"}',
    Buffer.from('{"a":"caf\u00e9","a":"\u00e9"}', 'latin1'),
    Buffer.from('{"message":"caf\u00e9 \u00c3"}', 'latin1'),
  ],
};

describe('the kernel takes', () => {
  test.each(Object.entries(contents))('%s', (_name, lines) => {
    for (const labels of labelsOfSources) {
      const { taken, entries, slow } = encode([...lines, ...lines], labels);
      expect(entries).toEqual(slow);
      expect(taken).toBe(2 * lines.length);
    }
  });

  test(`nearly every random object, seed ${seed}`, () => {
    const random = seededRandom(seed);
    const lines = Array.from({ length: 2_000 }, () => generateJsonContent(random));
    for (const labels of labelsOfSources) {
      const { taken, lineCount, entries, slow } = encode(lines, labels);
      expect(entries).toEqual(slow);
      // All but seconds so close to a whole number that their double is that one.
      expect(taken).toBeGreaterThan(0.99 * lineCount);
    }
  });
});
