// A port for a server that another process opens later.
//
// Invariant: it lies below the range from which the kernel gives ports when any will do, so
// that no other test's server or connection takes it in between; each of the processes that run
// tests chooses among its own ports, and none of them twice.

import { once } from 'node:events';
import { createServer } from 'node:net';

const portMin = 12_000;
const portMax = 32_000;
/** More than there are processes that run tests. */
const shares = 16;
const share = Number(process.env['VITEST_POOL_ID'] ?? 0) % shares;
const given = new Set<number>();

export async function freePort(): Promise<number> {
  for (;;) {
    const index = Math.floor((Math.random() * (portMax - portMin)) / shares);
    const port = portMin + index * shares + share;
    if (given.has(port)) continue;
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    given.add(port);
    return port;
  }
}
