/** Where members are: in one LAN, behind one NAT with others elsewhere, with IPv6, behind a router that can be talked over. */
import { describe, expect } from 'vitest';
import { Host } from '../net/host.ts';
import { NATS, site } from '../profiles.ts';
import { scenario } from '../scenario.ts';
import type { World } from '../world.ts';

function kinds(world: World): (string | undefined)[] {
  return world.pairs().map(([a, b]) => a.peer(b)?.path?.kind);
}

describe('one LAN', () => {
  for (const profile of ['port-restricted', 'symmetric-random', 'udp-blocked'] as const) {
    scenario(
      `behind ${profile} the LAN path is taken`,
      3,
      { sites: [site(profile, { members: ['ann', 'bob'] })] },
      async (world) => {
        await world.joinAll(300);
        await world.until('a LAN path', () => kinds(world).every((kind) => kind === 'lan'), 3_000);
      },
    );
  }

  scenario(
    'two behind one NAT and one elsewhere: everyone direct',
    5,
    { sites: [site('port-restricted', { members: ['ann', 'bob'] }), site('port-restricted', { members: ['cid'] })] },
    async (world) => {
      await world.joinAll(500);
      await world.until('everyone direct', () => world.pairs().length === 6 && world.allDirect(), 10_000);
      expect(world.member('ann').peer(world.member('bob'))?.path?.kind).toBe('lan');
      expect(world.member('ann').peer(world.member('cid'))?.path?.kind).toBe('direct');
    },
  );

  scenario(
    'two behind one port-preserving NAT with the same local ports as others elsewhere',
    3,
    { sites: [site('netfilter', { members: ['ann', 'bob', 'eve'] }), site('netfilter', { members: ['cid', 'dan'] })] },
    async (world) => {
      await world.joinAll(500);
      await world.until('everyone direct', () => world.pairs().length === 20 && world.allDirect(), 15_000);
    },
  );
});

describe('IPv6', () => {
  scenario(
    'gets past two symmetric NATs',
    3,
    { sites: [site('symmetric-random', { ipv6: true }), site('symmetric-random', { ipv6: true })] },
    async (world) => {
      await world.joinAll(300);
      await world.until('an IPv6 path', () => kinds(world).every((kind) => kind === 'ipv6'), 8_000);
    },
  );

  scenario(
    'is no harm when one side has none',
    3,
    { sites: [site('port-restricted', { ipv6: true }), site('port-restricted')] },
    async (world) => {
      await world.joinAll(300);
      await world.until('a direct path', () => kinds(world).every((kind) => kind === 'direct'), 8_000);
    },
  );
});

