// One entries:write with `dryRun`, for `tailship check`: the API judges token, permission and entry
// as it would in earnest, and stores nothing. Called through cli.ts, never by the agent.

import { readFileSync } from 'node:fs';
import { getCACertificates } from 'node:tls';
import { Agent, type Dispatcher, ProxyAgent, request } from 'undici';
import { type Config, limits } from '../config.ts';
import { version } from '../version.ts';
import { createCredentials } from './credentials.ts';

export type DryRunAnswer = {
  readonly status: number;
  /** Of an error: the beginning of what the API says. */
  readonly text: string;
  /** The server's Date header, milliseconds since 1970; undefined when there is none. */
  readonly serverTimeMs: number | undefined;
  /** The local clock in the middle between asking and being answered. */
  readonly localTimeMs: number;
  readonly elapsedMs: number;
};

/** In characters; the reason stands at the beginning. */
const textMax = 2_000;

/**
 * Sends it. Rejects with an AgentError when there is no token, with undici's error when there is no
 * answer.
 */
export async function sendDryRun(config: Config, project: string): Promise<DryRunAnswer> {
  const token = await fetchToken(config);
  const dispatcher = createDispatcher(config);
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'user-agent': `tailship/${version}`,
  };
  if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
  if (config.quotaProject !== undefined) headers['x-goog-user-project'] = config.quotaProject;
  const startMs = Date.now();
  try {
    const response = await request(`${config.endpoint}/v2/entries:write`, {
      method: 'POST',
      headers,
      body: dryRunBody(project),
      dispatcher,
      signal: AbortSignal.timeout(limits.shipConnectMs + limits.shipBodyMs),
    });
    const elapsedMs = Date.now() - startMs;
    const text = await response.body.text();
    const date = Date.parse(String(response.headers['date']));
    return {
      status: response.statusCode,
      text: text.slice(0, textMax),
      serverTimeMs: Number.isNaN(date) ? undefined : date,
      localTimeMs: startMs + elapsedMs / 2,
      elapsedMs,
    };
  } finally {
    await dispatcher.destroy();
  }
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

async function fetchToken(config: Config): Promise<string | undefined> {
  const credentials = createCredentials({
    endpoint: new URL(config.endpoint),
    credentialsFile: config.credentialsFile,
    metadataHost: config.metadataHost,
    deadlineMs: limits.shipTokenMs,
    backoffBaseMs: limits.shipBackoffBaseMs,
    backoffMaxMs: limits.shipBackoffMaxMs,
    clock: () => performance.now(),
    random: Math.random,
  });
  return credentials.token();
}

function createDispatcher({ caFile, proxy }: Config): Dispatcher {
  const ca =
    caFile === undefined
      ? undefined
      : [...getCACertificates('default'), readFileSync(caFile, 'utf8')];
  const tls = { timeout: limits.shipConnectMs, ...(ca === undefined ? {} : { ca }) };
  if (proxy === undefined) return new Agent({ connect: tls });
  return new ProxyAgent({ uri: proxy, requestTls: tls, proxyTls: tls });
}
