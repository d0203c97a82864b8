// Writes the fields of an entry as GKE's agent does: a JSON object of strings, an array for a name
// that occurs more than once, without names that begin with `__`.

import type { JournalField } from './journal-fields.ts';

export class PayloadWriter {
  /** By `nameIndex`: where the name was last seen in an entry. */
  readonly #indexOf: number[] = [];
  /** Of the previous entry. */
  readonly #fields: JournalField[] = [];
  /** Its text up to each field. */
  readonly #texts: string[] = [];

  /** Entries of one process begin with the same ten or twenty fields, whose text is cached. */
  write(fields: readonly JournalField[]): string {
    let index = 0;
    while (index < fields.length && fields[index] === this.#fields[index]) index += 1;
    let text = index === 0 ? '' : (this.#texts[index - 1] ?? '');
    this.#fields.length = fields.length;
    for (; index < fields.length; index += 1) {
      const field = fields[index]!;
      const { nameIndex, member, isHidden } = field;
      const seenAt = this.#indexOf[nameIndex];
      if (seenAt !== undefined && seenAt < index && fields[seenAt]?.nameIndex === nameIndex) {
        this.#fields.length = 0;
        return `{${writeGrouped(fields)}}`;
      }
      this.#indexOf[nameIndex] = index;
      this.#fields[index] = field;
      if (!isHidden) text += text === '' ? member : `,${member}`;
      this.#texts[index] = text;
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
