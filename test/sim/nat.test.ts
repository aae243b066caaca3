import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRandom } from './core/random.ts';
import { HELLO, HOME_NAT, type LoggedSocket, NetLab } from './net/lab.ts';
import type { NatOptions } from './net/nat.ts';
import type { Endpoint } from './net/packet.ts';
import { createAllocator, type PortAllocation } from './net/ports.ts';

const OUTSIDE = '198.51.100.10';
const anyPort = () => true;
const REMOTE: Endpoint = { ip: '203.0.113.1', port: 7_000 };

/** One insider behind one NAT, and a remote host that sees its packets. */
function behind(options: Partial<NatOptions>, pool = [OUTSIDE]) {
  const lab = new NetLab();
  const { lan, nat } = lab.site('home', pool, { ...HOME_NAT, ...options });
  const host = lab.insider(lan, '192.168.1.2');
  const inside = lab.socket(host, 1_234);
  const server = lab.host('server', ['203.0.113.1', '203.0.113.2']);
  const remote = lab.socket(server, 7_000);
  const second = lab.socket(server, 7_001);
  return { lab, lan, nat, host, inside, server, remote, second };
}

/** Sends, waits, and answers with the source that arrived. */
async function mapped(
  net: ReturnType<typeof behind>,
  socket: LoggedSocket,
  to = REMOTE,
): Promise<Endpoint | undefined> {
  const at = to.port === 7_000 ? net.remote : net.second;
  const before = at.received.length;
  socket.send(to, HELLO);
  await net.lab.timeline.runFor(100);
  return at.received[before]?.from;
}

async function reaches(
  net: ReturnType<typeof behind>,
  from: LoggedSocket,
  to: Endpoint,
  ttl?: number,
): Promise<boolean> {
  const before = net.inside.received.length;
  from.send(to, HELLO, { ttl });
  await net.lab.timeline.runFor(100);
  return net.inside.received.length > before;
}

describe('lifetime', () => {
  test('only outbound packets keep a mapping', async () => {
    const net = behind({ mappingLifetimeMs: 10_000, filtering: 'endpoint-independent' });
    const outside = (await mapped(net, net.inside)) as Endpoint;
    for (let i = 0; i < 9; i++) {
      expect(await reaches(net, net.remote, outside)).toBe(true);
      await net.lab.timeline.runFor(1_000);
    }
    await net.lab.timeline.runFor(1_000);
    expect(await reaches(net, net.remote, outside)).toBe(false);
  });

  test('a filter entry expires alone while its mapping lives', async () => {
    const net = behind({ mappingLifetimeMs: 10_000, filterLifetimeMs: 3_000 });
    const outside = (await mapped(net, net.inside)) as Endpoint;
    await net.lab.timeline.runFor(2_000);
    expect(await mapped(net, net.inside, { ...REMOTE, port: 7_001 })).toEqual(outside);
    expect(await reaches(net, net.remote, outside)).toBe(true);
    await net.lab.timeline.runFor(1_500);
    expect(await reaches(net, net.remote, outside)).toBe(false);
    expect(await reaches(net, net.second, outside)).toBe(true);
  });
});

describe('tables', () => {
  test('a full mapping table refuses newcomers until one expires', async () => {
    const net = behind({ maxMappings: 2, mappingLifetimeMs: 5_000 });
    const others = [1, 2].map(() => net.lab.socket(net.host));
    expect(await mapped(net, net.inside)).toBeDefined();
    expect(await mapped(net, others[0] as LoggedSocket)).toBeDefined();
    expect(await mapped(net, others[1] as LoggedSocket)).toBeUndefined();
    expect(net.nat.drops.full).toBe(1);
    await net.lab.timeline.runFor(5_000);
    expect(await mapped(net, others[1] as LoggedSocket)).toBeDefined();
  });

  test('a full session table refuses new destinations of an old mapping', async () => {
    const net = behind({ maxSessions: 1 });
    expect(await mapped(net, net.inside)).toBeDefined();
    expect(await mapped(net, net.inside, { ...REMOTE, port: 7_001 })).toBeUndefined();
    expect(await mapped(net, net.inside)).toBeDefined();
  });
});

