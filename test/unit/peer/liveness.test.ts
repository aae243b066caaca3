import { describe, expect, it } from 'vitest';
import { chance, type Host, home, Nat, Network, type NetworkOptions } from './network.ts';

const portRestricted = (options: NetworkOptions = {}) =>
  new Network(
    home(1, 'endpoint-independent', 'address-and-port-dependent'),
    home(2, 'endpoint-independent', 'address-and-port-dependent'),
    options,
  );

/** Two members, direct for five seconds. */
function connected(options: NetworkOptions = {}): Network {
  const net = portRestricted(options);
  net.meet();
  net.until(() => net.bothDirect(), 1_000);
  net.run(5_000);
  for (const host of [net.a, net.b]) host.changes.length = 0;
  return net;
}

/** The direct path has died, the relay that took over is gone, and somebody sends. */
function held(net: Network): Network {
  net.startTraffic(net.a);
  net.loses = () => true;
  net.until(() => net.a.path?.kind === 'external', 2_000);
  net.setRelay(false);
  return net;
}

/** Longest time without a new data packet at the receiver, from `since` on. */
function longestGap(receiver: Host, since: number): number {
  const arrivals = [...receiver.received.values()].filter((at) => at >= since).sort((x, y) => x - y);
  return Math.max(...arrivals.map((at, i) => at - (arrivals[i - 1] ?? since)));
}

describe('a direct path that dies under traffic', () => {
  it('is replaced within a second, wherever in the rhythm it happens', () => {
    const gaps: number[] = [];
    for (let phase = 0; phase < 500; phase += 13) {
      const net = connected();
      net.startTraffic(net.a);
      net.run(2_000 + phase);
      const died = net.now;
      net.loses = () => true;
      net.run(3_000);
      gaps.push(longestGap(net.b, died));
      expect(net.a.changes.map(({ to, why }) => [to, why])).toEqual([['relay', 'dead']]);
    }
    expect(Math.max(...gaps)).toBeLessThan(1_000);
  });

  it('also when traffic began after it died', () => {
    const gaps: number[] = [];
    for (let phase = 0; phase < 300; phase += 29) {
      const net = connected();
      net.run(phase);
      net.loses = () => true;
      const began = net.now;
      net.startTraffic(net.a);
      net.run(3_000);
      gaps.push(longestGap(net.b, began));
    }
    expect(Math.max(...gaps)).toBeLessThan(1_250);
  });

  it('also at 300 ms of round-trip time', () => {
    const net = connected({ oneWayMs: 150, relayOneWayMs: 100 });
    net.startTraffic(net.a);
    net.run(3_000);
    const died = net.now;
    net.loses = () => true;
    net.run(3_000);
    expect(longestGap(net.b, died)).toBeLessThan(1_100);
    expect(net.kinds()[0]).toBe('relay');
  });

  it('also when only one direction died: the sender hears pings, but no answers', () => {
    const net = connected();
    net.startTraffic(net.a);
    net.run(2_000);
    const died = net.now;
    net.loses = (from) => from === net.a;
    net.run(3_000);
    expect(longestGap(net.b, died)).toBeLessThan(1_000);
    expect(net.kinds()[0]).toBe('relay');
  });

  it('first gets a standby that carries copies, then is left', () => {
    const net = connected();
    net.startTraffic(net.a);
    net.run(2_000);
    net.loses = () => true;
    const copies = net.until(() => net.a.duplicate !== null, 1_000);
    expect(net.a.path?.kind).toBe('udp');
    expect(net.a.duplicate).toEqual({ kind: 'external' });
    expect(copies).toBeLessThan(800);
    net.until(() => net.a.path?.kind === 'external', 700);
    expect(net.a.duplicate).toBeNull();
  });

  it('that only hiccups for 600 ms is not left', () => {
    const net = connected();
    net.startTraffic(net.a);
    net.run(2_000);
    net.loses = () => true;
    net.run(600);
    net.loses = () => false;
    net.run(5_000);
    expect(net.a.changes).toEqual([]);
    expect(net.a.duplicate).toBeNull();
  });

  it('takes the second direct path when the relay is down', () => {
    const v6 = (n: number) => ({ ip: `2001:db8::${n}`, port: 51_820 });
    const filter = 'address-and-port-dependent';
    const net = new Network(
      { ...home(1, 'endpoint-independent', filter), v6: v6(1) },
      { ...home(2, 'endpoint-independent', filter), v6: v6(2) },
    );
    net.meet();
    net.run(3_000);
    net.setRelay(false);
    net.startTraffic(net.a);
    net.run(2_000);
    const died = net.now;
    const { v6: gone } = net.b;
    delete net.b.v6;
    net.run(3_000);
    expect(gone).toBeDefined();
    expect(longestGap(net.b, died)).toBeLessThan(1_000);
    expect(net.kinds()[0]).toBe('direct');
  });

  it('stays in use with no other way out, and the peer is called lost', () => {
    const net = connected();
    net.setRelay(false);
    net.loses = () => true;
    net.startTraffic(net.a);
    net.run(20_000);
    expect(net.a.path?.kind).toBe('udp');
    expect(net.a.core.view(net.now)).toMatchObject({ state: 'lost', direct: false, reason: 'path-lost' });
    net.loses = () => false;
    net.until(() => net.a.core.view(net.now).state === 'connected', 11_000);
    expect(net.a.core.view(net.now).direct).toBe(true);
  });
});

