// What an issuer of tokens gives. Shared by the cache (credentials.ts) and the issuers.

/** A token and how long it lives from now. */
export type IssuedToken = { readonly token: string; readonly lifeMs: number };

/** Asks the issuer; rejects with an AgentError. */
export type FetchToken = () => Promise<IssuedToken>;

/** The least scope that may write entries. */
export const loggingScope = 'https://www.googleapis.com/auth/logging.write';

/**
 * Shorter lives are taken as this long, so that an issuer that says 0 is not asked for every
 * request.
 */
export const lifeMinMs = 1_000;
