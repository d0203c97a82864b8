// The layout of an instance's own area: byte offsets from the area's start. The kernel imports it
// as AssemblyScript and kernel.ts as TypeScript, so it holds plain numbers only.
//
//   0      results of the last call │ 16 entries by severity │ 64 templates: address, length of each
//   128    cached second │ 160 lengths of the severity and id templates
//   256    severity and id templates │ 832 base 36 pairs │ 3424 vectors │ 3472 times of reading
//   3520   seeds of keys │ 3840 a lent time │ 4096 a number │ 4416 pending records │ 17408 scalars │ 18432 shapes
//   67584  bytes of the templates │ 131072 key table │ 196608 the rules of stack traces
//   573440 last keys │ 573920 secrets of keys │ 574464 sizes │ 575488 of a large entry │ 589824 records of keys │ 5832704 their table │ 6881280 members
//   12124160 a copy of an object │ 13238272 a repaired line │ 16580608 scratch up to the area's end

/** i32 results of `encodeLines`: where it stopped, and what it did until there. */
export const resultPosition = 0;
export const resultOut = 4;
export const resultLines = 8;
/** Address of the last line that was encoded, 0 if none. */
export const resultLastLine = 12;

/** u32 of each severity: entries of the source, which the reference encoder adds to as well. */
export const severityCounts = 16;
export const severityCount = 9;

/** i32 result: entries, fewer than lines where lines were joined. */
export const resultEntries = 52;

/**
 * Templates, each an i32 address and an i32 length; per stream stdout, then stderr 8 bytes later.
 */
export const textHead = 64;
export const jsonHead = 80;
export const tail = 96;
/** `projects/P/traces/`, or nothing. */
export const traceHead = 104;

/**
 * i32: JSON content of more bytes than this is the reference's, because numbers grow in protobuf.
 */
export const jsonBytesMax = 112;

/** i32: as many labels a record may bring. */
export const labelRoom = 116;
/** As `limits`: longer keys, and longer values that are no strings, are no labels. */
export const labelKeyBytesMax = 512;
export const labelValueBytesMax = 65_536;

/** i32: 1 if lines may be joined to stack traces. */
export const joinsTraces = 56;

/** i32 of each stream: where the content of partial lines is joined. */
export const joinStarts = 120;

/** A time that lines get which have none; up to 35 bytes are written, 36 copied. */
export const lentTime = 3_840;
export const lentTimeBytes = 64;

/** The digits of the least number that no double holds: halfway from the largest one to 2^1024. */
export const infiniteNumber = 4_096;
export const infiniteDigits = 309;

/** Records of both streams that end later in the chunk, see pending.ts. */
export const pendingRecords = 4_416;
/** The severity counts as they were before such a record. */
export const savedCounts = 4_480;

/** 24 bytes: `YYYY-MM-DDTHH:MM:SS` that was last found valid. */
export const cachedSecond = 128;

/**
 * Per severity 64 bytes: `","severity":"INFO","insertId":"<22 characters>`; index 0 is DEFAULT,
 * which has no severity member.
 */
export const severityAndIdTemplates = 256;
export const severityAndIdBytes = 64;
/** i32 length of each of them, 9 of them. */
export const severityAndIdLengths = 160;

export const base36Pairs = 832;

/** 16 bytes each of what bytes are compared with: 0x20, a quote, a backslash. */
export const spaceVector = 3_424;
export const quoteVector = 3_440;
export const backslashVector = 3_456;

/** 24 bytes each: `YYYY-MM-DDTHH:MM:SS` in UTC of the time of reading, and of half a day later. */
export const readingSecond = 3_472;
export const halfDayLater = 3_496;

/** The u32 seed of each open container's keys. */
export const seedStack = 3_520;
/** Deeper JSON is text; as `limits.jsonDepthMax`. */
export const depthMax = 64;

/** u64 entries of the table of keys. */
export const keyTable = 131_072;
export const keyTableBits = 13;
export const keyTableEntries = 8_192;

/** More keys in a line than this are recorded. */
export const keysMax = 4_096;

/** The address of the last recorded key of each open object, by depth. */
export const lastKeys = 573_440;
/** Recorded keys, see double-keys.ts. */
export const keyRecords = 589_824;
export const keyRecordsMax = 262_144;
/** A u32 for each slot of a table of them, of which a line takes as much as it needs. */
export const recordTable = 5_832_704;

/**
 * Random u64, which no writer of logs knows: two multipliers of the table of keys; for recorded
 * keys one of their object, and one of each of so many words.
 */
export const keySecrets = 573_920;
export const keySecretWords = 64;
export const keySecretsBytes = 536;

/** Of each open container, while it is measured: two u32. */
export const sizeStack = 574_464;

