/** A TCP port that only this host's programs reach, and that leads to a friend's. */
import { connect, createServer, type Socket } from 'node:net';
import type { Endpoint, Forwarder } from '../../ports.ts';

/** A game opens one for its list and one to play; a few tries more. */
const MOST_CONNECTIONS = 16;
/** The friend's host answers within this, over a relay too. */
const CONNECT_MS = 10_000;

/** Null when the system gives no port. */
export function openForwarder(to: Endpoint): Promise<Forwarder | null> {
  const open = new Set<Socket>();
  const server = createServer((game) => {
    // It listens on every address, since the game goes where the announcement came from; strangers come from another.
    if (!isOwn(game) || open.size >= MOST_CONNECTIONS) return game.destroy();
    open.add(game);
    game.once('close', () => open.delete(game));
    join(game, to);
  });
  return new Promise((resolve) => {
    server.once('error', () => resolve(null));
    server.listen({ port: 0, host: '0.0.0.0', exclusive: true }, () => {
      server.unref();
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      const close = () => {
        if (server.listening) server.close();
      };
      const end = () => {
        close();
        for (const game of open) game.destroy();
      };
      resolve({ port, close, end });
    });
  });
}

/** A connection of a host to itself has one address at both ends. */
function isOwn(socket: Socket): boolean {
  return socket.remoteAddress !== undefined && socket.remoteAddress === socket.localAddress;
}

/** Each end goes with the other. Games' packets do not wait to be joined. */
function join(game: Socket, to: Endpoint): void {
  const friend = connect({ host: to.ip, port: to.port, noDelay: true });
  game.setNoDelay(true);
  const tooLong = setTimeout(() => friend.destroy(), CONNECT_MS);
  friend.once('connect', () => clearTimeout(tooLong));
  for (const [one, other] of [
    [game, friend],
    [friend, game],
  ] as const) {
    one.pipe(other);
    one.on('error', () => other.destroy());
    one.once('close', () => {
      clearTimeout(tooLong);
      other.destroy();
    });
  }
}
