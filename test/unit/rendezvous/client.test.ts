import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { createRendezvous, endpointUrl } from '../../../engine/net/rendezvous/client.ts';
import { FRAME_RELAY, FRAME_SIGNAL } from '../../../protocol/server.ts';
import { TOPIC, urlOf } from '../server/client.ts';
import { running } from '../server/running.ts';
import { until } from '../server/until.ts';
import { startConnectProxy } from './connect-proxy.ts';
import { closing, dial, joined } from './dial.ts';
import { startFakeServer } from './fake-server.ts';
import { Recorder } from './recorder.ts';

const hello = { t: 'hello' as const, versions: [1], topic: TOPIC, session: '11'.repeat(16) };
const CERT_FILE = fileURLToPath(new URL('../server/tls/cert.pem', import.meta.url));
const TLS = {
  cert: readFileSync(CERT_FILE, 'utf8'),
  key: readFileSync(new URL('../server/tls/key.pem', import.meta.url), 'utf8'),
};

describe('a connection', () => {
  test('opens, says hello, is welcomed, and passes signals and relay frames', async () => {
    const url = urlOf(await running());
    const a = await joined(url);
    const b = await joined(url);
    expect(a.heard.remoteIp).toBe('127.0.0.1');
    await until(() => a.heard.messages.some(({ t }) => t === 'joined'));
    b.connection.send({ t: 'allow', member: a.id });
    expect(b.connection.frame({ type: FRAME_SIGNAL, member: a.id, payload: Buffer.from('hello') })).toBe(true);
    await until(() => a.heard.frames.length === 1);
    expect(a.connection.frame({ type: FRAME_RELAY, member: b.id, payload: Buffer.from('data') })).toBe(true);
    await until(() => b.heard.frames.length === 1);
    expect(a.heard.frames[0]).toMatchObject({ type: FRAME_SIGNAL, member: b.id });
    expect(b.heard.frames[0]).toMatchObject({ type: FRAME_RELAY, member: a.id });
  });

  test('closed by its owner leaves the room and never calls back', async () => {
    const server = await running();
    const { connection, heard } = await joined(urlOf(server));
    connection.close();
    connection.close();
    await until(() => server.connections === 0);
    expect(heard.causes).toEqual([]);
  });

  test('to a port where nobody listens ends as unreachable, once', async () => {
    const server = await running();
    const url = urlOf(server);
    await server.close();
    const { heard } = dial(url);
    await until(() => heard.causes.length > 0);
    expect(heard.causes).toMatchObject([{ code: 'unreachable' }]);
  });
});

describe('a hello given with the connection', () => {
  test('is the first message to a server that does not know the header', async () => {
    const said: string[] = [];
    const server = closing(
      await startFakeServer((socket) => {
        socket.on('message', (data) => said.push((data as Buffer).toString()));
      }),
    );
    const connection = createRendezvous({ env: {} }).connect(server.url, new Recorder(), hello);
    await until(() => said.length > 0);
    connection.close();
    expect(said.map((text) => JSON.parse(text))).toEqual([hello]);
  });
});

describe('a server that refuses', () => {
  test('in HTTP is heard with its code', async () => {
    const server = await running({ limits: { connectionsPerSource: 1 } });
    await joined(urlOf(server));
    const { heard } = dial(urlOf(server));
    await until(() => heard.causes.length > 0);
    expect(heard.messages).toEqual([{ t: 'error', code: 'too-many-connections', retryAfterMs: 5_000 }]);
    expect(heard.causes).toEqual([{ code: 'refused', error: 'too-many-connections' }]);
    expect(heard.remoteIp).toBeUndefined();
  });

  test('after the hello is heard with its code', async () => {
    const server = await running({ limits: { membersPerRoom: 1 } });
    await joined(urlOf(server));
    const { connection, heard } = dial(urlOf(server));
    await until(() => heard.remoteIp !== undefined);
    connection.send(hello);
    await until(() => heard.causes.length > 0);
    expect(heard.messages).toEqual([{ t: 'error', code: 'room-full' }]);
    expect(heard.causes).toEqual([{ code: 'refused', error: 'room-full' }]);
  });

  test('by draining is heard in both steps', async () => {
    const server = await running({ drainMs: 0 });
    const { heard } = await joined(urlOf(server));
    await server.close();
    await until(() => heard.causes.length > 0);
    expect(heard.messages.slice(-2)).toMatchObject([{ t: 'going-away' }, { t: 'error', code: 'draining' }]);
    expect(heard.causes).toEqual([{ code: 'refused', error: 'draining' }]);
  });

  test('rate-limited alone ends nothing', async () => {
    const server = await running({ limits: { signalsPerSecond: 1 } });
    const { connection, heard, id } = await joined(urlOf(server));
    for (let n = 0; n < 3; n++) connection.frame({ type: FRAME_SIGNAL, member: id, payload: new Uint8Array(1) });
    await until(() => heard.messages.some(({ t }) => t === 'error'));
    expect(connection.frame({ type: FRAME_SIGNAL, member: id, payload: new Uint8Array(1) })).toBe(true);
    expect(heard.causes).toEqual([]);
  });
});

