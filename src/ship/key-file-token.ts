// Tokens by a key file or other Application Default Credentials JSON. Created by credentials.ts;
// google-auth-library, which costs 21 MB, is loaded for the first token.
//
// Invariant: the file is read for every token, so a key that was rotated in place is used at once.

import { readFileSync } from 'node:fs';
import type { AuthClient } from 'google-auth-library';
import { AgentError } from '../errors.ts';
import type { FetchToken } from './issued-token.ts';
import { lifeMinMs, loggingScope } from './issued-token.ts';

export type KeyFileOptions = {
  readonly deadlineMs: number;
  /** URL of an HTTP proxy towards the issuer. */
  readonly proxy?: string | undefined;
};

type KeyFile = {
  readonly type?: string;
  readonly credential_source?: { readonly environment_id?: string; readonly executable?: unknown };
};

/** Throws CREDENTIALS_MISSING when the file cannot be read as JSON. */
export function keyFileToken(file: string, options: KeyFileOptions): FetchToken {
  readKeyFile(file);
  return async () => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const text = `no token within ${options.deadlineMs / 1_000} s`;
      timer = setTimeout(() => reject(new Error(text)), options.deadlineMs);
    });
    try {
      return await Promise.race([fetchToken(file, options), late]);
    } catch (error) {
      if (error instanceof AgentError) throw error;
      const text = `no token by ${file}: ${(error as Error).message}`;
      throw new AgentError('SHIP_UNAUTHENTICATED', text, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  };
}

async function fetchToken(file: string, options: KeyFileOptions): ReturnType<FetchToken> {
  // A new client for each token, because a client would give a refused one out again.
  const client = await createClient(readKeyFile(file), file, options);
  const { token } = await client.getAccessToken();
  if (typeof token !== 'string' || token === '') {
    throw new Error('the issuer answered without a token');
  }
  const expiresMs = client.credentials.expiry_date;
  return { token, lifeMs: typeof expiresMs === 'number' ? expiresMs - Date.now() : lifeMinMs };
}

/** The client for this type of file. */
async function createClient(
  key: KeyFile,
  keyFile: string,
  { deadlineMs, proxy }: KeyFileOptions,
): Promise<AuthClient> {
  const library = await import('google-auth-library');
  const scopes = [loggingScope];
  const transporterOptions = { timeout: deadlineMs, ...(proxy === undefined ? {} : { proxy }) };
  // The common types are made directly: GoogleAuth would print a warning for each of them, and the
  // agent's log is structured.
  const source = key.credential_source;
  if (key.type === 'service_account') {
    const client = new library.JWT({ scopes, transporterOptions });
    client.fromJSON(key);
    return client;
  }
  if (
    key.type === 'external_account' &&
    source?.environment_id === undefined &&
    source?.executable === undefined
  ) {
    type PoolOptions = ConstructorParameters<typeof library.IdentityPoolClient>[0];
    const client = new library.IdentityPoolClient({ ...key, transporterOptions } as PoolOptions);
    client.scopes = scopes;
    return client;
  }
  const auth = new library.GoogleAuth({ keyFile, scopes, clientOptions: { transporterOptions } });
  return auth.getClient();
}

function readKeyFile(file: string): KeyFile {
  try {
    const key: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof key !== 'object' || key === null) throw new Error('it holds no JSON object');
    return key;
  } catch (error) {
    const text = `the credentials file ${file} cannot be used: ${(error as Error).message}`;
    throw new AgentError('CREDENTIALS_MISSING', text, { cause: error });
  }
}
