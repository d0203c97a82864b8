// One entries:write with `dryRun`, for `tailship check`: the API judges token, permission and entry
// as usual, and stores nothing.
//
// Invariant: the token is never shown, not even where the answer repeats it.

import { limits } from '../config.ts';
import type { DryRunAnswer } from '../dry-run-answer.ts';
import { AgentError } from '../errors.ts';
import { judge } from './answer.ts';
import { createCredentials, type CredentialOptions } from './credentials.ts';
import { CachedLookup } from './lookup.ts';
import { openTransport, type TransportSetup } from './open-transport.ts';
import { type HttpAnswer, requestHeaders } from './transport.ts';

/** In characters; the reason is at the beginning. */
const textMax = 2_000;
const shared = { limits, nowMs: () => performance.now(), random: Math.random };
type Shared = typeof shared;

/** The options of the agent that say where and as whom to send. */
type DryRunOptions = Omit<
  CredentialOptions & TransportSetup,
  'endpoint' | 'lookup' | keyof Shared
> & {
  readonly endpoint: string;
  readonly quotaProject?: string | undefined;
};

/** Rejects with an AgentError when there is no token or no answer. */
export async function sendDryRun(options: DryRunOptions, project: string): Promise<DryRunAnswer> {
  const endpoint = new URL(options.endpoint);
  const token = await createCredentials({ ...options, ...shared, endpoint }).token();
  const lookup = new CachedLookup(shared);
  const transport = await openTransport({ ...options, ...shared, endpoint, lookup });
  const headers = requestHeaders({ gzip: false, ...options })(token);
  const startMs = Date.now();
  try {
    const answer = await transport.post(Buffer.from(dryRunBody(project)), headers);
    if ('code' in answer) throw new AgentError(answer.code, answer.text);
    const elapsedMs = Date.now() - startMs;
    const date = Date.parse(answer.date ?? '');
    const text = answer.text.slice(0, textMax);
    return {
      status: answer.status,
      problem: problemOf(answer, startMs),
      text: token === undefined ? text : text.replaceAll(token, '***'),
      serverTimeMs: Number.isNaN(date) ? undefined : date,
      localTimeMs: startMs + elapsedMs / 2,
      elapsedMs,
    };
  } finally {
    await transport.destroy(new Error('the dry run is over'));
  }
}

function problemOf(answer: HttpAnswer, nowMs: number): DryRunAnswer['problem'] {
  const verdict = judge(answer, 1, nowMs);
  if (verdict.kind === 'accepted') return undefined;
  if (verdict.kind === 'failed') return { code: verdict.code, text: verdict.text };
  const [error] = verdict.kind === 'partial' ? [...verdict.errors.values()] : [verdict];
  return { code: 'SHIP_REJECTED', text: error?.text ?? '' };
}

function dryRunBody(project: string): string {
  return JSON.stringify({
    dryRun: true,
    entries: [
      {
        logName: `projects/${project}/logs/tailship-check`,
        resource: { type: 'global' },
        textPayload: 'tailship check: a dry run, which is not stored',
      },
    ],
  });
}
