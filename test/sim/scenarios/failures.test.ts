/** What breaks, and how soon it is mended: servers, paths, routers, the main thread, the network of a laptop. */
import { afterAll, describe, expect, test } from 'vitest';
import type { Delivery } from '../deliveries.ts';
import type { Member } from '../member.ts';
import { NATS, site } from '../profiles.ts';
import { scenario } from '../scenario.ts';
import type { World } from '../world.ts';

const FLOW_MS = 25;
const TWO_HOMES = { sites: [site('port-restricted'), site('port-restricted')] };

async function direct(world: World): Promise<[Member, Member]> {
  await world.joinAll(200);
  await world.until('a direct path', () => world.allDirect(), 5_000);
  await world.runFor(3_000);
  return [world.members[0] as Member, world.members[1] as Member];
}

/** Flows both ways; the result ends them and waits until what is under way has arrived. */
function flows(world: World, a: Member, b: Member): () => Promise<void> {
  const both = [world.flow(a, b, FLOW_MS), world.flow(b, a, FLOW_MS)];
  return async () => {
    for (const flow of both) flow.stop();
    await world.runFor(1_000);
  };
}

function lost(deliveries: Delivery[], from = 0, to = Number.POSITIVE_INFINITY): Delivery[] {
  return deliveries.filter(({ sentAt, arrivedAt }) => arrivedAt === null && sentAt >= from && sentAt < to);
}

/** From `at` until packets arrive again, the worse of both directions; milliseconds. */
function outage(world: World, a: Member, b: Member, at: number): number {
  const back = [world.deliveries.between(a.nick, b.nick), world.deliveries.between(b.nick, a.nick)].map((flow) =>
    Math.min(...flow.filter(({ sentAt }) => sentAt > at).map(({ arrivedAt }) => arrivedAt ?? Number.POSITIVE_INFINITY)),
  );
  return Math.max(...back) - at;
}

function p95(values: number[]): number {
  const sorted = values.toSorted((x, y) => x - y);
  return sorted[Math.ceil(0.95 * sorted.length) - 1] ?? Number.NaN;
}

describe('server', () => {
  scenario(
    'its death and a minute without it cost no packet of a direct tunnel; joining works when it is back',
    2,
    { sites: [...TWO_HOMES.sites, site('full-cone', { members: ['late'] })] },
    async (world) => {
      const [a, b] = world.members as [Member, Member, Member];
      a.start();
      b.start();
      await world.until(
        'a direct path',
        () => world.allDirect() && world.pairs().length === 2 && a.connectedTo(b),
        5_000,
      );
      await world.runFor(2_000);
      const stop = flows(world, a, b);
      world.servers[0]?.die();
      await world.runFor(60_000);
      expect(world.allDirect()).toBe(true);
      world.servers[0]?.start();
      world.member('late').start();
      await world.until('the late one is connected', () => world.allConnected() && world.pairs().length === 6, 45_000);
      await stop();
      expect(lost(world.deliveries.all)).toEqual([]);
    },
  );

  scenario('five idle minutes without it keep everyone in the room', 2, TWO_HOMES, async (world) => {
    const [a, b] = await direct(world);
    world.servers[0]?.die();
    await world.runFor(300_000);
    expect(world.allDirect()).toBe(true);
    expect(a.connectedTo(b) && b.connectedTo(a)).toBe(true);
  });

  scenario('two servers: the death of one is not noticed', 3, { ...TWO_HOMES, servers: [{}, {}] }, async (world) => {
    const [a, b] = await direct(world);
    const stop = flows(world, a, b);
    world.servers[0]?.die();
    await world.runFor(20_000);
    await stop();
    expect(lost(world.deliveries.all)).toEqual([]);
  });

  scenario(
    'relayed members lose the room with the server and find it again',
    3,
    { sites: [site('symmetric-random'), site('symmetric-random')] },
    async (world) => {
      await world.joinAll(200);
      await world.until('connected', () => world.allConnected(), 3_000);
      world.servers[0]?.die();
      await world.runFor(20_000);
      world.servers[0]?.start();
      await world.until('connected again', () => world.allConnected() && world.pairs().length === 2, 45_000);
    },
  );

  scenario(
    'two servers that come back at once: proofs that cross settle on one, and the relay works',
    6,
    { sites: [site('udp-blocked'), site('udp-blocked'), site('udp-blocked')], servers: [{}, {}] },
    async (world) => {
      await world.joinAll(200);
      for (let round = 0; round < 6; round++) {
        await world.until('connected', () => world.pairs().length === 6 && world.allConnected(), 40_000);
        await world.everyoneReachesEveryone();
        for (const server of world.servers) server.die();
        // Nobody remembers anybody: every proof is made anew.
        for (const member of world.members) if (world.random.chance(0.5)) member.kill();
        await world.runFor(world.random.int(100, 3_000));
        for (const server of world.servers) server.start();
        for (const member of world.members) if (!member.running || member.engine === null) member.start();
      }
    },
  );

  scenario('a drain sends members to reconnect', 2, TWO_HOMES, async (world) => {
    const [a, b] = await direct(world);
    const stop = flows(world, a, b);
    world.servers[0]?.drain(2_000);
    await world.runFor(5_000);
    world.servers[0]?.start();
    await world.until('both back', () => world.servers[0]?.members === 2, 45_000);
    await stop();
    expect(lost(world.deliveries.all)).toEqual([]);
  });
});

