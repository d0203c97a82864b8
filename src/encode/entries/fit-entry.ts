// Makes entries over the API's limit fit. A text becomes several entries; a JSON object loses the
// ends of its longest strings, and one that is too large without them is sent as the text it was
// written as. The invariant: every entry is within `limits.entryBytesMax`, is valid, and says what
// is missing; nothing is dropped for its size.

import assert from 'node:assert';

import { limits } from '../../config.ts';
import type { EncodeContext, Entry } from './entry.ts';
import { envelopeBytes, fieldsJson, payloadBytes } from './entry-size.ts';
import { partInsertId } from './insert-id.ts';
import { scanObject } from '../json/object-scan.ts';
import { rawValue } from '../json/json-text.ts';
import { characterBorder, shortenStrings } from './shorten-strings.ts';

/** The text in parts of at most `partBytes`, cut between characters. */
export function cutText(text: Uint8Array, partBytes: number): Buffer[] {
  assert(partBytes > 4);
  const bytes = Buffer.from(text.buffer, text.byteOffset, text.length);
  const parts: Buffer[] = [];
  for (let start = 0; start < bytes.length || parts.length === 0;) {
    const rest = bytes.subarray(start);
    const end = rest.length <= partBytes ? rest.length : characterBorder(rest, partBytes);
    parts.push(rest.subarray(0, end));
    start += end;
  }
  return parts;
}

/** The JSON string of a part of a text. */
export type PartJson = (part: Buffer) => string;

const jsonOfPart: PartJson = (part) => JSON.stringify(part.toString());

/** Splits an entry with a text payload into parts of at most `partBytes`. */
function splitText(
  entry: Entry,
  text: Uint8Array,
  { partBytes, partJson = jsonOfPart }: { partBytes: number; partJson?: PartJson | undefined },
): Entry[] {
  const parts = cutText(text, partBytes);
  const ofPart = (part: Buffer): Entry => ({
    ...entry,
    payload: { kind: 'text', json: partJson(part) },
  });
  if (parts.length === 1) return parts.map(ofPart);
  const uid = JSON.parse(entry.insertId) as string;
  return parts.map((part, index) => ({
    ...ofPart(part),
    insertId: JSON.stringify(partInsertId(uid, index)),
    split: `{"uid":${entry.insertId},"index":${index},"totalSplits":${parts.length}}`,
  }));
}

/** Splits the record as text into as many entries as needed. */
export function splitRecord(
  entry: Entry,
  text: Uint8Array,
  { context, partJson }: { readonly context: EncodeContext; readonly partJson?: PartJson },
): Entry[] {
  const partBytes = limits.entryBytesMax - envelopeBytes(entry, context);
  return splitText(entry, text, { partBytes, partJson });
}

/**
 * The entry with shortened fields, to leave room for a payload; undefined if that is not enough.
 */
function trimFields(entry: Entry, insertId: string): Entry | undefined {
  const json = shortenStrings(fieldsJson(entry), limits.entryFieldsBytesMax);
  const fields = json === undefined ? undefined : scanObject(json);
  if (fields === undefined) return undefined;
  const raw = new Map(fields.members.map((member) => [member.key, rawValue(fields, member)]));
  const isLongId = Buffer.byteLength(entry.insertId) > limits.insertIdBytesMax;
  return {
    ...entry,
    insertId: isLongId ? JSON.stringify(insertId) : entry.insertId,
    labels: raw.get('labels')?.slice(1, -1) ?? '',
    httpRequest: raw.get('httpRequest') ?? '',
    operation: raw.get('operation') ?? '',
    sourceLocation: raw.get('sourceLocation') ?? '',
    trace: raw.get('trace') ?? '',
    spanId: raw.get('spanId') ?? '',
  };
}

export type Fallback = {
  readonly context: EncodeContext;
  /** Replaces an id of the record's own that is too long. */
  readonly insertId: string;
  /** The entry of the record as text, without the record's own fields, and that text. */
  readonly asText: () => { readonly entry: Entry; readonly text: Uint8Array };
};

/** The entry, or those that replace it if it is over the limit. */
export function fitEntry(entry: Entry, { context, insertId, asText }: Fallback): Entry[] {
  const room = limits.entryBytesMax - envelopeBytes(entry, context);
  if (payloadBytes(entry.payload) <= room) return [entry];
  const trimmed = trimFields(entry, insertId);
  if (trimmed !== undefined) {
    // Tags and lengths around the payload are in the reserve.
    const left = limits.entryBytesMax - envelopeBytes(trimmed, context);
    const { payload } = trimmed;
    if (payload.kind === 'text') {
      const text = Buffer.from(JSON.parse(payload.json) as string);
      return splitText(trimmed, text, { partBytes: left });
    }
    const json = shortenStrings(payload.json, left);
    if (json !== undefined) return [{ ...trimmed, payload: { kind: 'json', json } }];
  }
  const plain = asText();
  const { severity, timestamp } = entry;
  return splitRecord({ ...plain.entry, severity, timestamp }, plain.text, { context });
}
