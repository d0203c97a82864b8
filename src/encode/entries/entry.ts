// An entry before it is text, and the one way to write it. The kernel writes the same bytes in its
// own code, so the order of members here is part of the specification: the payload comes first, so
// that the kernel can copy it while it validates it.

import type { Severity } from '../../log-severity.ts';
import type { EntryTemplate, Stream } from './entry-template.ts';
import type { Redactor } from '../redaction/redactor.ts';
import type { Instant } from '../rfc3339.ts';

/** What all entries of one container share in one task. */
export type EncodeContext = EntryTemplate & {
  /** The number of labels that the request adds to each entry. */
  readonly requestLabels: number;
  /** `projects/P`; undefined leaves traces bare. */
  readonly traceParent: string | undefined;
  /** The time of reading; the API refuses times more than a day later. */
  readonly readAt: Instant;
  /** Hides parts of the records; absent: nothing is hidden. */
  readonly redactor?: Redactor | undefined;
};

/** The parts of a LogEntry as JSON text; '' for absent ones. */
export type Entry = {
  readonly stream: Stream;
  readonly payload:
    | { readonly kind: 'text'; /** A JSON string, with its quotes. */ readonly json: string }
    | { readonly kind: 'json'; /** A JSON object, with its braces. */ readonly json: string };
  /** RFC 3339. */
  readonly timestamp: string;
  /** 'DEFAULT' is not written. */
  readonly severity: Severity;
  /** A JSON string. */
  readonly insertId: string;
  /** Members without braces. */
  readonly labels: string;
  /** An object. */
  readonly httpRequest: string;
  /** An object. */
  readonly operation: string;
  /** An object. */
  readonly sourceLocation: string;
  /** A JSON string. */
  readonly trace: string;
  /** A JSON string. */
  readonly spanId: string;
  readonly traceSampled: boolean;
  /** An object. */
  readonly split: string;
};

/** The fields that only a JSON object can give an entry. */
export const noSpecialFields = {
  httpRequest: '',
  operation: '',
  sourceLocation: '',
  trace: '',
  spanId: '',
  traceSampled: false,
  split: '',
} as const;

/** The JSON text of an entry; its labels include the template's. */
export function writeEntry(entry: Entry, { resource, logName }: EntryTemplate): string {
  const { payload } = entry;
  let text = `{${resource}${logName[entry.stream]}`;
  text += payload.kind === 'text' ? '"textPayload":' : '"jsonPayload":';
  text += `${payload.json},"timestamp":"${entry.timestamp}"`;
  if (entry.severity !== 'DEFAULT') text += `,"severity":"${entry.severity}"`;
  text += `,"insertId":${entry.insertId}`;
  if (entry.labels !== '') text += `,"labels":{${entry.labels}}`;
  if (entry.httpRequest !== '') text += `,"httpRequest":${entry.httpRequest}`;
  if (entry.operation !== '') text += `,"operation":${entry.operation}`;
  if (entry.sourceLocation !== '') text += `,"sourceLocation":${entry.sourceLocation}`;
  if (entry.trace !== '') text += `,"trace":${entry.trace}`;
  if (entry.spanId !== '') text += `,"spanId":${entry.spanId}`;
  if (entry.traceSampled) text += ',"traceSampled":true';
  if (entry.split !== '') text += `,"split":${entry.split}`;
  return `${text}}`;
}
