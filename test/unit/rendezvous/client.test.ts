import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { createRendezvous, endpointUrl, type RendezvousOptions } from '../../../engine/net/rendezvous/client.ts';
import type { RendezvousConnection } from '../../../engine/ports.ts';
import { FRAME_RELAY, FRAME_SIGNAL } from '../../../protocol/server.ts';
import { TOPIC, urlOf } from '../server/client.ts';
import { running } from '../server/running.ts';
import { until } from '../server/until.ts';
import { Recorder } from './recorder.ts';

const connections: RendezvousConnection[] = [];
afterEach(() => {
  for (const connection of connections.splice(0)) connection.close();
});

interface Dialled {
  connection: RendezvousConnection;
  heard: Recorder;
}

function dial(url: string, options: RendezvousOptions = {}): Dialled & { port: ReturnType<typeof createRendezvous> } {
  const heard = new Recorder();
  const port = createRendezvous({ env: {}, ...options });
  const connection = port.connect(url, heard);
  connections.push(connection);
  return { connection, heard, port };
}

async function joined(url: string, options: RendezvousOptions = {}): Promise<Dialled & { id: string }> {
  const { connection, heard } = dial(url, options);
  await until(() => heard.remoteIp !== undefined);
  connection.send({ t: 'hello', versions: [1], topic: TOPIC, session: randomBytes(16).toString('hex') });
  await until(() => heard.welcome !== undefined);
  return { connection, heard, id: heard.welcome?.member ?? '' };
}

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
