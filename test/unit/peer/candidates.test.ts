import { describe, expect, it } from 'vitest';
import type { PeerAction, PeerCore, PeerEvent } from '../../../engine/core/peer/contract.ts';
import { createPeer } from '../../../engine/core/peer/peer.ts';
import { UNKNOWN_NAT } from '../../../protocol/nat.ts';
import type { Candidate, PeerMessage } from '../../../protocol/peer.ts';
import { chance, home, Network } from './network.ts';

const create = (change: { relayOnly?: boolean; refuses?: (ip: string) => boolean } = {}) =>
  createPeer({ lower: true, relayOnly: false, families: [4], ...change });

const lan: Candidate = { kind: 'lan', ip: '192.168.1.10', port: 51_820 };
const list = (revision: number, ...candidates: Candidate[]): PeerEvent => ({
  type: 'message',
  message: { t: 'candidates', revision, candidates, nat: UNKNOWN_NAT },
});
const messages = (actions: PeerAction[]): PeerMessage[] =>
  actions.flatMap((action) => (action.type === 'send' ? [action.message] : []));
const pinged = (actions: PeerAction[]): string[] =>
  actions.flatMap((action) => (action.type === 'ping' && action.via !== 'external' ? [action.via.remote.ip] : []));

/** Ticks whenever the core asks, until `end`; all actions with their times. */
function runTo(core: PeerCore, start: PeerAction[], now: number, end: number): { at: number; action: PeerAction }[] {
  const log = start.map((action) => ({ at: now, action }));
  let actions = start;
  for (;;) {
    const wake = actions.find((action) => action.type === 'wake');
    if (wake === undefined || wake.at > end) return log;
    actions = core.handle(wake.at, { type: 'tick' });
    log.push(...actions.map((action) => ({ at: wake.at, action })));
  }
}

describe('the order of a burst', () => {
  const theirs: Candidate[] = [
    { kind: 'static', ip: '198.51.100.9', port: 1 },
    { kind: 'mapped', ip: '100.64.0.9', port: 2 },
    { kind: 'reflexive', ip: '203.0.113.7', port: 3 },
    { kind: 'lan', ip: '192.168.1.11', port: 4 },
  ];
  const order = (own: string): string[] => {
    const core = create();
    const reflexive: Candidate = { kind: 'reflexive', ip: own, port: 9 };
    core.handle(0, { type: 'local', candidates: [lan, reflexive], nat: UNKNOWN_NAT });
    return pinged(core.handle(0, list(1, ...theirs)));
  };

  it('behind one public address is LAN, that address, the router’s port, the rest', () => {
    expect(order('203.0.113.7')).toEqual(['192.168.1.11', '203.0.113.7', '100.64.0.9', '198.51.100.9']);
  });

  it('behind different ones ends with the LAN', () => {
    expect(order('203.0.113.8')).toEqual(['198.51.100.9', '100.64.0.9', '203.0.113.7', '192.168.1.11']);
  });
});

describe('own candidates', () => {
  it('are sent at once and again with back-off until they are acknowledged', () => {
    const core = create();
    const start = core.handle(0, { type: 'local', candidates: [lan], nat: UNKNOWN_NAT });
    const sends = runTo(core, start, 0, 20_000).filter(({ action }) => action.type === 'send');
    expect(sends.map(({ at }) => at)).toEqual([0, 400, 1_200, 2_800, 6_000, 12_400]);
    const acknowledged = core.handle(20_000, { type: 'message', message: { t: 'candidates-ack', revision: 1 } });
    expect(acknowledged.filter((action) => action.type === 'wake')).toEqual([]);
  });

  it('have a higher revision at each change, and an old acknowledgement does not stop the new list', () => {
    const core = create();
    core.handle(0, { type: 'local', candidates: [lan], nat: UNKNOWN_NAT });
    const changed = core.handle(10, { type: 'local', candidates: [], nat: UNKNOWN_NAT });
    expect(messages(changed)).toMatchObject([{ t: 'candidates', revision: 2, candidates: [] }]);
    const old = core.handle(20, { type: 'message', message: { t: 'candidates-ack', revision: 1 } });
    expect(old.some((action) => action.type === 'wake')).toBe(true);
  });

  it('reach the peer although three of four signals are lost', () => {
    const filter = 'address-and-port-dependent';
    const net = new Network(home(1, 'endpoint-independent', filter), home(2, 'endpoint-independent', filter), {
      losesSignal: chance(0.75, 4_711),
    });
    net.meet();
    net.until(() => net.bothDirect(), 20_000);
    net.run(300_000);
    const before = net.signals.length;
    net.run(30_000);
    expect(net.signals.length).toBe(before);
  });

  it('stay secret with relay only, and so does the NAT report', () => {
    const core = create({ relayOnly: true });
    const nat = { ...UNKNOWN_NAT, publicAddresses: ['203.0.113.1'] };
    const sent = messages(core.handle(0, { type: 'local', candidates: [lan], nat }));
    expect(sent).toEqual([{ t: 'candidates', revision: 1, candidates: [], nat: null }]);
    const answer = core.handle(5, list(1, lan));
    expect(pinged(answer)).toEqual([]);
    const ping: PeerEvent = { type: 'ping', via: { socket: 0, remote: { ip: '203.0.113.9', port: 5 } }, seq: 1, at: 6 };
    expect(pinged(core.handle(6, ping))).toEqual([]);
    expect(core.view(10_000).reason).toBe('relay-only');
  });
});

