// One question to Google's metadata server: plain http to a link-local address, never through a
// proxy.
//
// Invariant: it settles within `deadlineMs`, whatever the network does.

import { getBuiltinModule } from 'node:process';
import { limits } from './config.ts';
import { configError } from './errors.ts';

export type MetadataAnswer = {
  readonly status: number;
  readonly text: string;
  /** It says that it is Google's: in a private network anything may answer at this address. */
  readonly isGoogle: boolean;
};

/**
 * The URL of a path below `/computeMetadata/v1/`; `host` may have a port.
 * @throws AgentError CONFIG_INVALID when the host is none.
 */
export function metadataUrl(host: string, path: string): URL {
  const url = URL.parse(`http://${host}/computeMetadata/v1/${path}`);
  if (url !== null) return url;
  throw configError(`${host} is no host of a metadata server`);
}

/** Rejects with the system's error, or at the deadline. */
export function getMetadata(url: URL, deadlineMs: number): Promise<MetadataAnswer> {
  // An import would load all exports of node:http, with its WebSocket 16 MB.
  const http = getBuiltinModule('node:http');
  return new Promise((resolve, reject) => {
    const headers = { 'Metadata-Flavor': 'Google' };
    const request = http.request(url, { agent: false, headers }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= limits.metadataBytesMax) chunks.push(chunk);
        else request.destroy(new Error('the answer is too long'));
      });
      response.on('end', () => {
        clearTimeout(timer);
        resolve({
          status: response.statusCode ?? 0,
          text: Buffer.concat(chunks).toString('utf8'),
          isGoogle: response.headers['metadata-flavor'] === 'Google',
        });
      });
      response.on('error', reject);
    });
    const timer = setTimeout(
      () => request.destroy(new Error(`no answer within ${deadlineMs / 1_000} s`)),
      deadlineMs,
    );
    request.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    request.end();
  });
}
