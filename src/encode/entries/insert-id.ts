// The insertId of an entry. The invariant: equal bytes at an equal offset of a file have an equal
// id whenever they are read, ids sort in write order, and no two records of a file share one.

/** Digits of an offset: no file has 36^8 (2.8e12) bytes. */
const offsetDigits = 8;

/** The id of the record that starts at byte `offset` of a file; `idPrefix` is 22 of `[0-9a-z]`. */
export function insertIdOf(idPrefix: string, offset: number): string {
  return idPrefix + offset.toString(36).padStart(offsetDigits, '0');
}

/**
 * The id of an incomplete record with `bytes` of the file. The whole record, if it is read later,
 * starts at the same offset but must have another id.
 */
export function incompleteInsertId(id: string, bytes: number): string {
  return `${id}p${bytes.toString(36)}`;
}

/** The id of the part `index` of a record that is sent as several entries. */
export function partInsertId(id: string, index: number): string {
  return id + index.toString(36).padStart(2, '0');
}
