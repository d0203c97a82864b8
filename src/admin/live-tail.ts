// The answer of /api/tail: the lines of one container, as lines of JSON, for as long as somebody
// reads them.
//
// Invariant: when the reader goes or the panel's time is up, everything that the tail opened is
// closed.

import type { ServerResponse } from 'node:http';

import { limits } from '../config.ts';
import type { PanelSink } from '../control.ts';
import { AgentError } from '../errors.ts';
import { plainHeaders } from '../page-file.ts';
import { printable } from '../printable.ts';
import type { AdminSource } from './admin-source.ts';

/** Of all servers of the process. */
const openPanels = new Set<ServerResponse>();

/** Resolves when the tail is closed. */
export async function streamTail(
  { tail }: Pick<AdminSource, 'tail'>,
  query: URLSearchParams,
  response: ServerResponse,
): Promise<void> {
  if (openPanels.size >= limits.tailPanelsMax) {
    refuse(response, 503, `${openPanels.size} live tails are open already: close one of them`);
    return;
  }
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const overdue = AbortSignal.timeout(limits.tailPanelMs);
  const signal = AbortSignal.any([gone.signal, overdue]);
  openPanels.add(response);
  const beat = setInterval(() => begin(response).write('\n'), limits.tailPanelBeatMs);
  try {
    const valueOf = (name: string) => query.get(name) ?? '';
    const names = { namespace: valueOf('namespace'), pod: valueOf('pod') };
    const request = { ...names, container: valueOf('container'), filter: valueOf('filter') };
    await tail?.(request, sinkOf(response, signal));
    if (!overdue.aborted) return;
    const minutes = limits.tailPanelMs / 60_000;
    begin(response).write(`${JSON.stringify({ end: `closed after ${minutes} minutes` })}\n`);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const text = `${error.code}: ${error.message}`;
    if (response.headersSent) response.write(`${JSON.stringify({ end: text })}\n`);
    else refuse(response, error.code === 'CONFIG_INVALID' ? 400 : 503, text);
  } finally {
    clearInterval(beat);
    openPanels.delete(response);
    response.end();
  }
}

function sinkOf(response: ServerResponse, signal: AbortSignal): PanelSink {
  return {
    signal,
    get isFull() {
      return response.writableLength > limits.tailPanelUnreadBytesMax;
    },
    write: (lines) => {
      if (lines.length === 0) begin(response).flushHeaders();
      else begin(response).write(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    },
  };
}

/** Sends the headers; before that an error can have its own status. */
function begin(response: ServerResponse): ServerResponse {
  if (!response.headersSent) {
    response.writeHead(200, { 'content-type': 'application/x-ndjson', ...plainHeaders });
  }
  return response;
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...plainHeaders });
  response.end(`${printable(text)}\n`);
}
