// What Cloud Logging must show for a line of synthetic text: an oracle of its own, for the
// vocabulary of log-lines.ts and of given records only.
//
// It is deliberately not the encoder: it parses and compares as values what the encoder makes of
// bytes, so that one cannot repeat the other's mistake.

import { isDeepStrictEqual } from 'node:util';
import type { Stream } from '../kubelet/log-lines.ts';

/** The fields of an entry that are compared, as the emulator shows it. */
export type ShownEntry = {
  readonly logName?: string;
  readonly severity?: string;
  readonly insertId?: string;
  readonly timestamp?: string;
  readonly textPayload?: string;
  readonly jsonPayload?: Readonly<Record<string, unknown>>;
  readonly httpRequest?: { readonly requestUrl?: string };
  readonly trace?: string;
  readonly spanId?: string;
  readonly resource?: { readonly labels?: Readonly<Record<string, string>> };
  readonly split?: { readonly uid: string; readonly index?: number; readonly totalSplits: number };
};

const prefix = 'logging.googleapis.com/';
const klogSeverities: Readonly<Record<string, string>> = {
  I: 'INFO',
  W: 'WARNING',
  E: 'ERROR',
  F: 'CRITICAL',
};
const klogPattern = /^([IWEF])\d{4} \S+\s+(\d+)\s+([^ \]]+):(\d+)\]\s(.*)$/s;

type Expected = {
  readonly severity: string;
  readonly text?: string;
  readonly json?: Readonly<Record<string, unknown>>;
  readonly requestUrl?: string | undefined;
  readonly trace?: string | undefined;
  readonly spanId?: string | undefined;
};

/** How the entry differs from the line; undefined when it does not. */
export function entryDifference(
  entry: ShownEntry,
  line: { readonly stream: Stream; readonly text: string },
): string | undefined {
  const want = expected(line.stream, line.text);
  if (entry.logName?.endsWith(`/${line.stream}`) !== true) return `logName ${entry.logName}`;
  if ((entry.severity ?? 'DEFAULT') !== want.severity) return `severity ${entry.severity}`;
  if (want.text !== undefined && (entry.textPayload ?? '') !== want.text) return 'textPayload';
  if (want.json !== undefined && !isDeepStrictEqual(entry.jsonPayload, want.json)) {
    return 'jsonPayload';
  }
  if (entry.httpRequest?.requestUrl !== want.requestUrl) return 'httpRequest';
  if (entry.spanId !== want.spanId) return `spanId ${entry.spanId}`;
  const trace = entry.trace?.slice(entry.trace.lastIndexOf('/') + 1);
  return trace === want.trace ? undefined : `trace ${entry.trace}`;
}

function expected(stream: Stream, text: string): Expected {
  const fallback = stream === 'stdout' ? 'INFO' : 'ERROR';
  const parsed = text.startsWith('{') ? parseObject(text) : undefined;
  if (parsed !== undefined) return expectedOfJson(parsed, fallback);
  const [, letter = '', pid, , , message] = klogPattern.exec(text) ?? [];
  if (message === undefined) return { severity: fallback, text };
  return { severity: klogSeverities[letter] ?? '', json: { pid, message } };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined; // A text that begins with a brace.
  }
}

function expectedOfJson(parsed: Record<string, unknown>, fallback: string): Expected {
  const { severity = parsed['level'] ?? fallback, httpRequest, ...kept } = parsed;
  if (typeof kept['time'] === 'string' && kept['time'].includes('T')) delete kept['time'];
  const trace = kept[`${prefix}trace`];
  const spanId = kept[`${prefix}spanId`];
  for (const key of Object.keys(kept)) if (key.startsWith(prefix)) delete kept[key];
  const fields = {
    severity: String(severity),
    requestUrl: (httpRequest as ShownEntry['httpRequest'])?.requestUrl,
    trace: trace as string | undefined,
    spanId: spanId as string | undefined,
  };
  const { message, ...others } = kept;
  if (typeof message === 'string' && Object.keys(others).length === 0) {
    return { ...fields, text: message };
  }
  return { ...fields, json: kept };
}
