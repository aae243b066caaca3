/** A CONNECT proxy of a few lines that keeps what it was asked for. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';

export interface ConnectProxy {
  url: string;
  /** `host:port` of every CONNECT, and its credentials. */
  asked: { target: string; credentials: string | undefined }[];
  close(): Promise<void>;
}

/** With a `status` it refuses everything by it; with `tls` it is spoken to in TLS. */
export async function startConnectProxy(
  options: { status?: string; tls?: { cert: string; key: string } } = {},
): Promise<ConnectProxy> {
  const { status, tls } = options;
  const asked: ConnectProxy['asked'] = [];
  const open = new Set<Socket>();
  const server: Server = tls === undefined ? createServer() : createTlsServer(tls);
  server.on('connect', (request, client, head) => {
    asked.push({ target: request.url ?? '', credentials: request.headers['proxy-authorization'] });
    if (status !== undefined) {
      client.end(`HTTP/1.1 ${status}\r\nContent-Length: 4\r\n\r\nnope`);
      return;
    }
    const { hostname, port } = new URL(`http://${request.url}`);
    const upstream = connect(Number(port), hostname.replace(/^\[|\]$/g, ''), () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.write(head);
      upstream.pipe(client).pipe(upstream);
    });
    for (const socket of [upstream, client as Socket]) {
      open.add(socket);
      socket.on('error', () => socket.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      server.closeAllConnections();
    },
  };
}