describe("the peer's candidates", () => {
  it('are acknowledged every time, and used once', () => {
    const core = create();
    const first = core.handle(0, list(3, lan));
    expect(messages(first)).toEqual([{ t: 'candidates-ack', revision: 3 }]);
    expect(pinged(first)).toEqual(['192.168.1.10']);
    const repeated = core.handle(1, list(3, lan));
    expect(messages(repeated)).toEqual([{ t: 'candidates-ack', revision: 3 }]);
    expect(pinged(repeated)).toEqual([]);
    expect(pinged(core.handle(2, list(2, { kind: 'lan', ip: '192.168.1.11', port: 1 })))).toEqual([]);
  });

  it('are pinged at 0, 20, 60, 140, 300 and 600 ms, then each second, then ever more slowly, and never given up', () => {
    const core = create();
    const log = runTo(core, core.handle(0, list(1, lan)), 0, 600_000);
    const times = log.filter(({ action }) => action.type === 'ping').map(({ at }) => at);
    expect(times.slice(0, 9)).toEqual([0, 20, 60, 140, 300, 600, 1_600, 2_600, 3_600]);
    const late = times.filter((at) => at > 300_000);
    expect(late.length).toBe(30);
  });

  it('that nobody may be sent to are not pinged', () => {
    const core = create({ refuses: (ip) => ip.startsWith('10.144.') });
    const bad = [
      '0.0.0.0',
      '0.1.2.3',
      '255.255.255.255',
      '224.0.0.1',
      '127.0.0.1',
      '10.144.3.4',
      '2001:db8::1',
      'host',
      '1.2',
    ];
    const actions = core.handle(0, list(1, ...bad.map((ip): Candidate => ({ kind: 'reflexive', ip, port: 9 }))));
    expect(pinged(actions)).toEqual([]);
    expect(core.view(10_000).reason).not.toBe('hard-nat-pair');
  });

  it('on loopback are believed only by someone who is on loopback too', () => {
    const loopback: Candidate = { kind: 'reflexive', ip: '127.0.0.1', port: 40_000 };
    const core = create();
    core.handle(0, { type: 'local', candidates: [{ ...loopback, port: 40_001 }], nat: UNKNOWN_NAT });
    expect(pinged(core.handle(1, list(1, loopback)))).toEqual(['127.0.0.1']);
  });

  it('that are gone from a new list are pinged no more', () => {
    const core = create();
    core.handle(0, list(1, lan));
    const log = runTo(core, core.handle(10, list(2, { ...lan, ip: '192.168.1.99' })), 10, 5_000);
    expect(new Set(log.flatMap(({ action }) => pinged([action])))).toEqual(new Set(['192.168.1.99']));
  });

  it('that are none at all give the reason', () => {
    const core = create();
    core.handle(0, { type: 'relay', up: true, host: 'relay.example' });
    core.handle(0, list(1));
    expect(core.view(10).reason).toBe('no-candidates');
  });
});

describe('pings from unknown addresses', () => {
  it('are pinged back at once', () => {
    const core = create();
    const via = { socket: 0, remote: { ip: '203.0.113.9', port: 5_000 } };
    expect(pinged(core.handle(0, { type: 'ping', via, seq: 1, at: 0 }))).toEqual(['203.0.113.9']);
  });

  it('from a thousand addresses are not echoed, and a newcomer is heard again later', () => {
    const core = create();
    const ping = (port: number, at: number) => {
      const via = { socket: 0, remote: { ip: '203.0.113.9', port } };
      return pinged(core.handle(at, { type: 'ping', via, seq: at + 1, at }));
    };
    const echoed = Array.from({ length: 1_000 }, (_, i) => ping(1_000 + i, i)).filter((targets) => targets.length > 0);
    // Eight new addresses; their bursts may fall due in any of these turns.
    expect(echoed.length).toBeLessThan(50);
    expect(ping(5_000, 1_001)).toEqual([]);
    runTo(core, core.handle(1_002, { type: 'tick' }), 1_002, 20_000);
    expect(ping(5_001, 20_001)).toEqual(['203.0.113.9']);
  });

  it('an answer from another address than the one that was pinged proves no path', () => {
    const core = create();
    core.handle(0, list(1, lan));
    const elsewhere = { socket: 0, remote: { ip: '203.0.113.9', port: 5_000 } };
    const actions = core.handle(9, { type: 'pong', via: elsewhere, seq: 1, observed: null, rttMs: 9, at: 9 });
    expect(actions.some((action) => action.type === 'path')).toBe(false);
    expect(pinged(actions)).toEqual(['203.0.113.9']);
  });
});
