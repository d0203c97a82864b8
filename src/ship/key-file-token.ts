// Tokens by a key file or other Application Default Credentials JSON. google-auth-library, which
// costs 21 MB, is loaded for the first token.
//
// Invariants: the file is read for every token, so a key that is replaced in place is used at once;
// no error repeats the content of the file or the issuer's answer.

import { readFileSync } from 'node:fs';
import type { AuthClient, gaxios } from 'google-auth-library';
import { AgentError, isSystemError } from '../errors.ts';
import { member, textOf } from '../json-value.ts';
import { within } from '../until-aborted.ts';
import { refusePlainHttp } from '../plain-http.ts';

/** A token and how long it lives from now. */
export type IssuedToken = { readonly token: string; readonly lifeMs: number };

/** Requests a token; rejects with an AgentError. */
export type FetchToken = () => Promise<IssuedToken>;

/** The least scope that may write entries. */
const loggingScope = 'https://www.googleapis.com/auth/logging.write';

/** The least life, so that an issuer that says 0 does not get a request for each of ours. */
export const lifeMinMs = 1_000;

export type KeyFileOptions = {
  readonly deadlineMs: number;
  /** URL of an HTTP proxy towards the issuer. */
  readonly proxy?: string | undefined;
  readonly allowPlainHttp?: boolean | undefined;
};

type KeyFile = {
  readonly type?: string;
  readonly credential_source?: { readonly environment_id?: string; readonly executable?: unknown };
};

const answerBytesMax = 64 * 1024;
const reasonCharsMax = 300;
const withoutToken = 'the issuer answered without a token';
/** Access tokens of Google, JSON Web Tokens, keys. */
const secretText = /ya29\.[\w.-]+|eyJ[\w-]+\.[\w.-]+|-----BEGIN[\s\S]*/g;
/** Addresses of a cloud's own metadata server: nothing else answers there. */
const linkLocal = /^(?:169\.254\.|\[fe80:)/;

/**
 * Throws CREDENTIALS_MISSING when the file cannot be read as JSON, PLAIN_HTTP_REFUSED when it names
 * an issuer with plain http.
 */
export function keyFileToken(file: string, options: KeyFileOptions): FetchToken {
  readKeyFile(file, options);
  return async () => {
    try {
      const text = `no token within ${options.deadlineMs / 1_000} s`;
      return await within(fetchToken(file, options), options.deadlineMs, new Error(text));
    } catch (error) {
      if (error instanceof AgentError) throw error;
      // Without its cause, which holds the request: a signed assertion, or a subject's token.
      throw new AgentError('SHIP_UNAUTHENTICATED', `no token by ${file}: ${reasonOf(error)}`);
    }
  };
}

async function fetchToken(file: string, options: KeyFileOptions): ReturnType<FetchToken> {
  // A new client for each token, because a client would return a refused one again.
  const client = await createClient(readKeyFile(file, options), file, options);
  shareTransporter(client);
  const { token } = await client.getAccessToken();
  if (typeof token !== 'string' || token === '') {
    throw new AgentError('SHIP_UNAUTHENTICATED', `no token by ${file}: ${withoutToken}`);
  }
  const expiresMs = client.credentials.expiry_date;
  return { token, lifeMs: typeof expiresMs === 'number' ? expiresMs - Date.now() : lifeMinMs };
}

/** The library's token exchange has its own transporter, without our limit, deadline and proxy. */
function shareTransporter(client: AuthClient): void {
  const { stsCredential } = client as {
    stsCredential?: { transporter: AuthClient['transporter'] };
  };
  if (stsCredential !== undefined) stsCredential.transporter = client.transporter;
}

async function createClient(
  key: KeyFile,
  keyFile: string,
  { deadlineMs, proxy }: KeyFileOptions,
): Promise<AuthClient> {
  const library = await import('google-auth-library');
  const scopes = [loggingScope];
  const transporterOptions = {
    timeout: deadlineMs,
    adapter: boundedAnswer(answerBytesMax),
    ...(proxy === undefined ? {} : { proxy }),
  };
  // GoogleAuth prints a warning for the common types, and the agent's log is structured.
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

function readKeyFile(file: string, { allowPlainHttp }: KeyFileOptions): KeyFile {
  let key: unknown;
  try {
    key = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw unusable(file, isSystemError(error) ? error.message : 'it is no JSON');
  }
  if (typeof key !== 'object' || key === null) throw unusable(file, 'it holds no JSON object');
  for (const { name, url } of issuersOf(key)) {
    if (name === 'url' && linkLocal.test(url.hostname)) continue;
    refusePlainHttp(url, `${name} in ${file}`, allowPlainHttp);
  }
  return key;
}

function unusable(file: string, reason: string): AgentError {
  const text = `the credentials file ${file} cannot be used: ${reason}`;
  return new AgentError('CREDENTIALS_MISSING', text);
}

/** Every URL of an issuer, at any depth: `token_uri`, `token_url`, `url`, … */
function issuersOf(object: object): { readonly name: string; readonly url: URL }[] {
  return Object.entries(object).flatMap(([name, value]: [string, unknown]) => {
    if (typeof value === 'object' && value !== null) return issuersOf(value);
    const url = /(?:^|_)ur[il]$/.test(name) ? URL.parse(String(value)) : null;
    return url === null ? [] : [{ name, url }];
  });
}

/** Why there is no token, without any of the text that was sent or parsed. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'the library failed';
  const { response, code, name } = error as Partial<gaxios.GaxiosError> & Error;
  if (response !== undefined) {
    const [oauthCode] = /^[a-z_]{1,64}$/.exec(textOf(member(response.data, 'error'))) ?? [];
    return `the issuer answered ${response.status}${oauthCode === undefined ? '' : ` ${oauthCode}`}`;
  }
  const isBug = name === 'TypeError' || error.cause instanceof TypeError;
  const isParsed = name === 'SyntaxError' || error.cause instanceof SyntaxError;
  if (isParsed || /JSON/.test(error.message)) return 'what was read is no JSON';
  if (isBug && code === undefined) return 'what was read is not understood';
  const message = error.message.replaceAll(/(["'`]).*?\1/gs, '…');
  const text =
    code === undefined || message.includes(String(code)) ? message : `${code}: ${message}`;
  return text.replace(secretText, '***').slice(0, reasonCharsMax);
}

type Adapter = NonNullable<gaxios.GaxiosOptions['adapter']>;

/**
 * An adapter of gaxios: an answer over `bytesMax` is an error, and its connection is closed. The
 * library's own limit (`maxContentLength`) trusts the declared length: of an endless answer it read
 * 120 MB a second into memory.
 */
function boundedAnswer(bytesMax: number): Adapter {
  return async (options, send) => {
    const response = await send({ ...options, responseType: 'stream' });
    const text = await readText(response.data as AsyncIterable<Uint8Array>, bytesMax);
    return Object.assign(response, { data: parseAnswer(text) });
  };
}

async function readText(stream: AsyncIterable<Uint8Array>, bytesMax: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop cancels the stream.
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Always an object, because the library adds a member to it. */
function parseAnswer(text: string): object {
  try {
    const answer: unknown = JSON.parse(text);
    if (typeof answer === 'object' && answer !== null) return answer;
  } catch {
    // The parser's message quotes the text, which may hold a token.
  }
  return {};
}