describe('IPv6 only, behind a NAT64', () => {
  const only = site('port-restricted', { ipv6: 'only', members: ['six'] });

  for (const profile of ['public', 'full-cone', 'port-restricted'] as const) {
    scenario(
      `direct with a member behind ${profile} who has IPv4 only`,
      5,
      { sites: [only, site(profile, { members: ['four'] })] },
      async (world) => {
        await world.joinAll(300);
        await world.until('a direct path', () => kinds(world).length === 2 && world.allDirect(), 10_000);
        expect(kinds(world)).toEqual(['direct', 'direct']);
        const nat = world.member('six').snapshot().self?.nat;
        expect(nat).toMatchObject({ nat64: true, mapping: 'endpoint-independent', publicAddresses: ['198.51.100.10'] });
        expect(world.member('four').snapshot().self?.nat.nat64).toBe(false);
        await world.everyoneReachesEveryone();
      },
    );
  }

  scenario(
    'direct with a port counter, by its prediction',
    3,
    { sites: [only, site('symmetric-sequential', { members: ['four'] })] },
    async (world) => {
      await world.joinAll(300);
      await world.until('a direct path', () => kinds(world).length === 2 && world.allDirect(), 60_000);
    },
  );

  scenario(
    'punches from sockets of its own where the NAT64 draws a port for each destination',
    3,
    { sites: [site('symmetric-random', { ipv6: 'only' }), site('port-restricted')], servers: [{ twoAddresses: true }] },
    async (world) => {
      await world.joinAll(300);
      await world.until('a direct path', () => kinds(world).length === 2 && world.allDirect(), 90_000);
    },
  );

  scenario(
    'takes IPv6 with whoever has it',
    3,
    { sites: [only, site('symmetric-random', { ipv6: true, members: ['both'] })] },
    async (world) => {
      await world.joinAll(300);
      await world.until(
        'an IPv6 path',
        () => kinds(world).length === 2 && kinds(world).every((kind) => kind === 'ipv6'),
        10_000,
      );
    },
  );

  scenario(
    'is left for a network with IPv4, and found again',
    3,
    {
      sites: [
        only,
        site('port-restricted', { members: ['four'] }),
        { nats: [NATS['port-restricted']], members: [], ipv6: false },
      ],
    },
    async (world) => {
      const six = world.member('six');
      const arrives = async (nat64: boolean) => {
        const seen = () => six.snapshot().self?.nat.nat64 === nat64;
        await world.until(`NAT64: ${nat64}`, seen, 10_000);
        await world.everyoneReachesEveryone(60_000);
        await world.until('a direct path', () => kinds(world).length === 2 && world.allDirect(), 60_000);
        await world.everyoneReachesEveryone();
      };
      await world.joinAll(300);
      await arrives(true);
      six.host.disconnect();
      six.host.connect(world.sites[2]!.lan, '192.168.1.9', { delayMs: 0.2 });
      await arrives(false);
      six.host.disconnect();
      six.host.connect(world.sites[0]!.lan, '2001:db8:1::9', { delayMs: 0.2 });
      world.sites[0]!.nats[0]!.routeIpv6('2001:db8:1::9');
      await arrives(true);
    },
  );
});

scenario(
  'relay only: not one datagram passes between the two homes',
  3,
  { sites: [site('full-cone', { members: ['shy'] }), site('full-cone', { members: ['ann'] })] },
  async (world) => {
    let between = 0;
    world.internet.lose = ({ src, dst }) => {
      if (src.ip.startsWith('198.51.100.') && dst.ip.startsWith('198.51.100.')) between++;
      return false;
    };
    const [shy, ann] = [world.member('shy'), world.member('ann')];
    shy.start({ settings: { portMapping: false, hardNat: false, relayOnly: true, discovery: true } });
    ann.start();
    await world.until('connected', () => world.allConnected() && world.pairs().length === 2, 5_000);
    await world.runFor(20_000);
    expect(kinds(world)).toEqual(['relay', 'relay']);
    expect(shy.peer(ann)?.reason).toBe('relay-only');
    expect(between).toBe(0);
  },
);

scenario(
  'a flood of rubbish at the main socket changes nothing',
  3,
  { sites: [site('public', { members: ['ann'] }), site('port-restricted', { members: ['bob'] })] },
  async (world) => {
    const [ann, bob] = [world.member('ann'), world.member('bob')];
    await world.joinAll(200);
    await world.until('a direct path', () => world.allDirect() && world.pairs().length === 2, 5_000);
    await world.runFor(3_000);
    const flow = world.flow(bob, ann, 50);
    const changes = ann.pathChanges.length;
    const stranger = new Host('stranger', world.random);
    stranger.connect(world.internet, '192.0.2.66', { delayMs: 5 });
    const socket = stranger.bind(4, 0, () => {});
    const target = { ip: '198.51.100.10', port: ann.device?.sockets()[0]?.port ?? 0 };
    for (let i = 0; i < 5_000; i++) {
      socket?.send(target, rubbish(world));
      if (i % 10 === 0) await world.runFor(1);
    }
    flow.stop();
    await world.runFor(1_000);
    expect(ann.device?.stats().datagramsRejected).toBeGreaterThanOrEqual(5_000);
    expect(ann.pathChanges).toHaveLength(changes);
    expect(world.deliveries.all.filter(({ arrivedAt }) => arrivedAt === null)).toEqual([]);
  },
);

