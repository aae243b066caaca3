/** Snapshots for the tests of what people read. */

import type { PeerSnapshot, Snapshot } from '../../../protocol/app.ts';
import { DISCOVERY_OFF } from '../../../protocol/discovery.ts';
import { UNKNOWN_NAT } from '../../../protocol/nat.ts';

export function peer(change: Partial<PeerSnapshot> = {}): PeerSnapshot {
  return {
    nick: 'bob',
    publicKey: 'Ym9i',
    ipv4: '10.64.0.2',
    ipv6: null,
    blocked: false,
    state: 'connected',
    path: { kind: 'direct', remote: '203.0.113.10:4000', rttMs: 18.2, jitterMs: 1.25, lossPct: 0, since: 0 },
    reason: null,
    punch: null,
    nat: { ...UNKNOWN_NAT, type: 'NAT2' },
    rxBytes: 0,
    txBytes: 0,
    lastHandshake: null,
    timeline: [],
    ...change,
  };
}

export function snapshot(change: Partial<Snapshot> = {}): Snapshot {
  return {
    version: 1,
    state: 'joined',
    room: { name: 'friday', server: 'ws://198.51.100.10:7868' },
    self: {
      nick: 'alice',
      publicKey: 'YWxpY2U=',
      ipv4: '10.64.0.1',
      ipv6: null,
      interface: 'warren0',
      nat: { ...UNKNOWN_NAT, type: 'NAT3' },
    },
    peers: [],
    notices: [],
    discovery: DISCOVERY_OFF,
    chat: [],
    settings: { portMapping: true, hardNat: true, relayOnly: false, discovery: true },
    ...change,
  };
}
