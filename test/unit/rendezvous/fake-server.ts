/** A WebSocket server that says whatever a test makes it say. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

export interface FakeServer {
  url: string;
  sockets: WebSocket[];
  close(): Promise<void>;
}

export async function startFakeServer(onSocket: (socket: WebSocket) => void, autoPong = true): Promise<FakeServer> {
  const sockets: WebSocket[] = [];
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, autoPong });
  server.on('connection', (socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    onSocket(socket);
  });
  await once(server, 'listening');
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sockets,
    async close() {
      for (const socket of sockets) socket.terminate();
      server.close();
    },
  };
}

/** A plain web server with one answer to everything, upgrades included. */
export async function startWebServer(
  answer: (request: IncomingMessage) => { status: number; body: string },
): Promise<{ url: string; close(): Promise<void> }> {
  const server: Server = createServer((request, response) => {
    const { status, body } = answer(request);
    response.writeHead(status, { Connection: 'close' }).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

export const WELCOME = {
  t: 'welcome',
  version: 1,
  member: '01'.repeat(8),
  observed: { ip: '127.0.0.1', port: 1 },
  members: [],
  stun: [],
  limits: { frameBytes: 16_384, relayPayloadBytes: 1_600, signalsPerSecond: 50, relayBytesPerSecond: 4_000_000 },
  resume: '02'.repeat(16),
};
