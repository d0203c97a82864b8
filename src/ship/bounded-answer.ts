// Limits what google-auth-library reads of a token issuer's answer. The library's own limit
// (`maxContentLength`) trusts the declared length: of an endless answer it read 120 MB a second
// into memory.

import type { gaxios } from 'google-auth-library';

type Adapter = NonNullable<gaxios.GaxiosOptions['adapter']>;

/** An adapter of gaxios: an answer over `bytesMax` is an error, and its connection is closed. */
export function boundedAnswer(bytesMax: number): Adapter {
  return async (options, send) => {
    const response = await send({ ...options, responseType: 'stream' });
    const text = await readText(response.data as AsyncIterable<Uint8Array>, bytesMax);
    return Object.assign(response, { data: parse(text) });
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
function parse(text: string): object {
  try {
    const answer: unknown = JSON.parse(text);
    if (typeof answer === 'object' && answer !== null) return answer;
  } catch {
    // The parser's message quotes the text, which may hold a token.
  }
  return {};
}
