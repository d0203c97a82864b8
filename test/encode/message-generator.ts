// Random httpRequest, operation and sourceLocation fields, most of them as honest programs write
// them: what the kernel takes, and what it has to leave to the reference.

import type { Random } from './line-generator.ts';

const messageKeys = [
  'requestMethod',
  'requestUrl',
  'requestSize',
  'status',
  'responseSize',
  'userAgent',
  'remoteIp',
  'serverIp',
  'referer',
  'latency',
  'cacheLookup',
  'cacheHit',
  'cacheValidatedWithOriginServer',
  'cacheFillBytes',
  'protocol',
  'id',
  'producer',
  'first',
  'last',
  'file',
  'line',
  'function',
  'files',
  'cacheValidatedWithOriginServes',
  'other \\\\ key',
  '\\u0069d',
  '',
];
const messageValues = [
  '"GET"',
  '"größer"',
  '"a\\nb"',
  '""',
  '200',
  '0',
  '"12"',
  '"012"',
  '"-1"',
  '-1',
  '-0',
  '2e2',
  '200.0',
  '999999999',
  '2147483647',
  '2147483648',
  '123456789012345678',
  '1234567890123456789',
  '9223372036854775808',
  'true',
  'false',
  '"true"',
  'null',
  '"0.012s"',
  '"1s"',
  '"01.5s"',
  '"1.s"',
  '" 1 s"',
  '"1.1234567890s"',
  '"99999999999.5s"',
  '"315576000001s"',
  '{}',
  '[1]',
  '"\\u0032\\u0030"',
  '"a\\/b"',
  '"-012"',
  '"--1"',
  '"-"',
  '-9223372036854775808',
  '"-9223372036854775809"',
  '9223372036854775807',
  '-2147483648',
  '-2147483649',
  '12345678901234567890123',
  '1.5',
  '1.50e1',
  '12e-1',
  '120e-1',
  '1e18',
  '1e19',
  '9007199254740993.0',
  '123456789012345e4',
  '0.1e-40',
  '2.47032822920623e-324',
  '2.47032822920624e-324',
  '247032822920624e-338',
  '1e-324',
  '1e-323',
  '0e99',
  '1e400',
  '"315576000000s"',
  '"315576000000.0000000001s"',
  '"315576000000.1s"',
  '"0000000000000000000000000001s"',
  '"1\u00a0s\u3000"',
  '"\u00e91s"',
  '"1s "',
  '".5s"',
  '"\\u0031.50\\t\\u000bs"',
];
const fittingValues = new Map([
  ['status', ['200', '404', '0']],
  ['requestSize', ['12', '"12"', '0']],
  ['responseSize', ['123456789012345678', '"5"']],
  ['cacheFillBytes', ['7', '"7"']],
  ['line', ['12', '"12"', '0']],
  ['latency', ['"0.012s"', '"1s"', '"12.000000001s"']],
  ['cacheLookup', ['true', 'false']],
  ['cacheHit', ['true', 'false']],
  ['first', ['true', 'false']],
  ['last', ['true', 'false']],
]);

/** A field that is a message, most of its members of its own and of the right type. */
export function message(random: Random, key: string): string {
  const own = key === 'httpRequest' ? [0, 15] : key.endsWith('operation') ? [15, 4] : [19, 3];
  const gap = () => (random.oneIn(15) ? random.pick([' ', '  ', '\t']) : '');
  const oneMember = () => {
    const isOwn = !random.oneIn(25);
    const name = isOwn ? messageKeys[own[0]! + random.below(own[1]!)]! : random.pick(messageKeys);
    const fitting = fittingValues.get(name) ?? ['"GET"', '"a/b?c=d"', '"größer"', '""'];
    const member = random.oneIn(6) ? random.pick(messageValues) : random.pick(fitting);
    return `${gap()}"${name}"${gap()}:${gap()}${member}${gap()}`;
  };
  const count = random.oneIn(10) ? 0 : 1 + random.below(4);
  return `"${key}":{${gap()}${Array.from({ length: count }, oneMember).join(',')}}`;
}