describe('outside addresses', () => {
  test('a paired pool keeps one address for an insider, an arbitrary one does not', async () => {
    const pool = Array.from({ length: 8 }, (_, i) => `198.51.100.${20 + i}`);
    for (const pooling of ['paired', 'arbitrary'] as const) {
      const net = behind({ mapping: 'address-and-port-dependent', pooling }, pool);
      const seen = new Set<string>();
      for (let i = 0; i < 12; i++) seen.add(((await mapped(net, net.lab.socket(net.host))) as Endpoint).ip);
      expect(seen.size > 1).toBe(pooling === 'arbitrary');
    }
  });

  test('a change of address ends the old mappings', async () => {
    const net = behind({});
    const before = (await mapped(net, net.inside)) as Endpoint;
    net.nat.changeAddresses(['198.51.100.99']);
    expect(await reaches(net, net.remote, before)).toBe(false);
    const after = (await mapped(net, net.inside)) as Endpoint;
    expect(after.ip).toBe('198.51.100.99');
    expect(await reaches(net, net.remote, after)).toBe(true);
  });

  test('a reboot forgets everything, and passes nothing while it lasts', async () => {
    const net = behind({ filtering: 'endpoint-independent' });
    const outside = (await mapped(net, net.inside)) as Endpoint;
    net.nat.reboot(1_000);
    expect(await mapped(net, net.inside)).toBeUndefined();
    await net.lab.timeline.runFor(1_000);
    expect(await reaches(net, net.remote, outside)).toBe(false);
    expect(await mapped(net, net.inside)).toBeDefined();
  });
});

describe('hairpin', () => {
  for (const hairpin of ['none', 'internal-source', 'external-source'] as const) {
    test(hairpin, async () => {
      const net = behind({ hairpin });
      const neighbour = net.lab.socket(net.lab.insider(net.lan, '192.168.1.3'), 5_555);
      const target = (await mapped(net, net.inside)) as Endpoint;
      const source = (await mapped(net, neighbour)) as Endpoint;
      neighbour.send(target, HELLO);
      await net.lab.timeline.runFor(100);
      const expected = { none: undefined, 'internal-source': '192.168.1.3', 'external-source': source.ip }[hairpin];
      expect(net.inside.received[0]?.from.ip).toBe(expected);
    });
  }
});

describe('netfilter', () => {
  const netfilter: Partial<NatOptions> = {
    mapping: 'address-and-port-dependent',
    ports: { kind: 'preserved', conflict: 'random' },
    sharedPorts: true,
    unsolicitedTakesPort: true,
  };

  test('keeps one port towards all destinations, for two insiders too', async () => {
    const net = behind(netfilter);
    const neighbour = net.lab.socket(net.lab.insider(net.lan, '192.168.1.3'), 1_234);
    expect((await mapped(net, net.inside))?.port).toBe(1_234);
    expect((await mapped(net, net.inside, { ...REMOTE, port: 7_001 }))?.port).toBe(1_234);
    expect((await mapped(net, neighbour, { ...REMOTE, ip: '203.0.113.2' }))?.port).toBe(1_234);
    expect((await mapped(net, neighbour))?.port).not.toBe(1_234);
  });

  test('a packet that arrives before its insider has sent moves the mapping', async () => {
    const net = behind(netfilter);
    expect(await reaches(net, net.remote, { ip: OUTSIDE, port: 1_234 })).toBe(false);
    expect((await mapped(net, net.inside))?.port).not.toBe(1_234);
    await net.lab.timeline.runFor(31_000);
    expect((await mapped(net, net.inside, { ...REMOTE, port: 7_001 }))?.port).toBe(1_234);
  });
});

describe('time to live', () => {
  test('a packet that dies on the way opens its own NAT and no other', async () => {
    const net = behind({});
    const far = net.lab.site('far', ['198.51.100.50'], HOME_NAT);
    const there = net.lab.socket(net.lab.insider(far.lan, '192.168.1.9'), 9_999);
    net.inside.send({ ip: '198.51.100.50', port: 9_999 }, HELLO, { ttl: 4 });
    await net.lab.timeline.runFor(100);
    expect(far.nat.drops.filtered).toBe(0);
    // The way back is open: what the other side sends now comes in.
    there.send({ ip: OUTSIDE, port: 1_234 }, HELLO);
    await net.lab.timeline.runFor(100);
    expect(net.inside.received).toHaveLength(1);
  });

  test('the ICMP error that comes back ends the mapping of a NAT that listens to it', async () => {
    for (const icmpKillsMappings of [false, true]) {
      const net = behind({ icmpKillsMappings, filtering: 'endpoint-independent' });
      const outside = (await mapped(net, net.inside)) as Endpoint;
      net.inside.send(REMOTE, HELLO, { ttl: 4 });
      await net.lab.timeline.runFor(100);
      expect(await reaches(net, net.remote, outside)).toBe(!icmpKillsMappings);
    }
  });

  test('a refusal by a NAT that rejects does the same', async () => {
    const net = behind({ icmpKillsMappings: true });
    const far = net.lab.site('far', ['198.51.100.50'], { ...HOME_NAT, unsolicited: 'reject' });
    await mapped(net, net.inside);
    net.inside.send({ ip: '198.51.100.50', port: 9_999 }, HELLO);
    await net.lab.timeline.runFor(100);
    expect(far.nat.drops.filtered).toBe(1);
    expect(net.nat.bindings.live(net.lab.timeline.now())).toEqual([]);
  });
});

