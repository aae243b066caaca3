import { expect, it } from 'vitest';
import type { RendezvousHandlers } from '../../../engine/ports.ts';
import { Servers } from '../../../engine/servers.ts';
import type { Welcome } from '../../../protocol/server.ts';

function stunAfter(stun: Welcome['stun'], remoteIp: string | null) {
  const dialled: RendezvousHandlers[] = [];
  const connect = (_url: string, handlers: RendezvousHandlers) => {
    dialled.push(handlers);
    return { send: () => {}, frame: () => true, check: () => {}, close: () => {} };
  };
  const ignore = () => {};
  const servers = new Servers(
    { connect },
    { open: ignore, message: ignore, signal: ignore, relayed: ignore, closed: ignore },
  );
  servers.connect(0, 'ws://rendezvous.example:7868');
  dialled[0]?.open(remoteIp);
  dialled[0]?.message({
    t: 'welcome',
    version: 1,
    member: '00'.repeat(8),
    observed: { ip: '203.0.113.1', port: 1 },
    members: [],
    stun,
    limits: { frameBytes: 1, relayPayloadBytes: 1, signalsPerSecond: 1, relayBytesPerSecond: 1 },
    resume: '00'.repeat(16),
  });
  return servers.stunServers();
}

it('learns the STUN endpoints that a server announces, and nothing that is no address', () => {
  const second = { port: 3479, role: 'second-port' } as const;
  expect(
    stunAfter([{ port: 3478, role: 'primary' }, second, { ip: 'rm -rf', port: 1, role: 'alternate' }], '198.51.100.7'),
  ).toEqual([
    { primary: { ip: '198.51.100.7', port: 3478 }, secondPort: { ip: '198.51.100.7', port: 3479 }, alternate: null },
  ]);
  expect(stunAfter([{ ip: '\u001b[2J', port: 3478, role: 'primary' }], '198.51.100.7')).toEqual([]);
  expect(stunAfter([{ ip: '255.255.255.255', port: 3478, role: 'primary' }], null)).toEqual([]);
  expect(stunAfter([{ port: 3478, role: 'primary' }], null)).toEqual([]);
});
