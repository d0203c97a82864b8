// A port for a server that another process opens later.
//
// Invariant: it lies below the range from which the kernel gives ports when any will do, so
// that no other test's server or connection takes it in between.

import { once } from 'node:events';
import { createServer } from 'node:net';

const portMin = 12_000;
const portMax = 32_000;

export async function freePort(): Promise<number> {
  for (;;) {
    const port = portMin + Math.floor(Math.random() * (portMax - portMin));
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}
