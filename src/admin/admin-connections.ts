// Limits the connections of the admin server and keeps it reachable at the limit: when another one
// comes, the one that has been silent longest is closed. So a client that holds a connection, drips
// bytes or never reads its answer cannot keep out a kubelet's probe.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

type Limits = {
  readonly countMax: number;
  /** Bytes of answers that clients have not read. */
  readonly unreadBytesMax: number;
};

export function limitConnections(server: Server, { countMax, unreadBytesMax }: Limits) {
  /** The longest silent first: a Set keeps insertion order. */
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
    /** Closes the longest silent connections while too much of their answers is unread. */
    shed,
    /**
     * Notes a request. Closes the connection and returns false when the previous request is not
     * answered yet: thousands of pipelined requests would block the main thread for seconds.
     */
    begin: (request: IncomingMessage, response: ServerResponse): boolean => {
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