describe('path death', () => {
  const outages: number[] = [];

  scenario('traffic is back over the relay, and direct when the path lives again', 20, TWO_HOMES, async (world) => {
    const [a, b] = await direct(world);
    const stop = flows(world, a, b);
    await world.runFor(1_000 + world.random.int(0, 1_000));
    const at = world.timeline.now();
    world.internet.lose = between(world, a, b);
    await world.runFor(5_000);
    outages.push(outage(world, a, b, at));
    world.internet.lose = null;
    await world.until('direct again', () => world.allDirect(), 60_000);
    await stop();
  });

  test('within 1 s in 95 of 100 cases', () => {
    expect(outages.length).toBeGreaterThan(0);
    expect(p95(outages)).toBeLessThanOrEqual(1_000);
  });

  scenario('one direction only', 8, TWO_HOMES, async (world) => {
    const [a, b] = await direct(world);
    const stop = flows(world, a, b);
    await world.runFor(1_000 + world.random.int(0, 1_000));
    const at = world.timeline.now();
    const lossy = world.sites[0];
    world.internet.lose = (packet) => lossy?.nats[0]?.addresses.includes(packet.src.ip) === true && !toServer(packet);
    await world.runFor(5_000);
    expect(outage(world, a, b, at)).toBeLessThan(1_500);
    world.internet.lose = null;
    await stop();
  });

  afterAll(() => {
    outages.length = 0;
  });
});

describe('router', () => {
  scenario('a flush of its table costs at most a second, and direct comes back', 5, TWO_HOMES, async (world) => {
    const [a, b] = await direct(world);
    const stop = flows(world, a, b);
    await world.runFor(1_000);
    const at = world.timeline.now();
    world.sites[0]?.nats[0]?.flush();
    await world.runFor(3_000);
    expect(outage(world, a, b, at)).toBeLessThan(1_500);
    await world.until('direct', () => world.allDirect(), 60_000);
    await stop();
  });

  scenario(
    'a reboot that hands out other ports: direct again',
    5,
    {
      sites: [
        { nats: [{ ...NATS['port-restricted'], ports: { kind: 'random' } }] },
        { nats: [{ ...NATS['port-restricted'], ports: { kind: 'random' } }] },
      ],
    },
    async (world) => {
      const [a, b] = await direct(world);
      const stop = flows(world, a, b);
      world.sites[0]?.nats[0]?.reboot(3_000);
      await world.runFor(3_000);
      const up = world.timeline.now();
      await world.until('traffic', () => outage(world, a, b, up) < Number.POSITIVE_INFINITY, 30_000);
      await world.until('direct again', () => world.allDirect(), 90_000);
      await stop();
    },
  );

  scenario('a new public address: direct again', 5, TWO_HOMES, async (world) => {
    const [a, b] = await direct(world);
    const stop = flows(world, a, b);
    world.sites[0]?.nats[0]?.changeAddresses(['198.51.100.99']);
    await world.until(
      'the other side uses the new address',
      () => b.peer(a)?.path?.remote.startsWith('198.51.100.99:') === true,
      60_000,
    );
    await world.until('direct', () => world.allDirect(), 60_000);
    await stop();
  });
});

describe('main thread', () => {
  for (const [profile, delayMs] of [
    ['port-restricted', 10],
    // Two probes are on their way at once.
    ['port-restricted', 75],
    ['symmetric-random', 10],
  ] as const) {
    scenario(
      `blocked for 2 s behind ${profile}, lines of ${delayMs} ms, wherever in the rhythm of its probes: no flap`,
      2,
      { sites: [site(profile, { link: { delayMs } }), site(profile, { link: { delayMs } })] },
      async (world) => {
        await world.joinAll(200);
        await world.until('connected', () => world.allConnected(), 5_000);
        await world.runFor(12_000);
        const [a, b] = world.members as [Member, Member];
        const stop = flows(world, a, b);
        await world.runFor(2_000);
        const changes = () => a.pathChanges.length + b.pathChanges.length;
        const before = changes();
        for (let phase = 0; phase < 13; phase++) {
          // A probe leaves each 250 ms, and its answer is on the way for a part of them.
          await world.runFor(2_000 + 20 * phase);
          a.thread.stall(2_000);
          await world.runFor(4_000);
          expect(changes()).toBe(before);
        }
        expect(world.allConnected()).toBe(true);
        await stop();
        if (profile === 'port-restricted') expect(lost(world.deliveries.all)).toEqual([]);
      },
    );
  }
});

