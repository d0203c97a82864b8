// The blocks were made by Google's own library (libsnappy 1.1.9), so decoder and test cannot share
// a misunderstanding.

import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { decodeSnappy } from '../../bench/snappy.ts';

const hash = (text: string) => createHash('sha256').update(text).digest('hex');

const blocks = [
  ['', '00'],
  ['a', '010061'],
  [
    `${'seq=0000000001 the first line of a push to loki '.repeat(3)}seq=0000000002 and another one, quite another`,
    'bd01107365713d301101883120746865206669727374206c696e65206f662061207075736820746f206c6f6b6920fe3000b230007c3220616e6420616e6f74686572206f6e652c20717569746520616e6f74686572',
  ],
  [
    [hash('x'), '-'.repeat(3_000), hash('x')].join(''),
    'b818f043326437313136343262373236623034343031363237636139666261633332663563383533306662313930336363346462303232353837313739323161343838312d2d2d2dfe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300fe0300ce0300fef80b',
  ],
  [
    Array.from({ length: 6 }, (_, n) => hash(String(n))).join(''),
    '8003f47f01356665636562363666666338366633386439353237383663366436393663373963326462633233396464346539316234363732396437336132376662353765393662383662323733666633346663653139643662383034656666356133663537343761646134656161323266316434396330316535326464623738373562346264343733356533613236356531366565653033663539373138623962356430333031396330376438623663353166393064613361363636656563313361623335346530373430383536326265646238623630636530356331646563666533616431366237323233303936376465303166363430623765343732396234396663653462323237373737643464643166633631633666383834663438363431643032623464313231643366643332386362303862353533316663616364616266386165663264313237646533376239343262616164303631343565353462306336313961316632323332376232656262636662656337386635353634616665333964',
  ],
] as const;

test.each(blocks)('`decodeSnappy()` restores %j', (text, hex) => {
  expect(decodeSnappy(Buffer.from(hex, 'hex')).toString()).toBe(text);
});

test('`decodeSnappy()` throws on every cut, and reads beyond no end for a changed byte', () => {
  const block = Buffer.from(blocks[2][1], 'hex');
  for (let cut = 0; cut < block.length; cut++) {
    expect(() => decodeSnappy(block.subarray(0, cut)), `cut at ${cut}`).toThrow('snappy');
  }
  for (let at = 0; at < block.length; at++) {
    const changed = Buffer.from(block);
    changed[at] = (changed[at] ?? 0) ^ 0xff;
    try {
      expect(decodeSnappy(changed).length).toBeGreaterThan(0);
    } catch (error) {
      expect(String(error)).toContain('snappy');
    }
  }
});

test('`decodeSnappy()` believes no length that is too long', () => {
  expect(() => decodeSnappy(Buffer.from('ffffffff0f00', 'hex'))).toThrow('too long');
  expect(() => decodeSnappy(Buffer.from('ffffffffff00', 'hex'))).toThrow('no end');
});
