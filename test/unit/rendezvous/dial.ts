/** The real client against the real server, or against a test's own, ended after the test. */
import { randomBytes } from 'node:crypto';
import { afterEach } from 'vitest';
import { createRendezvous, type RendezvousOptions } from '../../../engine/net/rendezvous/client.ts';
import type { RendezvousConnection } from '../../../engine/ports.ts';
import { TOPIC } from '../server/client.ts';
import { until } from '../server/until.ts';
import { Recorder } from './recorder.ts';

const connections: RendezvousConnection[] = [];
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const connection of connections.splice(0)) connection.close();
  await Promise.all(closers.splice(0).map((close) => close()));
});

/** Closed after the test. */
export function closing<T extends { close(): Promise<void> }>(thing: T): T {
  closers.push(() => thing.close());
  return thing;
}

export interface Dialled {
  connection: RendezvousConnection;
  heard: Recorder;
}

export function dial(
  url: string,
  options: RendezvousOptions = {},
): Dialled & { port: ReturnType<typeof createRendezvous> } {
  const heard = new Recorder();
  const port = createRendezvous({ env: {}, ...options });
  const connection = port.connect(url, heard);
  connections.push(connection);
  return { connection, heard, port };
}

export async function joined(url: string, options: RendezvousOptions = {}): Promise<Dialled & { id: string }> {
  const { connection, heard } = dial(url, options);
  await until(() => heard.remoteIp !== undefined);
  connection.send({ t: 'hello', versions: [1], topic: TOPIC, session: randomBytes(16).toString('hex') });
  await until(() => heard.welcome !== undefined);
  return { connection, heard, id: heard.welcome?.member ?? '' };
}
