// The header of a journal file, checked. Source: systemd's JOURNAL_FILE_FORMAT document.

import { JournalCorrupt, type JournalBytes } from './journal-bytes.ts';

/** The names of journal files, without the journals of users. */
export const journalFileName = /^(?!user-).*\.journal~?$/;
const signature = 'LPKSHHRH';
const headerBytesMin = 208;
/** Incompatible flags: XZ 1, LZ4 2, KEYED_HASH 4, ZSTD 8, COMPACT 16. */
const knownFlags = 1 | 2 | 4 | 8 | 16;
const compactFlag = 16;

export type JournalHeader = {
  /** Objects name each other by 32-bit offsets. */
  readonly isCompact: boolean;
  /** 32 hexadecimal digits; sequence numbers are unique and grow within it. */
  readonly seqnumId: string;
  /** 32 hexadecimal digits; a file keeps it when it is renamed. */
  readonly fileId: string;
  readonly machineId: string;
  readonly headerBytes: number;
  readonly entryCount: number;
  /** Offset of the first entry array; 0: no entry was ever written. */
  readonly entryArrayOffset: number;
  /** 0 when the file has no entry. */
  readonly headSeqnum: number;
  readonly tailSeqnum: number;
  /** Of its first entry, microseconds since the epoch. */
  readonly headRealtimeMicros: number;
  /** The writer has finished the file: state 2 is ARCHIVED. */
  readonly isArchived: boolean;
};

/** A well-formed file that uses features this reader does not support. */
export class JournalUnknown extends Error {
  override readonly name = 'JournalUnknown';
}

/** @throws JournalCorrupt, JournalUnknown, the system's error. */
export function readJournalHeader(file: JournalBytes): JournalHeader {
  const at = file.seek(0, headerBytesMin);
  const { bytes } = file;
  if (bytes.toString('latin1', at, at + 8) !== signature) {
    throw new JournalCorrupt('no journal file');
  }
  const flags = bytes.readUInt32LE(at + 12);
  if ((flags & ~knownFlags) !== 0) {
    throw new JournalUnknown(`incompatible flags ${(flags & ~knownFlags).toString(16)}`);
  }
  const headerBytes = file.uint64(at + 88);
  if (headerBytes < headerBytesMin || headerBytes > file.size) {
    throw new JournalCorrupt('the header has no such length');
  }
  return {
    isCompact: (flags & compactFlag) !== 0,
    seqnumId: bytes.toString('hex', at + 72, at + 88),
    fileId: bytes.toString('hex', at + 24, at + 40),
    machineId: bytes.toString('hex', at + 40, at + 56),
    headerBytes,
    entryCount: file.uint64(at + 152),
    entryArrayOffset: file.uint64(at + 176),
    headSeqnum: file.uint64(at + 168),
    tailSeqnum: file.uint64(at + 160),
    headRealtimeMicros: file.uint64(at + 184),
    isArchived: bytes[at + 16] === 2,
  };
}
