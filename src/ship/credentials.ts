// The bearer token of a request: none, from the metadata server, or from a key file.
//
// Invariant: one refresh at a time; a failed refresh never withholds a token that is still valid;
// no error repeats what an issuer sent, which may be a token.

import assert from 'node:assert/strict';
import { backoffMs } from '../backoff.ts';
import { AgentError } from '../errors.ts';
import { getMetadata, metadataUrl } from '../gce-metadata.ts';
import { type FetchToken, type IssuedToken, keyFileToken, lifeMinMs } from './key-file-token.ts';
import { isLoopback, refusePlainHttp } from '../plain-http.ts';
import type { ShipLimits } from '../ship-limits.ts';

export type CredentialOptions = {
  readonly endpoint: URL;
  /** A service-account key or any other Application Default Credentials JSON. */
  readonly credentialsFile: string | undefined;
  /** URL of an HTTP proxy towards the issuer of a key file's tokens. */
  readonly proxy?: string | undefined;
  /** Host, or host:port, of the metadata server. */
  readonly metadataHost: string;
  readonly allowPlainHttp?: boolean | undefined;
  readonly limits: Pick<ShipLimits, 'shipTokenMs' | 'shipBackoffBaseMs' | 'shipBackoffMaxMs'>;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly random: () => number;
};

export type Credentials = {
  /** Undefined when the endpoint needs no token. Rejects with an AgentError while there is none. */
  token(): Promise<string | undefined>;
  /** The API refused this token (401): it is not used again unless its issuer repeats it. */
  refuse(token: string): void;
  /** Rejects the callers that are waiting for a token. */
  stop(reason: AgentError): void;
};

const tokenPath = 'instance/service-accounts/default/token';
/** The next token is requested after this share of the life of the current one. */
const refreshShare = 0.8;

/** Google's tokens are of ASCII, and have 2 KiB at most. */
const sendable = /^[\x21-\x7e]{1,8192}$/;

/** Whether requests to `endpoint` stay on this machine in plain text, where a token has no use. */
export function needsNoToken(endpoint: URL): boolean {
  return endpoint.protocol === 'http:' && isLoopback(endpoint);
}

/**
 * Chooses the source of tokens; requests none yet. Throws CREDENTIALS_MISSING when the key file
 * cannot be used, PLAIN_HTTP_REFUSED when a token would be sent in plain text, CONFIG_INVALID when
 * the metadata host is not a host.
 */
export function createCredentials(options: CredentialOptions): Credentials {
  if (needsNoToken(options.endpoint)) {
    const token = () => Promise.resolve(undefined);
    return { token, refuse: () => undefined, stop: () => undefined };
  }
  refusePlainHttp(options.endpoint, '--endpoint', options.allowPlainHttp);
  const fetchToken =
    options.credentialsFile === undefined
      ? tokenFromMetadata(options)
      : keyFileToken(options.credentialsFile, {
          deadlineMs: options.limits.shipTokenMs,
          proxy: options.proxy,
          allowPlainHttp: options.allowPlainHttp,
        });
  return new CachedToken(fetchToken, options);
}

/** Keeps a token for its life. Exported for its test. */
export class CachedToken implements Credentials {
  readonly #fetchToken: FetchToken;
  readonly #options: CredentialOptions;
  #token: string | undefined;
  #refreshAtMs = 0;
  #expiresAtMs = 0;
  #failureCount = 0;
  #pending: Promise<AgentError | undefined> | undefined;
  #breakOff: ((reason: AgentError) => void) | undefined;

  constructor(fetchToken: FetchToken, options: CredentialOptions) {
    this.#fetchToken = fetchToken;
    this.#options = options;
  }

  async token(): Promise<string> {
    const nowMs = this.#options.nowMs();
    if (nowMs >= this.#refreshAtMs) {
      this.#pending ??= this.#refresh();
      // In the last fifth of its life the token stays in use while the next one is fetched.
      if (this.#token === undefined || nowMs >= this.#expiresAtMs) {
        const error = await this.#pending;
        if (error !== undefined) throw error;
      }
    }
    if (this.#token === undefined) {
      const text = 'the token was refused as soon as it was issued';
      throw new AgentError('SHIP_UNAUTHENTICATED', text);
    }
    return this.#token;
  }