test('a carrier NAT around a home NAT translates twice', async () => {
  const lab = new NetLab();
  const carrier = lab.site('carrier', [OUTSIDE], {
    ...HOME_NAT,
    ports: { kind: 'block', size: 512, within: 'random' },
  });
  const home = lab.site('home', ['100.64.0.7'], HOME_NAT, carrier.lan);
  const inside = lab.socket(lab.insider(home.lan, '192.168.1.2'), 1_234);
  const remote = lab.socket(lab.host('server', ['203.0.113.1']), 7_000);
  inside.send(REMOTE, HELLO);
  await lab.timeline.runFor(100);
  const seen = remote.received[0]?.from as Endpoint;
  expect(seen.ip).toBe(OUTSIDE);
  expect(seen.port).not.toBe(1_234);
  remote.send(seen, HELLO);
  await lab.timeline.runFor(100);
  expect(inside.received[0]?.from).toEqual(REMOTE);
});

describe('IPv6', () => {
  const addresses = { inside: '2001:db8:1::2', outside: '2001:db8:2::2' };

  function site() {
    const lab = new NetLab();
    const { lan, nat } = lab.site('home', [OUTSIDE], HOME_NAT);
    const host = lab.insider(lan, '192.168.1.2');
    host.connect(lan, addresses.inside);
    nat.routeIpv6(addresses.inside);
    const inside = lab.socket(host, 1_000, 6);
    const remote = lab.socket(lab.host('far', [addresses.outside]), 2_000, 6);
    return { lab, inside, remote };
  }

  test('passes untranslated outwards, and inwards only as an answer', async () => {
    const { lab, inside, remote } = site();
    remote.send({ ip: addresses.inside, port: 1_000 }, HELLO);
    await lab.timeline.runFor(100);
    expect(inside.received).toEqual([]);
    inside.send({ ip: addresses.outside, port: 2_000 }, HELLO);
    await lab.timeline.runFor(100);
    expect(remote.received[0]?.from).toEqual({ ip: addresses.inside, port: 1_000 });
    remote.send({ ip: addresses.inside, port: 1_000 }, HELLO);
    await lab.timeline.runFor(100);
    expect(inside.received).toHaveLength(1);
  });
});

test('a NAT that blocks UDP passes none', async () => {
  const net = behind({ udpBlocked: true });
  expect(await mapped(net, net.inside)).toBeUndefined();
  expect(net.nat.drops.blocked).toBe(1);
});

describe('port allocation', () => {
  const model: fc.Arbitrary<PortAllocation> = fc.oneof(
    fc.constant<PortAllocation>({ kind: 'preserved', conflict: 'random' }),
    fc.integer({ min: 1, max: 7 }).map((step): PortAllocation => ({ kind: 'sequential', step, foreignPerSecond: 20 })),
    fc.integer({ min: -7, max: -1 }).map((step): PortAllocation => ({ kind: 'sequential', step })),
    fc.constantFrom<PortAllocation>(
      { kind: 'block', size: 512, within: 'random' },
      { kind: 'block', size: 512, within: 'sequential' },
      { kind: 'random', low: 30_000, high: 31_000 },
    ),
  );

  test('never gives a taken port, and stays in its range', () => {
    fc.assert(
      fc.property(model, fc.integer(), fc.integer({ min: 1_024, max: 65_535 }), (ports, seed, insidePort) => {
        const allocator = createAllocator(ports, createRandom(seed));
        const taken = new Set<number>();
        for (let i = 0; i < 400; i++) {
          const port = allocator.next(i * 10, '192.168.1.2', insidePort, (p) => !taken.has(p)) as number;
          expect(taken.has(port)).toBe(false);
          expect(port).toBeGreaterThanOrEqual(ports.kind === 'random' ? 30_000 : 1_024);
          expect(port).toBeLessThanOrEqual(ports.kind === 'random' ? 31_000 : 65_535);
          taken.add(port);
        }
        if (ports.kind === 'block') expect(new Set([...taken].map((port) => port >> 9)).size).toBe(1);
      }),
      { numRuns: 40 },
    );
  });

  test('a used-up range gives nothing', () => {
    const allocator = createAllocator({ kind: 'random', low: 5_000, high: 5_009 }, createRandom(1));
    const taken = new Set<number>();
    for (let i = 0; i < 10; i++) taken.add(allocator.next(0, 'a', 1, (port) => !taken.has(port)) as number);
    expect(taken.size).toBe(10);
    expect(allocator.next(0, 'a', 1, (port) => !taken.has(port))).toBeNull();
  });

  test('foreign traffic moves a sequential counter at its rate', () => {
    const allocator = createAllocator({ kind: 'sequential', step: 1, foreignPerSecond: 20 }, createRandom(2));
    const first = allocator.next(0, 'a', 1, anyPort) as number;
    const later = allocator.next(10_000, 'a', 1, anyPort) as number;
    const moved = (later - first + 64_512) % 64_512;
    expect(moved).toBeGreaterThan(150);
    expect(moved).toBeLessThan(250);
  });
});
