// Writes the fields of an entry as the JSON object that GKE's agent sends: every value a string, a
// name that occurs more than once an array, names that begin with `__` left out.

import type { JournalField } from './journal-fields.ts';

export class PayloadWriter {
  /** By `nameIndex`: the entry in which the name was last seen. */
  #seenIn: number[] = [];
  #entry = 0;

  /** The JSON object of the fields, with its braces. */
  write(fields: readonly JournalField[]): string {
    this.#entry += 1;
    let text = '';
    let repeated = false;
    for (const { nameIndex, member, isHidden } of fields) {
      if (isHidden) continue;
      if (this.#seenIn[nameIndex] === this.#entry) {
        repeated = true;
        continue;
      }
      this.#seenIn[nameIndex] = this.#entry;
      text += text === '' ? member : `,${member}`;
    }
    return `{${repeated ? writeGrouped(fields) : text}}`;
  }
}

/** The slow way, for an entry with a name that occurs more than once. */
function writeGrouped(fields: readonly JournalField[]): string {
  const values = new Map<string, string[]>();
  for (const { name, json, isHidden } of fields) {
    if (isHidden) continue;
    const known = values.get(name);
    if (known === undefined) values.set(name, [json]);
    else known.push(json);
  }
  return [...values]
    .map(([name, [first = '""', ...rest]]) => {
      const value = rest.length === 0 ? first : `[${[first, ...rest].join(',')}]`;
      return `${JSON.stringify(name)}:${value}`;
    })
    .join(',');
}