  refuse(token: string): void {
    if (token !== this.#token) return; // Replaced while the request was under way.
    this.#token = undefined;
    this.#refreshAtMs = 0;
  }

  stop(reason: AgentError): void {
    this.#breakOff?.(reason);
  }

  /** Never rejects: resolves to what went wrong, if anything. */
  async #refresh(): Promise<AgentError | undefined> {
    try {
      const issued = await new Promise<IssuedToken>((resolve, reject) => {
        this.#breakOff = reject;
        this.#fetchToken().then(resolve, reject);
      });
      if (!sendable.test(issued.token)) {
        const text = 'what the issuer answered as a token is none: no header can carry it';
        throw new AgentError('SHIP_UNAUTHENTICATED', text);
      }
      const nowMs = this.#options.nowMs();
      const lifeMs = issued.lifeMs >= lifeMinMs ? issued.lifeMs : lifeMinMs;
      this.#token = issued.token;
      this.#expiresAtMs = nowMs + lifeMs;
      this.#refreshAtMs = nowMs + lifeMs * refreshShare * (1 - 0.1 * this.#options.random());
      this.#failureCount = 0;
      return undefined;
    } catch (error) {
      assert(error instanceof AgentError, 'a FetchToken rejects with an AgentError');
      this.#failureCount += 1;
      const { limits, nowMs, random } = this.#options;
      // Without a valid token there is nothing to wait with: the gate spaces requests and
      // refreshes.
      const waitMs = backoffMs(this.#failureCount, {
        baseMs: 2 * limits.shipBackoffBaseMs,
        maxMs: limits.shipBackoffMaxMs,
        random,
      });
      this.#refreshAtMs =
        this.#token === undefined ? 0 : Math.min(nowMs() + waitMs, this.#expiresAtMs);
      return error;
    } finally {
      this.#pending = undefined;
    }
  }
}

/** Tokens of the service account of node or workload; a link-local address needs no proxy. */
function tokenFromMetadata(options: CredentialOptions): FetchToken {
  let answeredBefore = false;
  const url = metadataUrl(options.metadataHost, tokenPath);
  return async () => {
    const { shipTokenMs } = options.limits;
    const answer = await getMetadata(url, shipTokenMs).catch((error: unknown) => {
      // A machine where it never answered is most likely not Google's.
      throw new AgentError(
        answeredBefore ? 'METADATA_UNAVAILABLE' : 'CREDENTIALS_MISSING',
        `no --credentials-file is given and the metadata server ${options.metadataHost} does not answer`,
        { cause: error },
      );
    });
    const { status, isGoogle } = answer;
    if (!isGoogle) {
      const text = `what answers at ${options.metadataHost} does not say that it is Google's metadata server`;
      throw new AgentError('METADATA_UNAVAILABLE', text);
    }
    if (status === 404) {
      throw new AgentError(
        'CREDENTIALS_MISSING',
        'the metadata server knows no service account for this machine or workload',
      );
    }
    if (status !== 200) {
      throw new AgentError('METADATA_UNAVAILABLE', `the metadata server answered ${status}`);
    }
    answeredBefore = true;
    return parseToken(answer.text);
  };
}

function parseToken(text: string): IssuedToken {
  let answer: { access_token?: unknown; expires_in?: unknown };
  try {
    answer = JSON.parse(text) as typeof answer;
  } catch {
    // Without its cause: the parser's message quotes the text.
    const problem = 'the metadata server answered something that is no JSON';
    throw new AgentError('METADATA_UNAVAILABLE', problem);
  }
  if (typeof answer?.access_token !== 'string' || answer.access_token === '') {
    throw new AgentError('METADATA_UNAVAILABLE', 'the metadata server answered without a token');
  }
  return { token: answer.access_token, lifeMs: Number(answer.expires_in) * 1_000 };
}
