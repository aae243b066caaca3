import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { decodeAnnouncement, encodeAnnouncement } from '../../../engine/discovery/minecraft.ts';
import { openForwarder } from '../../../engine/net/lan/forwarder.ts';
import type { Forwarder } from '../../../engine/ports.ts';

const servers: Server[] = [];
const forwarders: Forwarder[] = [];
afterEach(() => {
  for (const forwarder of forwarders.splice(0)) forwarder.end();
  for (const server of servers.splice(0)) server.close();
});

/** A game that says back what it hears, and a forwarder to it. */
async function forwarded(): Promise<Forwarder> {
  const server = createServer((socket) => socket.pipe(socket));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const forwarder = await openForwarder({ ip: '127.0.0.1', port: (server.address() as AddressInfo).port });
  if (forwarder === null) throw new Error('no port');
  forwarders.push(forwarder);
  return forwarder;
}

/** The first answer, or `ended` where there is none. */
function ask(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write(text));
    socket.on('data', (bytes) => {
      resolve(bytes.toString());
      if (text !== 'stay') socket.destroy();
    });
    socket.on('error', () => resolve('ended'));
    socket.on('close', () => resolve('ended'));
  });
}

it('leads there and back', async () => {
  const { port } = await forwarded();
  expect(await ask(port, 'play')).toBe('play');
});

it('takes 16 connections at a time and no more', async () => {
  const { port } = await forwarded();
  for (let i = 0; i < 16; i++) expect(await ask(port, 'stay')).toBe('stay');
  expect(await ask(port, 'one more')).toBe('ended');
});

it('takes no more once it is closed', async () => {
  const forwarder = await forwarded();
  forwarder.close();
  forwarder.close();
  expect(await ask(forwarder.port, 'play')).toBe('ended');
});

it('reads what Minecraft says, and says it with another port', () => {
  const said = decodeAnnouncement(Buffer.from('[MOTD]ann - a [world][/MOTD][AD]51234[/AD]'));
  expect(said).toEqual({ title: 'ann - a [world]', port: 51_234 });
  expect(Buffer.from(encodeAnnouncement({ ...said!, port: 7 })).toString()).toBe(
    '[MOTD]ann - a [world][/MOTD][AD]7[/AD]',
  );
  for (const bad of [
    '',
    '[MOTD]a[/MOTD]',
    '[MOTD]a[/MOTD][AD]0[/AD]',
    '[MOTD]a[/MOTD][AD]70000[/AD]',
    'x[MOTD]a[/MOTD][AD]1[/AD]',
  ]) {
    expect(decodeAnnouncement(Buffer.from(bad))).toBeNull();
  }
});
