// A process that holds the admin port: `KIND COUNT PORT`. It says `open` when it has connected
// COUNT times, and opens again what the server closes.

import { connect } from 'node:net';

const [kind = 'all', count = '40', port = '0'] = process.argv.slice(2);
const status = 'GET /api/status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';
const dripMs = 100;
/**
 * More than this many connections a second, all in all, would measure the kernel, not the agent.
 */
const opensPerSecond = 2_000;
const againMs = Math.max(100, (Number(count) / opensPerSecond) * 1_000);

const attacks: Readonly<Record<string, (socket: ReturnType<typeof connect>) => void>> = {
  hold: () => undefined,
  drip: (socket) => {
    socket.write('GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ');
    const timer = setInterval(() => socket.write('x'), dripMs);
    socket.once('close', () => clearInterval(timer));
  },
  idle: (socket) => {
    socket.resume().write(status);
  },
  deaf: (socket) => {
    socket.pause().write(status);
  },
  pipeline: (socket) => {
    socket.resume().write(status.repeat(100));
  },
};
const kinds = kind === 'all' ? Object.keys(attacks) : [kind];

let opened = 0;
function open(index: number): void {
  const socket = connect(Number(port), '127.0.0.1');
  socket.once('connect', () => {
    attacks[kinds[index % kinds.length] ?? 'hold']?.(socket);
    opened += 1;
    if (opened === Number(count)) process.send?.('open');
  });
  socket.on('error', () => undefined);
  socket.once('close', () => setTimeout(() => open(index), againMs));
}

for (let index = 0; index < Number(count); index += 1) open(index);
