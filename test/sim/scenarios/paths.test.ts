/** What keeps a path alive, and what it carries: lifetimes of mappings, and links that swallow big packets. */
import { describe, expect } from 'vitest';
import { BASE_MTU } from '../../../engine/core/peer/tuning.ts';
import type { Member } from '../member.ts';
import type { Nat } from '../net/nat.ts';
import { NATS, site } from '../profiles.ts';
import { scenario } from '../scenario.ts';
import type { SiteOptions, World } from '../world.ts';

/** An inner packet of the TUN's full size. */
const FULL_PAYLOAD = 1_400;
const FLOW_MS = 50;

async function direct(world: World): Promise<[Member, Member]> {
  await world.joinAll(200);
  await world.until('a direct path', () => world.allDirect(), 10_000);
  return [world.members[0] as Member, world.members[1] as Member];
}

describe('the lifetime of mappings', () => {
  // A fresh mapping gets another port: an expired one would really break the path.
  const home = (lifetimeS: number): SiteOptions => ({
    nats: [{ ...NATS['port-restricted'], ports: { kind: 'random' }, mappingLifetimeMs: lifetimeS * 1_000 }],
  });

  for (const [lifetimeS, rung] of [
    [10, 10],
    [20, 20],
    [30, 30],
    [65, 60],
    [120, 120],
  ] as const) {
    scenario(
      `of ${lifetimeS} s is found, and no idle path expires`,
      2,
      { sites: [home(lifetimeS), home(lifetimeS)] },
      async (world) => {
        const [a, b] = await direct(world);
        await world.runFor(10_000);
        const changes = a.pathChanges.length + b.pathChanges.length;
        await world.runFor(470_000);
        for (const member of [a, b]) expect(member.snapshot().self?.nat.lifetimeSeconds).toBe(rung);
        expect(a.pathChanges.length + b.pathChanges.length).toBe(changes);
        expect(world.allDirect()).toBe(true);
        // The relay is asked each 10 s as well.
        const since = world.timeline.now();
        await world.runFor(100_000);
        const sent = a.probes.filter((at) => at > since).length;
        expect(sent).toBeLessThanOrEqual(100 / Math.min(0.8 * rung, 25) + 12);
      },
    );
  }

  scenario(
    'is no shorter for losing every tenth packet',
    2,
    { sites: [{ ...home(30), link: { delayMs: 10, loss: 0.1 } }, home(65)] },
    async (world) => {
      const [a, b] = await direct(world);
      await world.runFor(600_000);
      expect(a.snapshot().self?.nat.lifetimeSeconds).toBe(30);
      expect(b.snapshot().self?.nat.lifetimeSeconds).toBe(60);
    },
  );
});

function outermost(world: World): Nat {
  return world.sites[0]?.nats.at(-1) as Nat;
}

describe('a link that swallows big packets', () => {
  const narrow = (mtu: number): SiteOptions => site('port-restricted', { link: { delayMs: 10, mtu } });
  const mtuOf = (member: Member, other: Member) => member.peer(other)?.path?.mtu;

  for (const mtu of [1_280, 1_372, 1_400, 1_452, 1_492]) {
    scenario(
      `of ${mtu} bytes carries every size, and big packets are lost at most until it is known`,
      2,
      { sites: [narrow(mtu), site('port-restricted')] },
      async (world) => {
        const [a, b] = await direct(world);
        await world.until('the MTU', () => mtuOf(a, b) === mtu && mtuOf(b, a) === mtu, 5_000);
        const begin = world.timeline.now();
        for (let sent = 0; sent < 50; sent++) {
          for (const size of [32, 1_200, FULL_PAYLOAD]) a.send(b, size);
          b.send(a, FULL_PAYLOAD);
          await world.runFor(20);
        }
        await world.runFor(1_000);
        const late = world.deliveries.all.filter(({ sentAt, arrivedAt }) => sentAt >= begin && arrivedAt === null);
        expect(late).toEqual([]);
      },
    );
  }

  scenario(
    'that became one under a flow costs three seconds of big packets',
    5,
    {
      sites: [narrow(1_500), site('port-restricted')],
    },
    async (world) => {
      const [a, b] = await direct(world);
      await world.until('the MTU', () => mtuOf(a, b) === 1_500, 5_000);
      let running = true;
      const send = () => {
        if (!running) return;
        a.send(b, FULL_PAYLOAD);
        world.timeline.after(FLOW_MS, send);
      };
      send();
      await world.runFor(3_000);
      const at = world.timeline.now();
      const { up, down } = outermost(world).outside;
      for (const link of [up, down]) link.options = { ...link.options, mtu: 1_400 };
      await world.runFor(10_000);
      running = false;
      await world.runFor(1_000);
      const lost = world.deliveries.between(a.nick, b.nick).filter(({ arrivedAt }) => arrivedAt === null);
      expect(Math.max(...lost.map(({ sentAt }) => sentAt - at))).toBeLessThan(3_500);
      expect(mtuOf(a, b)).toBe(1_400);
      expect(world.allDirect()).toBe(true);
    },
  );

  const hardSites = Array.from({ length: 3 }, () => site('symmetric-random'));
  scenario(
    'is noticed and measured while guesses take the whole pace of probes',
    5,
    { sites: [narrow(1_500), site('port-restricted'), ...hardSites] },
    async (world) => {
      const [home, , ...hard] = world.sites.map(({ nats }) => nats[0]?.addresses[0]);
      // No guess is right: they go on.
      world.internet.lose = ({ kind, src, dst }) =>
        kind === 'udp' && [src, dst].some(({ ip }) => ip === home) && [src, dst].some(({ ip }) => hard.includes(ip));
      await world.joinAll(200);
      const [a, b] = [world.members[0] as Member, world.members[1] as Member];
      await world.until('the MTU', () => mtuOf(a, b) === 1_500, 10_000);
      const flow = world.flow(a, b, FLOW_MS);
      const { up, down } = outermost(world).outside;
      for (const link of [up, down]) link.options = { ...link.options, mtu: 1_372 };
      await world.until('the new MTU', () => mtuOf(a, b) === 1_372, 6_000);
      flow.stop();
    },
  );

  scenario('begins anew with the network', 2, twoHomesAndANarrowOne(), async (world) => {
    const [a, b] = await direct(world);
    await world.until('the MTU', () => mtuOf(a, b) === 1_500, 5_000);
    a.host.disconnect();
    await world.runFor(500);
    a.host.connect(world.sites[2]?.lan as World['internet'], '192.168.1.77', { delayMs: 1 });
    await world.until('direct again', () => a.directTo(b) && mtuOf(a, b) === 1_372 && mtuOf(b, a) === 1_372, 60_000);
    expect(mtuOf(a, b)).toBeGreaterThan(BASE_MTU);
  });

  function twoHomesAndANarrowOne() {
    const link = { delayMs: 10, mtu: 1_372 };
    return { sites: [site('port-restricted'), site('port-restricted'), site('full-cone', { members: [], link })] };
  }
});

describe('a line that always loses a little', () => {
  scenario(
    'is direct again after bad weather',
    3,
    { sites: [site('port-restricted', { link: { delayMs: 30, loss: 0.02 } }), site('port-restricted')] },
    async (world) => {
      const [a, b] = await direct(world);
      const flow = world.flow(a, b, FLOW_MS);
      world.internet.lose = () => world.random.chance(0.2);
      await world.until('it rains', () => !a.directTo(b), 60_000);
      await world.runFor(20_000);
      world.internet.lose = () => false;
      await world.until('direct again', () => a.directTo(b), 120_000);
      flow.stop();
    },
  );
});