describe('network change', () => {
  scenario(
    'a laptop moves from one home to another and is direct again',
    5,
    { sites: [site('port-restricted'), site('port-restricted'), site('full-cone', { members: [] })] },
    async (world) => {
      const [a, b] = await direct(world);
      const stop = flows(world, a, b);
      a.host.disconnect();
      await world.runFor(500);
      a.host.connect(world.sites[2]?.lan as World['internet'], '192.168.1.77', { delayMs: 1 });
      const at = world.timeline.now();
      await world.until('traffic', () => outage(world, a, b, at) < Number.POSITIVE_INFINITY, 30_000);
      await world.until('direct from the new place', () => fromNewPlace(a, b), 60_000);
      await stop();
    },
  );

  scenario(
    'a laptop that has nothing but the relay is heard again within a second of its new address',
    5,
    { sites: [site('udp-blocked'), site('udp-blocked'), site('full-cone', { members: [] })] },
    async (world) => {
      await world.joinAll(200);
      await world.until('connected', () => world.allConnected(), 5_000);
      await world.runFor(3_000);
      const [a, b] = world.members as [Member, Member];
      const stop = flows(world, a, b);
      a.host.disconnect();
      a.host.connect(world.sites[2]?.lan as World['internet'], '192.168.1.77', { delayMs: 1 });
      const at = world.timeline.now();
      await world.runFor(5_000);
      expect(outage(world, a, b, at)).toBeLessThan(1_000);
      await stop();
    },
  );

  for (const who of ['leads', 'follows'] as const) {
    scenario(
      `a laptop that moves while a punch is under way that it ${who} does not wait for its end`,
      3,
      {
        sites: [
          site(who === 'leads' ? 'symmetric-block' : 'port-restricted'),
          site(who === 'leads' ? 'port-restricted' : 'symmetric-block'),
          site(who === 'leads' ? 'symmetric-block' : 'port-restricted', { members: [] }),
        ],
      },
      async (world) => {
        await world.joinAll(200);
        const [a, b] = world.members as [Member, Member];
        await world.until('a punch', () => isPunching(a, b) && isPunching(b, a), 5_000);
        a.host.disconnect();
        a.host.connect(world.sites[2]?.lan as World['internet'], '192.168.1.77', { delayMs: 1 });
        await world.until('direct from the new place', () => fromNewPlace(a, b), 5_000);
      },
    );
  }

  scenario('a laptop that was off all networks for minutes is back at once', 3, TWO_HOMES, async (world) => {
    const [a, b] = await direct(world);
    a.host.disconnect();
    await world.runFor(180_000 + world.random.int(0, 30_000));
    a.host.connect(world.sites[0]?.lan as World['internet'], '192.168.1.2', { delayMs: 0.2 });
    await world.until('direct again', () => a.directTo(b) && b.directTo(a), 3_000);
  });

  scenario('a suspended laptop comes back', 3, TWO_HOMES, async (world) => {
    const [a, b] = await direct(world);
    a.thread.stall(120_000);
    const attachment = a.host.route('203.0.113.10')?.attachment;
    if (attachment) {
      attachment.up.up = false;
      attachment.down.up = false;
    }
    await world.runFor(120_000);
    if (attachment) {
      attachment.up.up = true;
      attachment.down.up = true;
    }
    await world.until('direct again', () => a.directTo(b) && b.directTo(a), 60_000);
  });
});

function isPunching(a: Member, b: Member): boolean {
  const punch = a.peer(b)?.punch;
  return punch?.strategy === 'birthday' && punch.phase === 'probing';
}

function fromNewPlace(a: Member, b: Member): boolean {
  return a.directTo(b) && b.directTo(a) && b.peer(a)?.path?.remote.startsWith('198.51.100.30:') === true;
}

function toServer(packet: { dst: { ip: string } }): boolean {
  return packet.dst.ip.startsWith('203.0.113.');
}

/** Everything between the public addresses of two sites. */
function between(world: World, a: Member, b: Member): World['internet']['lose'] {
  const [ofA, ofB] = [a, b].map((member) => {
    const home = world.sites.find(({ members }) => members.includes(member));
    return home?.nats.at(-1)?.addresses ?? [];
  }) as [readonly string[], readonly string[]];
  return ({ src, dst }) =>
    (ofA.includes(src.ip) && ofB.includes(dst.ip)) || (ofB.includes(src.ip) && ofA.includes(dst.ip));
}
