// Every limit and default of the agent, with its unit last in the name. Nothing else in src/ holds a magic number of size or time.

const KiB = 1024;
const MiB = 1024 * KiB;

/** Limits that no user needs to set. Sizes in bytes, times in milliseconds. */
export const limits = {
  // ── discover
  /** The scan is the truth; events only make it sooner. */
  scanIntervalMs: 1_000,
  // ── tail
  /** Raw bytes one container may put into a plan before the others have had their turn. */
  quantumBytes: 256 * KiB,
  /** The fingerprint is the hash of a file's first line up to this many bytes. */
  fingerprintBytes: 256,
  // ── encode
  /** A body is closed when it is this long; one entry may go over it. */
  batchBytesSoftMax: 2 * MiB,
  /** Room in a slot past the soft end: one record of `lineBytesMax`, each byte escaped as six, and its entries' other members. */
  batchBytesReserve: 7 * MiB,
  /** Bodies that may exist at once (being encoded, in flight, or waiting for a retry). */
  slotCount: 3,
  /** Input window of one worker: at least a record of `lineBytesMax` with all its CRI headers and interleaved lines. */
  windowBytes: 4 * MiB,
  /** A record (partial lines joined) longer than this is cut and marked. */
  lineBytesMax: 1 * MiB,
  /** How far before a line that is not CRI its time is looked for. */
  lookBackBytes: 16 * KiB,
  /** The API's limit of an entry is 256 KiB of protobuf, "approximate"; peers and we stay below 256,000. */
  entryBytesMax: 256_000,
  /** JSON nesting that is still taken as JSON; deeper is text. The API ends at about 100. */
  jsonDepthMax: 64,
  // ── ship
  /** Decoded body, enforced by the API with a 400. */
  requestBytesMax: 10_485_760,
} as const;
