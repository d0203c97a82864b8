// Binary units of bytes, for limits in code and for values that users write.

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

/** Suffix of a quantity → bytes. */
export const byteUnits: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  Ki: KiB,
  Mi: MiB,
};