describe('a direct path that dies while idle', () => {
  it('is found by its keepalive and replaced', () => {
    const net = connected();
    net.loses = () => true;
    net.until(() => net.kinds().every((kind) => kind === 'relay'), 11_000);
    expect(net.a.core.view(net.now).reason).toBe('path-lost');
  });
});

describe('a main thread that is blocked for two seconds', () => {
  for (const traffic of [true, false]) {
    for (const who of ['a', 'b'] as const) {
      it(`${who} blocked, ${traffic ? 'with' : 'without'} traffic: no path changes`, () => {
        for (let phase = 0; phase < 260; phase += 17) {
          const net = connected();
          if (traffic) net.startTraffic(net.a);
          net.run(2_000 + phase);
          net.block(net[who], 2_000);
          net.run(6_000);
          expect([...net.a.changes, ...net.b.changes]).toEqual([]);
          expect(net.a.duplicate).toBeNull();
        }
      });
    }
  }

  it('still notices a path that died meanwhile', () => {
    const net = connected();
    net.startTraffic(net.a);
    net.run(2_000);
    net.block(net.a, 2_000);
    net.loses = () => true;
    net.run(2_000);
    net.until(() => net.a.path?.kind === 'external', 1_500);
  });
});

describe('a NAT that reboots', () => {
  it('gets its direct path back once the new address is known, without waiting for a slow check', () => {
    const net = connected();
    net.startTraffic(net.a);
    net.run(2_000);
    net.b.nat?.reboot();
    const died = net.now;
    net.until(() => net.kinds()[0] === 'relay', 1_500);
    net.gather(net.b);
    net.until(() => net.bothDirect(), 1_500);
    expect(longestGap(net.b, died)).toBeLessThan(1_000);
  });

  it('with a full cone on the other side comes back by itself, from the new address', () => {
    const net = new Network(
      home(1, 'endpoint-independent', 'endpoint-independent'),
      home(2, 'endpoint-independent', 'address-and-port-dependent'),
    );
    net.meet();
    net.run(3_000);
    net.startTraffic(net.a);
    net.b.nat?.reboot();
    net.run(15_000);
    expect(net.kinds()).toEqual(['direct', 'direct']);
  });
});

describe('a change of network', () => {
  it('sends copies over the relay at once, until the path has proven itself again', () => {
    const net = connected();
    net.feed(net.a, { type: 'network-changed' });
    expect(net.a.duplicate).toEqual({ kind: 'external' });
    net.run(100);
    expect(net.a.duplicate).toBeNull();
    expect(net.a.changes).toEqual([]);
  });

  it('from Wi-Fi to a phone: the new path is found, and traffic never stops for a second', () => {
    const net = connected();
    net.startTraffic(net.a);
    net.startTraffic(net.b);
    net.run(2_000);
    const moved = net.now;
    net.a.nat = new Nat('203.0.113.77', 'endpoint-independent', 'address-and-port-dependent', 30_000);
    net.a.v4 = { ip: '10.44.0.2', port: 51_820 };
    net.feed(net.a, { type: 'network-changed' });
    net.gather(net.a);
    net.run(4_000);
    expect(longestGap(net.a, moved)).toBeLessThan(1_000);
    expect(longestGap(net.b, moved)).toBeLessThan(1_000);
    expect(net.kinds()).toEqual(['direct', 'direct']);
  });
});