scenario(
  'a flood of rubbish at every socket of a punch costs it nothing',
  3,
  { sites: [site('port-restricted', { members: ['ann'] }), site('symmetric-random', { members: ['bob'] })] },
  async (world) => {
    const floods = world.sites.map((home) => floodFromNextDoor(world, home));
    await world.joinAll(200);
    await world.until('a direct path', () => world.pairs().length === 2 && world.allDirect(), 20_000);
    await world.runFor(3_000);
    for (const flood of floods) flood.stop();
    expect(world.allDirect()).toBe(true);
    for (const [i, { sent, sockets }] of floods.entries()) {
      expect(sockets).toBeGreaterThan(i === 1 ? 50 : 1);
      const { datagramsRejected, eventsDropped } = world.members[i]?.device?.stats() ?? {};
      expect(datagramsRejected).toBeGreaterThan(0.9 * sent);
      expect(eventsDropped).toBe(0);
    }
  },
);

/** A neighbour in the LAN, whom no NAT keeps out, sends something to each socket that its first member has, again and again. */
function floodFromNextDoor(world: World, { lan, members: [victim] }: World['sites'][number]) {
  const neighbour = new Host(`beside ${victim?.nick}`, world.random);
  neighbour.connect(lan, '192.168.1.66', { delayMs: 0.2 });
  const socket = neighbour.bind(4, 0, () => {});
  const flood = { sent: 0, sockets: 0, stop: () => (running = false) };
  let running = true;
  const next = () => {
    if (!running) return;
    const ports = victim?.running ? (victim.device?.sockets() ?? []).map(({ port }) => port) : [];
    flood.sockets = Math.max(flood.sockets, ports.length);
    for (const port of ports) {
      const ip = victim?.host.addresses()[0]?.ip ?? '';
      if (socket?.send({ ip, port }, rubbish(world))) flood.sent += 1;
    }
    world.timeline.after(20, next);
  };
  next();
  return flood;
}

/** Every classifier gets its share of nearly right ones. */
function rubbish({ random }: World): Uint8Array {
  const bytes = random.bytes(random.int(1, 200));
  bytes[0] = random.pick([0, 1, 2, 3, 4, 0xd7, 0xff]);
  return bytes;
}

describe('netfilter routers that answer strangers', () => {
  // The first packet to arrive becomes the router's own connection and takes the port from the client behind it.
  const accepting = { nats: [NATS['netfilter-accepting']] };

  scenario('connected', 3, { sites: [accepting, accepting] }, async (world) => {
    await world.joinAll(300);
    await world.until('connected, by whatever path', () => world.allConnected(), 5_000);
    await world.runFor(10_000);
  });

  scenario('direct', 3, { sites: [accepting, accepting] }, async (world) => {
    await world.joinAll(300);
    await world.until('a direct path', () => world.allDirect(), 30_000);
  });
});

scenario(
  'a NAT that listens to ICMP, against one that refuses with it, still ends connected',
  3,
  {
    sites: [
      { nats: [{ ...NATS['port-restricted'], icmpKillsMappings: true }] },
      { nats: [{ ...NATS['port-restricted'], unsolicited: 'reject' }] },
    ],
  },
  async (world) => {
    await world.joinAll(300);
    await world.until('connected', () => world.allConnected(), 5_000);
    await world.runFor(20_000);
  },
);

scenario(
  'mappings of 10 s are kept alive',
  3,
  {
    sites: [
      { nats: [{ ...NATS['port-restricted'], mappingLifetimeMs: 10_000 }] },
      { nats: [{ ...NATS['address-restricted'], mappingLifetimeMs: 10_000 }] },
    ],
  },
  async (world) => {
    await world.joinAll(300);
    await world.until('a direct path', () => world.allDirect(), 5_000);
    for (const member of world.members) member.pathChanges.length = 0;
    await world.runFor(120_000);
    expect(world.allDirect()).toBe(true);
    expect(world.members.flatMap((member) => member.pathChanges)).toEqual([]);
  },
);
