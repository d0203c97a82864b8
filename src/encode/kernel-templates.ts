// What surrounds each payload, where the kernel copies it from: a table of addresses and lengths in
// its area, and the bytes.
//
// A task has many sources of few lines each, so setting a source writes into the area and allocates
// next to nothing.

import assert from 'node:assert';

import { severityNames } from '../log-severity.ts';
import { fixedBytes } from './entries/entry-size.ts';
import type { EncodeContext } from './entries/entry.ts';
import * as layout from './kernel/layout.ts';

/** Of an insertId with its quotes. */
const idBytes = layout.idPrefixBytes + layout.offsetBytes + 2;
/** Copies run in steps of this many bytes and may read past a template. */
const paddingBytes = 16;
/** A character takes at most so many in UTF-8, and within a JSON string. */
const characterBytesMax = 3;
const escapedBytesMax = 6;
/** What all templates have beside what is in the context. */
const ownBytesMax = 256;

/** From the address of stdout's template to that of stderr's. */
const streamStep = 8;

/** `YYYY-MM-DDTHH:MM:SS` of seconds since the epoch. */
function secondText(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().slice(0, 19);
}

/** What `text` is inside a JSON string. */
function escapeText(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** Whether the templates fit, however many bytes their characters take. */
function hasRoom({ resource, logName, labels, traceParent = '' }: EncodeContext): boolean {
  const { stdout, stderr } = logName;
  const length = 4 * (resource.length + Math.max(stdout.length, stderr.length)) + labels.length;
  const bytesMax = characterBytesMax * length + escapedBytesMax * traceParent.length + ownBytesMax;
  return bytesMax <= layout.templatesEnd - layout.templates;
}

export class KernelTemplates {
  /** The kernel's area, as bytes and as words. */
  readonly #bytes: Buffer;
  readonly #words: Int32Array;
  /** Where in the area the id of each severity's template begins. */
  readonly #idStarts: readonly number[];
  /** Where in the area the next template goes. */
  #at = layout.templates;
  #idPrefix = '';
  #readAt: EncodeContext['readAt'] | undefined;

  constructor(area: Buffer) {
    this.#bytes = area;
    this.#words = new Int32Array(area.buffer, area.byteOffset, area.length / 4);
    this.#idStarts = severityNames.map((severity, index) => {
      const member = severity === 'DEFAULT' ? '' : `,"severity":"${severity}"`;
      const start = layout.severityAndIdTemplates + index * layout.severityAndIdBytes;
      const length = area.write(`"${member},"insertId":"`, start, 'latin1');
      this.#words[layout.severityAndIdLengths / 4 + index] = length + layout.idPrefixBytes;
      return start + length;
    });
  }

  /** Sets what surrounds the payloads of a source; false if it is too long for the kernel. */
  set(context: EncodeContext): boolean {
    if (!hasRoom(context)) return false;
    const { resource, logName, labels, traceParent, readAt } = context;
    // It is one object for all sources of a task.
    if (readAt !== this.#readAt) this.#setReadAt(readAt);
    this.#at = layout.templates;
    this.#setHeads(0, resource, logName.stdout);
    this.#setHeads(streamStep, resource, logName.stderr);
    const parent = this.#at;
    if (traceParent !== undefined) this.#write(`${escapeText(traceParent)}/traces/`);
    this.#finish(layout.traceHead, parent);
    const tail = this.#at;
    if (labels === '') this.#write('"},\n');
    else {
      this.#write('","labels":{');
      this.#write(labels);
      this.#write('}},\n');
    }
    this.#finish(layout.tail, tail);
    this.#words[layout.jsonBytesMax / 4] = layout.jsonContentMax - labels.length;
    this.#words[layout.entryFixedBytes / 4] = fixedBytes(context, idBytes);
    return true;
  }

  /** Sets the first 22 characters of the insertIds. */
  setIdPrefix(idPrefix: string): void {
    // A joined record mostly begins in the file that is read.
    if (idPrefix === this.#idPrefix) return;
    assert(idPrefix.length === layout.idPrefixBytes);
    this.#idPrefix = idPrefix;
    const [first = 0] = this.#idStarts;
    this.#bytes.write(idPrefix, first, 'latin1');
    for (const start of this.#idStarts) {
      this.#bytes.copyWithin(start, first, first + layout.idPrefixBytes);
    }
  }

  #setReadAt(readAt: EncodeContext['readAt']): void {
    this.#readAt = readAt;
    const { seconds } = readAt;
    this.#bytes.write(secondText(seconds), layout.readingSecond, 'latin1');
    this.#bytes.write(secondText(seconds + 43_200), layout.halfDayLater, 'latin1');
  }

  /** Both heads of the stream whose addresses come `step` bytes after those of stdout. */
  #setHeads(step: number, resource: string, logName: string): void {
    const text = this.#at;
    this.#write('{');
    this.#write(resource);
    this.#write(logName);
    const shared = this.#at;
    this.#write('"textPayload":"');
    this.#finish(layout.textHead + step, text);
    const json = this.#at;
    this.#bytes.copyWithin(json, text, shared);
    this.#at += shared - text;
    this.#write('"jsonPayload":{');
    this.#finish(layout.jsonHead + step, json);
  }

  #write(text: string): void {
    if (text !== '') this.#at += this.#bytes.write(text, this.#at);
  }

  /** Says where the template is that was written from `start` on. */
  #finish(slot: number, start: number): void {
    this.#words[slot / 4] = this.#bytes.byteOffset + start;
    this.#words[slot / 4 + 1] = this.#at - start;
    this.#at += paddingBytes;
  }
}
