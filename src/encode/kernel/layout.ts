// Where things stand in a worker's own area, byte offsets from the area's start. Imported by the kernel (as AssemblyScript) and by
// kernel.ts (as TypeScript): one source for both, so it holds plain numbers only.
//
//   0      results of the last call │ 64 templates: address and length of each │ 128 cached second
//   256    severity middles, 9 × 64 │ base 36 pairs, 1296 × 2 │ key table │ template bytes up to the area's end

/** i32 results of `encodeLines`: where it stopped, and what it did until there. */
export const resultPosition = 0;
export const resultOut = 4;
export const resultLines = 8;
/** Address of the last line that was encoded, 0 if none. */
export const resultLastLine = 12;

/** Templates, each an i32 address and an i32 length; per stream stdout, then stderr 8 bytes later. */
export const textHead = 64;
export const jsonHead = 80;
export const tail = 96;

/** 24 bytes: `YYYY-MM-DDTHH:MM:SS` that was last found valid. */
export const cachedSecond = 128;

/** Per severity 64 bytes: `","severity":"INFO","insertId":"<22 characters>`; index 0 is DEFAULT, which has no severity member. */
export const middles = 256;
export const middleBytes = 64;
/** i32 length of each middle, 9 of them. */
export const middleLengths = 160;

export const base36Pairs = 832;

export const templates = 20_480;
export const areaBytes = 65_536;

/** Why `encodeLines` stopped. Below `handedBack` it did all it could; from there on the line at the position is not the kernel's. */
export const stopDone = 0;
/** No newline between the position and the end. */
export const stopIncomplete = 1;
/** The soft end of the slot is reached. */
export const stopFull = 2;
export const handedBack = 3;
/** No valid time, stream or tag where CRI has them. */
export const stopNotCri = 3;
/** The tag is not a plain `F`: a partial line, or something newer. */
export const stopTag = 4;
export const stopJson = 5;
export const stopKlog = 6;
export const stopUtf8 = 7;
export const stopLong = 8;

/** Content of more bytes than this is the reference's: near the API's limit the entry's size has to be estimated. */
export const contentBytesMax = 180_000;

/** The part of an insertId that a file's lines share. */
export const idPrefixBytes = 22;