describe('the relay', () => {
  it('may be away for a minute while the direct path carries on', () => {
    const net = connected();
    net.startTraffic(net.a);
    net.setRelay(false);
    net.run(60_000);
    net.setRelay(true);
    net.run(5_000);
    expect([...net.a.changes, ...net.b.changes]).toEqual([]);
    net.a.sending = false;
    net.run(100);
    expect(net.b.received.size).toBe(net.a.dataSent);
  });

  it('that answers nothing, while its connection stands, is asked ever more slowly', () => {
    const net = new Network(home(1, 'endpoint-independent', 'endpoint-independent'), {
      ...home(2, 'endpoint-independent', 'endpoint-independent'),
      relayOnly: true,
    });
    net.meet();
    net.run(5_000);
    net.block(net.b, 600_000);
    net.run(30_000);
    net.a.sentPings.length = 0;
    net.run(60_000);
    expect(net.a.sentPings.length).toBeLessThan(10);
    expect(net.a.core.view(net.now).state).toBe('lost');
    expect(net.a.path).toEqual({ kind: 'external' });
  });

  it('as the only path: packets are held while it is away and flow when it is back', () => {
    const net = new Network(
      { ...home(1, 'endpoint-independent', 'endpoint-independent'), relayOnly: true },
      home(2, 'endpoint-independent', 'endpoint-independent'),
    );
    net.meet();
    net.run(2_000);
    net.setRelay(false);
    expect(net.a.path).toBeNull();
    net.run(20_000);
    expect(net.a.core.view(net.now).state).toBe('lost');
    net.setRelay(true);
    expect(net.a.path).toEqual({ kind: 'external' });
    net.run(1_000);
    expect(net.a.core.view(net.now).state).toBe('connected');
  });

  it('that goes for a moment while nothing else lives: packets wait, the path that died does not get them', () => {
    const net = held(connected());
    expect([net.a.path, net.a.duplicate]).toEqual([null, null]);
    net.run(180);
    expect(net.a.path).toBeNull();
    net.setRelay(true);
    expect(net.a.path).toEqual({ kind: 'external' });
    expect(net.a.changes.map(({ to, why }) => [to, why])).toEqual([
      ['relay', 'dead'],
      [null, 'dead'],
      ['relay', 'dead'],
    ]);
  });

  it('that goes while nothing else lives: the direct path carries from its first answer, hold or not', () => {
    const net = held(connected());
    net.run(5_000);
    net.loses = () => false;
    net.until(() => net.a.core.direct(), 2_000);
    expect(net.a.path?.kind).toBe('udp');
    net.run(100);
    net.setRelay(true);
    net.run(2_000);
    expect(net.kinds()).toEqual(['direct', 'direct']);
  });

  it('that goes while nothing else lives: after long, too, packets wait little longer than the outage', () => {
    const gaps: number[] = [];
    for (let phase = 0; phase < 10_000; phase += 470) {
      const net = held(connected());
      net.run(80_000 + phase);
      net.loses = () => false;
      gaps.push(net.until(() => net.a.path?.kind === 'udp', 11_000));
    }
    expect(Math.max(...gaps)).toBeLessThan(600);
  });

  it('that goes while nothing else lives: an address learned from a ping is asked for as long as that lasts', () => {
    const filter = 'address-and-port-dependent';
    const net = new Network(home(1, 'endpoint-independent', 'endpoint-independent'), home(2, filter, filter));
    net.meet();
    net.until(() => net.bothDirect(), 1_000);
    const learned = net.a.path?.kind === 'udp' ? net.a.path.to : null;
    held(net).run(120_000);
    net.a.sentPings.length = 0;
    net.run(20_000);
    const asked = net.a.sentPings.map(({ via }) => (via === 'external' ? null : via.remote));
    expect(asked).toContainEqual(learned);
  });
});

describe('a lossy direct path', () => {
  const lossy = (share: number, seed: number): Network => {
    const net = connected();
    net.startTraffic(net.a);
    net.loses = chance(share, seed);
    return net;
  };

  it('that loses one in a hundred is kept', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const net = lossy(0.01, seed * 7_919);
      net.run(60_000);
      expect(net.a.changes).toEqual([]);
    }
  });

  it('that loses one in eight is left for the relay, and stays left', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const net = lossy(0.125, seed * 7_919);
      net.run(40_000);
      // So much loss may kill the path outright before it is judged, and then it comes back once.
      expect(net.a.changes.length).toBeLessThanOrEqual(3);
      expect(net.kinds()[0]).toBe('relay');
      net.a.changes.length = 0;
      net.run(60_000);
      expect(net.a.changes).toEqual([]);
    }
  });

  it('that recovers is used again', () => {
    const net = lossy(0.125, 7_919);
    net.run(60_000);
    net.loses = () => false;
    net.run(180_000);
    expect(net.kinds()[0]).toBe('direct');
  });
});

describe('an idle pair', () => {
  it('sends few probes', () => {
    const net = connected();
    net.run(10_000);
    net.a.sentPings.length = 0;
    net.run(60_000);
    // Keepalive each 8 s, the relay each 10 s, the other's LAN address each minute.
    expect(net.a.sentPings.length).toBeLessThan(20);
  });
});
