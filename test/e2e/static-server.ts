/** Serves the built renderer on 127.0.0.1 under the same policy as the app, which allows nothing inline and nothing from elsewhere. */
import { createServer } from 'node:http';
import { readdir, readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';

export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'none'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
};

export interface StaticServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves the files as they are now, whoever builds them anew meanwhile. */
export async function serveStatic(directory: string): Promise<StaticServer> {
  const files = new Map<string, { body: Buffer; type: string }>();
  for (const name of await readdir(directory, { recursive: true })) {
    const type = TYPES[extname(name)];
    if (type !== undefined) files.set(`/${name}`, { body: await readFile(join(directory, name)), type });
  }
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://127.0.0.1');
    const file = files.get(pathname === '/' ? '/index.html' : pathname);
    if (file === undefined) response.writeHead(404).end();
    else {
      const headers = { 'content-type': file.type, 'content-security-policy': CONTENT_SECURITY_POLICY };
      response.writeHead(200, headers).end(file.body);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
