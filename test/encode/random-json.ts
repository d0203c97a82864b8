// Random JSON texts for property tests: valid ones with everything that is awkward, and mutations
// of them that mostly are not valid.

export type Random = () => number;

export function pick<Choice>(random: Random, choices: readonly Choice[]): Choice {
  const choice = choices[Math.floor(random() * choices.length)];
  if (choice === undefined) throw new RangeError('There is nothing to pick from.');
  return choice;
}

const spaces = ['', '', '', '', ' ', '\t', '\r', '\n', '  '];
const pieces = ['a', 'key', 'é', '鍵', '😀', '\u2028', '\u007f', '\ufeff']
  .concat([' ', ',', ':', '{', '}'])
  .concat(['\\"', '\\\\', '\\/', '\\b', '\\f', '\\n', '\\r', '\\t', '\\u0000', '\\u0061'])
  .concat(['\\uD83D\\uDE00', '\\ud800', '\\udc00', '\\uFFFD', '\\u00e9', 'ud800']);
const numbers = ['0', '-0', '7', '-3', '0.125', '1E3', '1e-400', '1e400', '-1e999', '2e+2'].concat([
  '123456789012345678901234567890',
  '9'.repeat(400),
  '1.5',
  '100',
  '9223372036854775808',
]);
const specialKeys = ['message', 'severity', 'level', 'time', 'timestamp', 'timestampSeconds']
  .concat(['timestampNanos', 'httpRequest', 'stream', '__proto__', 'constructor', 'log'])
  .concat(
    ['insertId', 'labels', 'operation', 'sourceLocation', 'spanId', 'trace', 'trace_sampled'].map(
      (name) => `logging.googleapis.com/${name}`,
    ),
  );
const subKeys = [
  'seconds',
  'nanos',
  'id',
  'producer',
  'first',
  'last',
  'file',
  'line',
  'function',
].concat(['requestMethod', 'status', 'requestSize', 'latency', 'cacheHit', 'extra', 'a', 'a']);
const specialValues = ['"WARN"', '"400"', '"2024-03-01T09:30:15.25Z"', '"2999-01-01T00:00:00Z"']
  .concat(['1709285415', '"1709285415"', '250000000', '"true"', 'true', 'null', '""', '"1.5s"'])
  .concat([
    '{"seconds":1709285415,"nanos":1}',
    '{"a":"b"}',
    '{"a":1}',
    '"9c1f0a5e77b24d3390d1e6aa5c0f4b12"',
  ]);

function randomString(random: Random): string {
  const count = Math.floor(random() * 5);
  let text = '"';
  for (let at = 0; at < count; at++) text += pick(random, pieces);
  return `${text}"`;
}

function randomKey(random: Random, isTop: boolean): string {
  if (random() < 0.4) return randomString(random);
  const key = pick(random, isTop && random() < 0.8 ? specialKeys : subKeys);
  if (random() < 0.9) return `"${key}"`;
  // The same key, its first character escaped.
  return `"\\u${key.charCodeAt(0).toString(16).padStart(4, '0')}${key.slice(1)}"`;
}

function randomValue(random: Random, depth: number): string {
  const kind = random();
  if (kind < 0.25) return randomString(random);
  if (kind < 0.45) return pick(random, numbers);
  if (kind < 0.6) return pick(random, ['true', 'false', 'null']);
  if (kind < 0.75) return pick(random, specialValues);
  if (depth > 4) return '{}';
  if (kind < 0.9) return randomObject(random, depth + 1);
  const space = pick(random, spaces);
  const elements: string[] = [];
  while (random() < 0.6) elements.push(`${space}${randomValue(random, depth + 1)}${space}`);
  return `[${elements.join(',')}]`;
}

/** A valid object. */
export function randomObject(random: Random, depth = 0): string {
  const members: string[] = [];
  while (random() < 0.8) {
    const space = pick(random, spaces);
    const key = randomKey(random, depth === 0);
    members.push(`${space}${key}${space}:${pick(random, spaces)}${randomValue(random, depth)}`);
  }
  // More members than are searched one by one.
  if (random() < 0.1) {
    for (let at = 0; at < 12; at++) members.push(`"n${Math.floor(random() * 10)}":${at}`);
  }
  const space = pick(random, spaces);
  return `${space}{${members.join(',')}${space}}${pick(random, spaces)}`;
}

/** The text with a few characters deleted, doubled or replaced. */
export function mutate(random: Random, text: string): string {
  let result = text;
  const count = 1 + Math.floor(random() * 3);
  for (let done = 0; done < count; done++) {
    const at = Math.floor(random() * result.length);
    const replacement = pick(random, [
      '',
      '',
      '"',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '\\',
      '0',
      '.',
      'e',
    ]).concat(
      random() < 0.2 ? pick(random, ['\u0001', '-', '+', 'null', '\u00a0', '/*', "'"]) : '',
    );
    result = result.slice(0, at) + replacement + result.slice(at + (random() < 0.5 ? 1 : 0));
  }
  return result.toWellFormed();
}
