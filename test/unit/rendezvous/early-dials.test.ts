import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { UpOptions } from '../../../engine/contract.ts';
import { type NativePort, startEngine } from '../../../engine/net/host.ts';
import { EarlyDials } from '../../../engine/net/rendezvous/early-dials.ts';
import { running } from '../server/running.ts';
import { until } from '../server/until.ts';
import { closing, joined } from './dial.ts';

const CERT_FILE = fileURLToPath(new URL('../server/tls/cert.pem', import.meta.url));
const TLS = {
  cert: readFileSync(CERT_FILE, 'utf8'),
  key: readFileSync(new URL('../server/tls/key.pem', import.meta.url), 'utf8'),
};

/** Passes TCP on to a server and keeps the connections that came. */
async function forwarder(port: number) {
  const accepted: Socket[] = [];
  const server = createServer((socket) => {
    accepted.push(socket);
    const beyond = connect(port, '127.0.0.1');
    for (const end of [socket, beyond]) end.on('error', () => undefined);
    socket.pipe(beyond).pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing({
    async close() {
      for (const socket of accepted) socket.destroy();
      server.close();
    },
  });
  return { accepted, port: (server.address() as AddressInfo).port };
}

test.each(['ws', 'wss'] as const)(
  'a connection opened ahead carries the first %s connection, and no second',
  async (scheme) => {
    const server = await running(scheme === 'wss' ? { tls: TLS } : {});
    const way = await forwarder(server.port);
    const url = `${scheme}://127.0.0.1:${way.port}`;
    const early = new EarlyDials([url, url], {});
    await until(() => way.accepted.length > 0);
    const options = { early, ...(scheme === 'wss' && { caFile: CERT_FILE }) };
    const { heard } = await joined(url, options);
    expect([way.accepted.length, heard.remoteIp]).toEqual([1, '127.0.0.1']);
    await joined(url, options);
    expect(way.accepted.length).toBe(2);
    early.close();
  },
);

test('one that has gone is not used', async () => {
  const server = await running();
  const way = await forwarder(server.port);
  const url = `ws://127.0.0.1:${way.port}`;
  const early = new EarlyDials([url], {});
  await until(() => way.accepted.length > 0);
  way.accepted[0]?.resetAndDestroy();
  await until(() => early.size === 0);
  await joined(url, { early });
  expect(way.accepted.length).toBe(2);
});

test('what nobody took is closed', async () => {
  const way = await forwarder((await running()).port);
  const early = new EarlyDials([`ws://127.0.0.1:${way.port}`], {});
  await until(() => way.accepted.length > 0);
  early.close();
  early.close();
  await until(() => way.accepted[0]?.readableEnded === true);
  expect(early.take(new URL(`ws://127.0.0.1:${way.port}`))).toBeNull();
});

test('what is no server, or behind a proxy, is not dialled', () => {
  const early = new EarlyDials(['http://127.0.0.1:1', 'nonsense', 'ws://127.0.0.1:1'], {
    HTTP_PROXY: 'http://127.0.0.1:2',
  });
  expect(early.size).toBe(0);
  early.close();
});

test('an engine dials while its interface opens, and leaves no connection behind when that fails', async () => {
  for (const name of ['http_proxy', 'HTTP_PROXY']) vi.stubEnv(name, '');
  const stateDir = mkdtempSync(join(tmpdir(), 'warren-start-'));
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(stateDir, { recursive: true, force: true });
  });
  const way = await forwarder((await running()).port);
  const native: NativePort = {
    Device: vi.fn<NativePort['Device']>(),
    async openTun() {
      await until(() => way.accepted.length === 1);
      throw Object.assign(new Error('not here'), { code: 'no-rights' });
    },
  };
  const options: UpOptions = {
    room: 'Den',
    password: 'secret',
    nick: 'ann',
    servers: [`ws://127.0.0.1:${way.port}`],
    create: true,
    stateDir,
    interfaceName: null,
    ipv4: null,
    tun: true,
    udpPort: 0,
    stun: [],
    portMapping: false,
    hardNat: true,
    discovery: true,
    relayOnly: false,
    caFile: null,
    log: () => undefined,
  };
  await expect(startEngine(options, native)).rejects.toMatchObject({ code: 'no-rights' });
  await until(() => way.accepted[0]?.readableEnded === true);
});
