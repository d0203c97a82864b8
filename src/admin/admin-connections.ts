// Keeps the admin server within a fixed number of connections, and reachable at that number: when
// one more comes, the one that has been silent longest is closed. A client that holds, drips or
// never reads its answer therefore never takes the place of a kubelet's probe, which sends its
// request at once and is answered at once.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export type AdminConnections = {
  /**
   * Notes that a whole request has come. False, and the connection is closed, when the one before
   * it is not answered yet: thousands of pipelined requests would hold the main thread for seconds.
   */
  readonly begin: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Closes those that read their answers least recently, when too much of them is kept. */
  readonly shed: () => void;
};

type Limits = {
  readonly countMax: number;
  /** Of answers that clients have not read. */
  readonly unreadBytesMax: number;
};

/** Watches the connections of `server` from now on. */
export function limitConnections(
  server: Server,
  { countMax, unreadBytesMax }: Limits,
): AdminConnections {
  /** The least recently useful first: a Set keeps the order in which it was added to. */
  const sockets = new Set<Socket>();
  const answering = new WeakSet<Socket>();
  const touch = (socket: Socket): void => {
    if (sockets.delete(socket)) sockets.add(socket);
  };
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    for (const oldest of sockets) {
      if (sockets.size <= countMax) break;
      sockets.delete(oldest);
      oldest.destroy();
    }
  });
  const shed = (): void => {
    let unreadBytes = 0;
    for (const { writableLength } of sockets) unreadBytes += writableLength;
    for (const socket of sockets) {
      if (unreadBytes <= unreadBytesMax) return;
      if (socket.writableLength === 0) continue;
      unreadBytes -= socket.writableLength;
      socket.destroy();
    }
  };
  return {
    shed,
    begin: (request, response) => {
      const { socket } = request;
      if (answering.has(socket)) {
        socket.destroy();
        return false;
      }
      answering.add(socket);
      touch(socket);
      response.once('close', () => answering.delete(socket));
      return true;
    },
  };
}