describe('wss', () => {
  test('works with the CA file of the server', async () => {
    const server = await running({ tls: TLS });
    const { heard } = await joined(urlOf(server, 'wss'), { caFile: CERT_FILE });
    expect(heard.remoteIp).toBe('127.0.0.1');
  });

  test('without it, or for another name, ends as tls', async () => {
    const server = await running({ tls: TLS, host: '127.0.0.2' });
    const [unknown, misnamed] = [dial(urlOf(server, 'wss')), dial(urlOf(server, 'wss'), { caFile: CERT_FILE })];
    await until(() => unknown.heard.causes.length + misnamed.heard.causes.length === 2);
    expect([unknown.heard.causes[0]?.code, misnamed.heard.causes[0]?.code]).toEqual(['tls', 'tls']);
  });

  test('a CA file that is not there is usage', () => {
    expect(() => createRendezvous({ caFile: '/nowhere/ca.pem' })).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  test('to a server without TLS, which hangs up, ends as unreachable', async () => {
    const server = await running();
    const { heard } = dial(urlOf(server, 'wss'));
    await until(() => heard.causes.length > 0);
    expect(heard.causes).toMatchObject([{ code: 'unreachable' }]);
  });
});

describe('through a proxy', () => {
  test('ws and wss go by CONNECT, and the remote address is not known', async () => {
    const proxy = closing(await startConnectProxy());
    const withUser = proxy.url.replace('//', '//user:secret@');
    const [plain, secure] = [await running(), await running({ tls: TLS })];
    const a = await joined(urlOf(plain), { env: { HTTP_PROXY: withUser } });
    const b = await joined(urlOf(secure, 'wss'), { env: { HTTPS_PROXY: proxy.url }, caFile: CERT_FILE });
    expect([a.heard.remoteIp, b.heard.remoteIp]).toEqual([null, null]);
    expect(proxy.asked).toEqual([
      { target: `127.0.0.1:${plain.port}`, credentials: `Basic ${btoa('user:secret')}` },
      { target: `127.0.0.1:${secure.port}`, credentials: undefined },
    ]);
  });

  test('that is spoken to in TLS, wss goes in TLS inside TLS', async () => {
    const proxy = closing(await startConnectProxy({ tls: TLS }));
    const server = await running({ tls: TLS });
    await joined(urlOf(server, 'wss'), { env: { HTTPS_PROXY: proxy.url }, caFile: CERT_FILE });
    expect(proxy.asked).toHaveLength(1);
  });

  test('NO_PROXY keeps it direct', async () => {
    const env = { HTTP_PROXY: 'http://127.0.0.1:1', NO_PROXY: '127.0.0.0/8' };
    const { heard } = await joined(urlOf(await running()), { env });
    expect(heard.remoteIp).toBe('127.0.0.1');
  });

  test('that refuses ends as refused, that is not there as unreachable', async () => {
    const server = await running();
    const proxy = closing(await startConnectProxy({ status: '407 Proxy Authentication Required' }));
    const refused = dial(urlOf(server), { env: { HTTP_PROXY: proxy.url } });
    const absent = dial(urlOf(server), { env: { HTTP_PROXY: 'http://127.0.0.1:1' } });
    await until(() => refused.heard.causes.length + absent.heard.causes.length === 2);
    expect(refused.heard.causes).toEqual([{ code: 'refused', error: 'HTTP 407' }]);
    expect(absent.heard.causes).toMatchObject([{ code: 'unreachable' }]);
  });
});

test('a URL that is none ends as refused, after the call has returned', async () => {
  const { heard } = dial('mailto:someone');
  expect(heard.causes).toEqual([]);
  await until(() => heard.causes.length > 0);
  expect(heard.causes).toEqual([{ code: 'refused', error: 'not a server URL' }]);
});

test.each([
  ['ws://host:1', 'ws://host:1/v1'],
  ['https://host', 'wss://host/v1'],
  ['http://[::1]:80/', 'ws://[::1]/v1'],
  ['wss://host/warren/v1/', 'wss://host/warren/v1'],
  ['wss://host/warren', 'wss://host/warren/v1'],
  ['ftp://host', undefined],
  ['not a url', undefined],
])('%s is the endpoint %s', (given, endpoint) => {
  expect(endpointUrl(given)?.href).toBe(endpoint);
});
