// What an issuer of tokens gives.

/** A token and how long it lives from now. */
export type IssuedToken = { readonly token: string; readonly lifeMs: number };

/** Requests a token; rejects with an AgentError. */
export type FetchToken = () => Promise<IssuedToken>;

/** The least scope that may write entries. */
export const loggingScope = 'https://www.googleapis.com/auth/logging.write';

/** The least life, so that an issuer that says 0 does not get a request for each of ours. */
export const lifeMinMs = 1_000;
