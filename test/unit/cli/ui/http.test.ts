import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startUiServer } from '../../../../cli/ui/server.ts';
import { ASSETS, Ui } from './harness.ts';

let ui: Ui;
beforeEach(async () => {
  ui = await Ui.start();
});
afterEach(() => ui.close());

it('serves the page under both of its names', async () => {
  for (const host of [ui.host, `localhost:${ui.server.port}`]) {
    const { status, body } = await ui.request('/', { headers: { host } });
    expect([status, body]).toEqual([200, '<!doctype html><title>Warren</title>']);
  }
});

it('forbids the browser all that the page does not need', async () => {
  const { headers } = await ui.request('/');
  expect(headers['content-security-policy']).toBe(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
      `connect-src 'self' ws://127.0.0.1:${ui.server.port}; font-src 'self'; base-uri 'none'; form-action 'none'; ` +
      "frame-ancestors 'none'",
  );
  expect(headers).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
  });
});

it('lets the browser keep what carries its hash in its name', async () => {
  const { headers } = await ui.request('/assets/index-B1.js');
  expect(headers['cache-control']).toContain('immutable');
  expect(headers['content-type']).toBe('text/javascript; charset=utf-8');
  expect(headers['cross-origin-resource-policy']).toBe('same-origin');
});

it('answers HEAD with the length and no body', async () => {
  const { status, headers, body } = await ui.request('/assets/index-B1.js', { method: 'HEAD' });
  expect([status, headers['content-length'], body]).toEqual([200, '20', '']);
});

it.for(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'])('refuses %s', async (method) => {
  const { status, headers } = await ui.request('/', { method });
  expect([status, headers.allow]).toEqual([405, 'GET, HEAD']);
  expect(headers['access-control-allow-origin']).toBeUndefined();
});

it.for([
  'evil.example',
  'evil.example:PORT',
  '127.0.0.1',
  '127.0.0.1:1',
  'localhost',
  '127.0.0.1.evil.example:PORT',
  '127.1:PORT',
  '[::1]:PORT',
  '0.0.0.0:PORT',
  'LOCALHOST:PORT',
  'localhost.:PORT',
  '127.0.0.1:PORT, evil.example',
])('refuses the host %s: a name of somebody else that points here', async (host) => {
  const { status, body } = await ui.request('/', { headers: { host: host.replace('PORT', String(ui.server.port)) } });
  expect([status, body]).toEqual([403, '403 Forbidden\n']);
  expect(ui.server.counters.host).toBe(1);
});

it.for([
  '/../package.json',
  '/assets/../../package.json',
  '/..%2f..%2fpackage.json',
  '/%2e%2e/%2e%2e/package.json',
  '/assets/..%5c..%5cpackage.json',
  '//etc/passwd',
  '/assets/index-B1.js%00.html',
  '/assets',
  '/assets/',
  '/index.html/',
  '/__proto__',
  'http://evil.example/',
  '*',
])('has nothing at %s', async (path) => {
  const { status, body } = await ui.request(path);
  expect([status, body]).toEqual([404, '404 Not Found\n']);
});

it('listens on 127.0.0.1 alone', async () => {
  const others = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ family, address }) => family === 'IPv4' && address !== '127.0.0.1')
    .map(({ address }) => address);
  for (const address of ['127.0.0.2', ...others]) {
    const taken = createServer();
    // The port is still free at every other address.
    await new Promise<void>((resolve, reject) => {
      taken.once('error', reject);
      taken.listen({ host: address, port: ui.server.port }, resolve);
    });
    await new Promise((resolve) => taken.close(resolve));
  }
});

it('says that a port is taken', async () => {
  const second = startUiServer({ app: ui.app, assets: ASSETS, port: ui.server.port, log: () => {} });
  await expect(second).rejects.toMatchObject({ code: 'port-taken' });
});
