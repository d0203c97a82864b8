// Keys that shared a slot of the kernel's tables when these hashed without a secret: what someone
// who has read the source could have a program write.

const mask = (1n << 64n) - 1n;
const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-';
/** Keys lie within so many slots, side by side. */
const slots = 64;

/** Of so many letters, different ones for different numbers. */
function word(number: number, length: number): string {
  let text = '';
  for (let left = number; text.length < length; left = Math.floor(left / letters.length)) {
    text += letters[left % letters.length];
  }
  return text;
}

/** In the table of keys, of 8,192 slots, for an object of up to 4,096 keys. */
export function tableKeys(count: number): string[] {
  const first = 'aaaaaaaa';
  const read = (text: string) => Buffer.from(text).readBigUInt64LE();
  const keyBytes = 16n;
  const mixed = ((read(first) ^ keyBytes) * 0x9e3779b97f4a7c15n) & mask;
  const base = mixed ^ (mixed >> 29n);
  const keys: string[] = [];
  for (let number = 0; keys.length < count; number += 1) {
    const last = word(number, 8);
    const hash = ((base ^ read(last)) * 0xbf58476d1ce4e5b9n) & mask;
    if (((hash >> 32n) & 8_191n) < slots) keys.push(first + last);
  }
  return keys;
}

/** In the table of an object of more keys, as many slots as `count` takes. */
export function recordedKeys(count: number): string[] {
  const keyLength = 5;
  const lineBytes = count * `"${word(0, keyLength)}":1,`.length;
  const slotMask = 2n ** BigInt(Math.ceil(Math.log2(lineBytes / 5))) - 1n;
  const keys: string[] = [];
  for (let number = 0; keys.length < count; number += 1) {
    const key = word(number, keyLength);
    let text = 0n;
    for (const byte of Buffer.from(`"${key}"`)) text = (text << 8n) | BigInt(byte);
    const hash = ((0x9e3779b97f4a7c15n ^ text) * 0x94d049bb133111ebn) & mask;
    if (((hash >> 40n) & slotMask) < slots) keys.push(key);
  }
  return keys;
}

/** Finding keys takes a while, so it is done once. */
function objectOnce(find: () => readonly string[]): () => string {
  let object: string | undefined;
  return () => {
    object ??= `{${find()
      .map((key) => `"${key}":1`)
      .join(',')}}`;
    return object;
  };
}

/** JSON. */
export const tableObject = objectOnce(() => tableKeys(4_000));
export const recordedObject = objectOnce(() => recordedKeys(5_000));
