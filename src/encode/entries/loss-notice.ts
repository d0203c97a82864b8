// Says in a container's own log that bytes of it were lost, or are held back by its rate limit, so
// that a reader of the log sees the gap.
//
// Invariant: the insertId follows from the file, the offset and the length of what was lost, so a
// notice that is sent twice is one entry.

import { createHash } from 'node:crypto';
import { basename } from 'node:path';

import type { LossNotice } from '../../tail/loss-notices.ts';
import type { NodeIdentity } from '../../host/node-identity.ts';
import { requestHead } from './entry-template.ts';
import { noSpecialFields, writeEntry } from './entry.ts';
import { insertIdOf } from './insert-id.ts';

const causes: Record<LossNotice['reason'], string> = {
  truncated: 'it was truncated before it was read',
  deleted: 'it was deleted before it could be read',
  not_unpacked: 'its .gz is damaged or too large; so many at least, if its length is unknown',
  held_bytes: 'too many bytes were waiting in deleted files (held-bytes-max)',
  damaged: 'the copy that was kept of it is damaged',
  held_age: 'it had waited too long since it was deleted (held-age-max-ms)',
  rate_limit: 'it writes more than its rate limit',
};

/** A request body with one entry for each notice. */
export function lossBody(identity: NodeIdentity, notices: readonly LossNotice[]): Uint8Array {
  const [first] = notices;
  if (first === undefined) return new Uint8Array();
  const { resource, project } = first.template;
  const head = requestHead(identity, { resource, labels: '', ...(project && { project }) });
  return Buffer.concat([head, Buffer.from(`${notices.map(entryOf).join(',\n')}]}`)]);
}

function entryOf(notice: LossNotice): string {
  const { template, path, reason, bytes, offset, atMs } = notice;
  const file = basename(path);
  const isHeld = reason === 'rate_limit';
  const verb = isHeld ? 'holds back' : 'lost';
  const payload = {
    message: `tailship ${verb} ${bytes} bytes of ${file} of this container: ${causes[reason]}`,
    ...(isHeld ? { heldBackBytes: bytes } : { lostBytes: bytes }),
    file,
    offset,
    reason,
  };
  const entry = {
    payload: { kind: 'json', json: JSON.stringify(payload) },
    stream: 'stderr',
    timestamp: new Date(atMs).toISOString(),
    severity: 'WARNING',
    insertId: JSON.stringify(noticeId(notice)),
    labels: template.labels,
    ...noSpecialFields,
  } as const;
  return writeEntry(entry, template);
}

/** Distinct from the ids of records, in which no `l` or `h` follows 30 digits. */
function noticeId({ idPrefix, path, offset, bytes, reason }: LossNotice): string {
  const prefix = idPrefix ?? createHash('sha256').update(path).digest('hex').slice(0, 22);
  const kind = reason === 'rate_limit' ? 'h' : 'l';
  return `${insertIdOf(prefix, offset)}${kind}${bytes.toString(36)}`;
}
