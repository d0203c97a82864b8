// Issuers of tokens and files that name them, for the tests of credentials.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { CredentialOptions } from '../../src/ship/credentials.ts';
import { makeStateDir } from './open-shipper.ts';

export const remote = new URL('https://logging.googleapis.com/');

export function tokenLimits(shipTokenMs: number): CredentialOptions['limits'] {
  return { shipTokenMs, shipBackoffBaseMs: 100, shipBackoffMaxMs: 1_000 };
}

export function makeOptions(more: Partial<CredentialOptions> = {}): CredentialOptions {
  return {
    endpoint: remote,
    credentialsFile: undefined,
    metadataHost: '127.0.0.1:1',
    limits: tokenLimits(100),
    nowMs: () => performance.now(),
    random: Math.random,
    ...more,
  };
}

export type Serve = (request: IncomingMessage, response: ServerResponse) => void;

/** An issuer that says of itself that it is Google's metadata server, as `serve` may take back. */
export async function openServer(serve: Serve): Promise<string> {
  const server = createServer((request, response) => {
    response.setHeader('metadata-flavor', 'Google');
    serve(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export const issued = (token: string, seconds = 3600): string =>
  JSON.stringify({ access_token: token, expires_in: seconds, token_type: 'Bearer' });

/** A key file of workload identity federation whose issuer is at `tokenUrl`. */
export function writeFederated(tokenUrl: string): string {
  const stateDir = makeStateDir();
  const subject = path.join(stateDir, 'subject');
  writeFileSync(subject, 'subject-token-SECRET');
  const file = path.join(stateDir, 'adc.json');
  const pool = 'projects/1/locations/global/workloadIdentityPools/p/providers/q';
  const adc = {
    type: 'external_account',
    audience: `//iam.googleapis.com/${pool}`,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: tokenUrl,
    credential_source: { file: subject },
  };
  writeFileSync(file, JSON.stringify(adc));
  return file;
}
