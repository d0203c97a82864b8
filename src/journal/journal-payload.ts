// Writes the fields of an entry as the JSON object that GKE's agent sends: every value a string, a
// name that occurs more than once an array, names that begin with `__` left out.

import type { JournalField } from './journal-fields.ts';

export class PayloadWriter {
  /** By `nameIndex`: where in the entry the name was last seen. */
  readonly #placeOf: number[] = [];
  /** Of the entry before. */
  readonly #fields: JournalField[] = [];
  /** Its text up to each of the fields. */
  readonly #texts: string[] = [];

  /**
   * The JSON object of the fields, with its braces. Entries of one process begin with the same ten
   * or twenty fields, whose text is cached.
   */
  write(fields: readonly JournalField[]): string {
    let place = 0;
    while (place < fields.length && fields[place] === this.#fields[place]) place += 1;
    let text = place === 0 ? '' : (this.#texts[place - 1] ?? '');
    this.#fields.length = fields.length;
    for (; place < fields.length; place += 1) {
      const field = fields[place]!;
      const { nameIndex, member, isHidden } = field;
      const seenAt = this.#placeOf[nameIndex];
      if (seenAt !== undefined && seenAt < place && fields[seenAt]?.nameIndex === nameIndex) {
        this.#fields.length = 0;
        return `{${writeGrouped(fields)}}`;
      }
      this.#placeOf[nameIndex] = place;
      this.#fields[place] = field;
      if (!isHidden) text += text === '' ? member : `,${member}`;
      this.#texts[place] = text;
    }
    return `{${text}}`;
  }
}

/** The slow path, for an entry in which a name occurs more than once. */
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
