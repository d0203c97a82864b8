// Says in a container's own log that bytes of it were lost, or are held back by its rate limit, so
// that whoever reads the log sees the gap. Called by pipeline.ts, which ships what this writes like
// any other body.
//
// Invariant: the insertId follows from the file, the offset and the length of what was lost, so a
// notice that is sent twice is one entry.

import { createHash } from 'node:crypto';
import { basename } from 'node:path';

import type { LossReason } from './tail-setup.ts';
import { logNames, requestHead, type NodePlace, type Workload } from './workload.ts';

/** Bytes `[offset, offset + bytes)` of one file that will never be shipped. */
export type LossNotice = {
  readonly workload: Workload;
  readonly path: string;
  /** The first 22 characters of the file's insertIds; undefined when its first line was unknown. */
  readonly idPrefix: string | undefined;
  readonly reason: LossReason | 'rate_limit';
  readonly offset: number;
  readonly bytes: number;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
};

const causes: Record<LossNotice['reason'], string> = {
  truncated: 'it was truncated before it was read',
  deleted: 'it was deleted before it could be read',
  not_unpacked: 'its .gz cannot be unpacked',
  held_bytes: 'too many bytes were waiting in deleted files (held-bytes-max)',
  damaged: 'the disk has spoiled what was kept of it',
  held_age: 'it had waited too long since it was deleted (held-age-max-ms)',
  rate_limit: 'it writes more than its rate limit',
};

/** A request body with one entry for each notice. */
export function lossBody(place: NodePlace, notices: readonly LossNotice[]): Uint8Array {
  const [first] = notices;
  if (first === undefined) return new Uint8Array();
  const entries = notices.map((notice) => entryOf(place, notice)).join(',\n');
  return Buffer.concat([requestHead(place, first.workload, ''), Buffer.from(`${entries}]}`)]);
}

function entryOf({ project }: NodePlace, notice: LossNotice): string {
  const { workload, path, reason, bytes, offset, atMs } = notice;
  const file = basename(path);
  const isHeld = reason === 'rate_limit';
  const verb = isHeld ? 'holds back' : 'lost';
  const entry = JSON.stringify({
    insertId: insertIdOf(notice),
    timestamp: new Date(atMs).toISOString(),
    severity: 'WARNING',
    logName: logNames(project).stderr,
    jsonPayload: {
      message: `tailship ${verb} ${bytes} bytes of ${file} of this container: ${causes[reason]}`,
      ...(isHeld ? { heldBackBytes: bytes } : { lostBytes: bytes }),
      file,
      offset,
      reason,
    },
  });
  const labels = workload.labels === '' ? '' : `"labels":{${workload.labels}},`;
  return `{"resource":${workload.resource},${labels}${entry.slice(1)}`;
}

/** Beside the ids of the file's lines: those have 30 digits, and `l` never follows them. */
function insertIdOf({ idPrefix, path, offset, bytes, reason }: LossNotice): string {
  const prefix = idPrefix ?? createHash('sha256').update(path).digest('hex').slice(0, 22);
  return `${prefix}${offset.toString(36).padStart(8, '0')}${reason === 'rate_limit' ? 'h' : 'l'}${bytes.toString(36)}`;
}