/**
 * u32 of an entry that is larger than one may be: what can be done (`sizeText` and on), the part of
 * it that is the payload, where its insertId ends, and itself; the bytes that a payload may have,
 * and by how many it has more; its strings that may be shortened; its severity; content, newline
 * and time of its record.
 */
export const large = 575_488;
export const largeSize = 0;
export const largePayloadStart = 4;
export const largePayloadEnd = 8;
export const largeIdEnd = 12;
export const largeEntryStart = 16;
export const largeEntryEnd = 20;
export const largeRoom = 24;
export const largeExcess = 28;
export const largeStrings = 32;
export const largeSeverity = 36;
export const largeContentStart = 40;
export const largeNewline = 44;
export const largeTimeStart = 48;
export const largeTimeEnd = 52;
/** i32: bytes that every entry of the source has beside payload, labels and the like. */
export const entryFixedBytes = 576_000;

/** Its payload is a text, has strings that can be shortened, or can only be sent as text. */
export const sizeText = 1;
export const sizeStrings = 2;
export const sizeMembers = 3;

/** The strings of it that may be shortened: start, end, and bytes that they mean. */
export const longStrings = 589_824;
export const longStringBytes = 12;
/** Strings of more bytes may be: as the reference. */
export const stringBytesKept = 104;

/** As `limits`. */
export const entryBytesMax = 256_000;
export const entryFieldsBytesMax = 64_000;

/** Top-level members of the line that is read: five u32 each. */
export const memberList = 6_881_280;
export const memberBytes = 20;

/** An object without the members whose keys come again: as much as a record may have. */
export const objectCopy = 12_124_160;
export const objectCopyBytes = 1_114_112;

/** The content of a line that is repaired: a byte may become three. */
export const repairedLine = 13_238_272;

/** Texts that are not spelled as in the line: each of its bytes is in at most four of them. */
export const scratch = 16_580_608;

/** Scalar values of the line that is read: start and end, u32 each. */
export const scalarList = 17_408;
export const scalarsMax = 128;

/** The shapes of the source's JSON lines, see shapes.ts. */
export const shapePool = 18_432;
export const shapeBytes = 192;
export const shapesMax = 256;

/** Bytes of templates. */
export const templates = 67_584;
export const templatesEnd = 131_072;

/**
 * What lines belong to a stack trace: an automaton of rows. A row is a u32 of what is said when the
 * line ends there, and for each class of bytes the next row; rows are given by their distance from
 * the table.
 */
export const traceTable = 196_608;
/**
 * In the table: u32 of the first row that depends on the rest of the line, u32 how many entrances
 * begin a trace, u32 of each entrance's row, a class for each byte, the rows.
 */
export const traceEntrances = 8;
export const traceClasses = 256;
export const traceRows = 512;
export const traceTableBytes = 376_832;

/** As for the reference. */
export const traceLinesMax = 1_000;
export const traceLookBytes = 4_096;

export const areaBytes = 21_037_056;

/**
 * Why `encodeLines` stopped. Below `handedBack` it did all it could; from there on the line at the
 * position is not the kernel's.
 */
export const stopDone = 0;
/** No newline between the position and the end. */
export const stopIncomplete = 1;
/** The soft end of the slot is reached. */
export const stopFull = 2;
export const handedBack = 3;
/** No valid time, stream or tag where CRI has them, or a time too far ahead for the API. */
export const stopNotCri = 3;
/** The tag is not a plain `F`: a partial line, or something newer. */
export const stopTag = 4;
export const stopJson = 5;
export const stopKlog = 6;
export const stopLong = 7;
/** The line may begin a stack trace. */
export const stopTrace = 8;
/** It does begin one, which may go on past the end. */
export const stopOpenTrace = 9;
/** The line has an object that is larger than an entry may be. */
export const stopLarge = 10;
/** None, for the drain: the record ends later in the chunk. */
export const stopPending = 11;

/**
 * JSON that is larger is the kernel's as long as it has at most this size: its bytes, and for each
 * key, scalar and container what it takes in protobuf.
 */
export const jsonWeightMax = 160_000;
export const tokenBytes = 16;

/** A line of more content, with its header, may be so long that it is cut. */
export const wholeContentMax = 1_048_448;

/** JSON of fewer bytes, with the source's labels, has no exact size to be estimated. */
export const jsonContentMax = 40_000;

/**
 * Content of more bytes than this is the reference's: near the API's limit the entry's size has to
 * be estimated.
 */
export const contentBytesMax = 180_000;

/** The part of an insertId that a file's lines share. */
export const idPrefixBytes = 22;
/** And the part that is the line's own. */
export const offsetBytes = 8;
