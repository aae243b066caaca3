import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { askGateway } from '../../../engine/net/mapping/http.ts';

const HERE = { gateway: '127.0.0.1', local: '127.0.0.1' };
let server: Server | null = null;

afterEach(close);

async function close(): Promise<void> {
  const closing = server;
  server = null;
  if (closing === null) return;
  closing.closeAllConnections();
  await new Promise((resolve) => {
    closing.close(resolve);
  });
}

async function listen(handler: RequestListener): Promise<number> {
  const listening = createServer(handler);
  server = listening;
  await new Promise<void>((resolve) => {
    listening.listen(0, '127.0.0.1', resolve);
  });
  return (listening.address() as AddressInfo).port;
}

async function ask(handler: RequestListener, signal = new AbortController().signal) {
  const port = await listen(handler);
  return await askGateway(HERE, { id: 1, method: 'GET', port, path: '/x' }, signal);
}

describe('a question to the gateway', () => {
  it('brings status and document', async () => {
    expect(await ask((_, response) => response.writeHead(500).end('<a><b>1</b></a>'))).toEqual({
      kind: 'answer',
      status: 500,
      xml: { name: 'a', text: '', children: [{ name: 'b', text: '1', children: [] }] },
    });
  });

  it('carries SOAP as UPnP wants it', async () => {
    const seen: { headers: IncomingMessage['headers']; body: string }[] = [];
    const port = await listen((request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += String(chunk)));
      request.on('end', () => {
        seen.push({ headers: request.headers, body });
        response.end('<a/>');
      });
    });
    const soap = { action: '"urn:x#Do"', body: '<ä/>' };
    await askGateway(HERE, { id: 1, method: 'POST', port, path: '/ctl', soap }, new AbortController().signal);
    expect(seen[0]?.body).toBe('<ä/>');
    expect(seen[0]?.headers).toMatchObject({
      host: `127.0.0.1:${port}`,
      soapaction: '"urn:x#Do"',
      'content-type': 'text/xml; charset="utf-8"',
      'content-length': '5',
      connection: 'close',
    });
  });

  it('is not led elsewhere', async () => {
    let asked = 0;
    const redirect: RequestListener = (_, response) => {
      asked += 1;
      response.writeHead(302, { Location: 'http://127.0.0.1:1/' }).end();
    };
    expect(await ask(redirect)).toEqual({ kind: 'answer', status: 302, xml: null });
    expect(asked).toBe(1);
  });

  const endless = (response: ServerResponse, chunk: string) => {
    const write = (): void => {
      while (!response.destroyed && response.write(chunk));
      if (!response.destroyed) response.once('drain', write);
    };
    write();
  };

  it.for([
    ['a chunked body without end', (_, response) => endless(response, '<a>'.repeat(1_000))],
    ['a megabyte', (_, response) => response.end('x'.repeat(1_048_576))],
    [
      'a body shorter than announced',
      (_, response) => {
        response.writeHead(200, { 'Content-Length': '100' });
        response.write('<a/>');
        response.destroy();
      },
    ],
    ['a header of 20 KiB', (_, response) => response.writeHead(200, { 'X-Long': 'x'.repeat(20_000) }).end('<a/>')],
    ['a connection that closes', (request) => request.socket.destroy()],
    ['something that is not HTTP', (request) => request.socket.end('hello\r\n\r\n')],
  ] as const satisfies readonly (readonly [string, RequestListener])[])('fails on %s', async ([, handler]) => {
    expect(await ask(handler)).toEqual({ kind: 'failed' });
  });

  it('fails when it is called off', async () => {
    const aborted = new AbortController();
    expect(await ask(() => aborted.abort(), aborted.signal)).toEqual({ kind: 'failed' });
  });

  it('fails when nobody listens', async () => {
    const port = await listen(() => {});
    await close();
    const asked = { id: 1, method: 'GET', port, path: '/' } as const;
    expect(await askGateway(HERE, asked, new AbortController().signal)).toEqual({ kind: 'failed' });
  });

  it('fails on a trickle that never ends', { timeout: 20_000 }, async () => {
    let timer: NodeJS.Timeout | undefined;
    const result = await ask((_, response) => {
      timer = setInterval(() => response.write(' '), 50);
    });
    clearInterval(timer);
    expect(result).toEqual({ kind: 'failed' });
  });
});
