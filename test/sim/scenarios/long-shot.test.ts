/** The gamble that two people agree on: nothing before both have said yes, its odds, its own account, and an end at any time. */
import { describe, expect, test } from 'vitest';
import type { Member } from '../member.ts';
import type { NatOptions } from '../net/nat.ts';
import { NATS } from '../profiles.ts';
import { scenario, seeds, simulate } from '../scenario.ts';
import type { World } from '../world.ts';

const BLOCK: NatOptions = { ...NATS['symmetric-block'], ports: { kind: 'block', size: 512, within: 'random' } };
const SITES = ['ann', 'bob'].map((nick) => ({ nats: [BLOCK], members: [nick], link: { delayMs: 10, jitterMs: 2 } }));
/** Of two blocks of 512 with 426 mappings each. */
const ODDS = 1 - Math.exp(-((426 / 512) ** 2));
const ATTEMPTS = 10;

function mappings(world: World, site: number): number {
  return world.sites[site]?.nats[0]?.bindings.created.length ?? 0;
}

function extraSockets(member: Member): number {
  return (member.device?.sockets() ?? []).filter(({ id }) => id > 1).length;
}

/** Whoever is offered the gamble first, and the other: a block that seems to count has its plan before. */
async function offered(world: World, both = false): Promise<[Member, Member]> {
  const [ann, bob] = [world.member('ann'), world.member('bob')];
  await world.joinAll(200);
  const possible = (one: Member, other: Member) => one.peer(other)?.longShot?.state === 'possible';
  await world.until(
    'the long shot is offered',
    () => {
      const offers = [
        world.pairs().length === 2 && possible(ann, bob),
        world.pairs().length === 2 && possible(bob, ann),
      ];
      return both ? offers.every(Boolean) : offers.some(Boolean);
    },
    60_000,
  );
  return possible(ann, bob) ? [ann, bob] : [bob, ann];
}

async function begun(world: World): Promise<[Member, Member]> {
  const [ann, bob] = await offered(world);
  await ann.longShot(bob, 'start');
  await world.until('the other is asked', () => bob.peer(ann)?.longShot?.state === 'asked', 2_000);
  await bob.longShot(ann, 'start');
  await world.until('both run', () => ann.peer(bob)?.punch?.strategy === 'long-shot', 2_000);
  return [ann, bob];
}

const over = (one: Member, other: Member) =>
  one.directTo(other) || !['asking', 'asked', 'running'].includes(one.peer(other)?.longShot?.state ?? '');

test(
  'block x block, 512 ports each: about half of all long shots hit, as they were said to',
  async () => {
    const all = seeds(ATTEMPTS);
    let hits = 0;
    for (const seed of all) {
      await simulate('long shot', seed, { sites: SITES }, async (world) => {
        const [ann, bob] = await begun(world);
        const { odds = 0, mappings: own = 0, theirMappings: theirs = 0 } = ann.peer(bob)?.longShot ?? {};
        // Both blocks are inferred from a dozen ports.
        expect(odds).toBeGreaterThan(ODDS - 0.1);
        expect(odds).toBeLessThan(ODDS + 0.05);
        await world.until('both are done', () => over(ann, bob) && over(bob, ann), 30_000);
        if (ann.directTo(bob)) hits += 1;
        else {
          // All of it was spent before it was given up.
          expect(ann.peer(bob)?.longShot?.last).toBe('exhausted');
          expect(Math.min(mappings(world, 0), mappings(world, 1))).toBeGreaterThanOrEqual(Math.min(own, theirs));
        }
        await world.runFor(10_000);
        expect(ann.directTo(bob)).toBe(bob.directTo(ann));
        expect(extraSockets(ann)).toBeLessThanOrEqual(2);
        expect(extraSockets(bob)).toBeLessThanOrEqual(2);
      });
    }
    const deviation = Math.sqrt((ODDS * (1 - ODDS)) / all.length);
    if (all.length > 1) expect(Math.abs(hits / all.length - ODDS)).toBeLessThan(3.5 * deviation);
    console.log(`${hits} of ${all.length} long shots hit; ${(100 * ODDS).toFixed(0)} % expected`);
  },
  120_000 * Number(process.env.SIM_RUNS ?? 1),
);

describe('before both have said yes', () => {
  scenario('nothing is sent, and after a minute the request is void', 1, { sites: SITES }, async (world) => {
    const [ann, bob] = await offered(world);
    await world.runFor(60_000);
    const before = [mappings(world, 0), mappings(world, 1)];
    await ann.longShot(bob, 'start');
    await world.until('the other is asked', () => bob.peer(ann)?.longShot?.state === 'asked', 2_000);
    await world.runFor(30_000);
    const during = [mappings(world, 0), mappings(world, 1)];
    // What measures NATs and lifetimes goes on, and is few.
    for (const [i, count] of during.entries()) expect(count - (before[i] ?? 0)).toBeLessThan(30);
    await world.until('the request is void', () => ann.peer(bob)?.longShot?.last === 'expired', 40_000);
    await world.until('there too', () => over(bob, ann), 2_000);
  });

  scenario('the other may say no, and is left in peace', 1, { sites: SITES }, async (world) => {
    const [ann, bob] = await offered(world);
    for (let round = 0; round < 2; round++) {
      await ann.longShot(bob, 'start');
      if (round === 0) {
        await world.until('the other is asked', () => bob.peer(ann)?.longShot?.state === 'asked', 2_000);
        await bob.longShot(ann, 'stop');
      }
      await world.until('a no', () => ann.peer(bob)?.longShot?.last === 'declined', 2_000);
      expect(over(bob, ann)).toBe(true);
    }
    // Why it is relayed, and what would be better, stays.
    const peers = () => [ann.peer(bob), bob.peer(ann)];
    await world.until('the reason', () => peers().every((peer) => peer?.reason === 'hard-nat-pair'), 15_000);
    for (const peer of peers()) {
      expect(peer?.path?.kind).toBe('relay');
      expect(peer?.longShot?.advice).toEqual(['ipv6', 'port-mapping-here', 'port-mapping-there']);
    }
  });

  scenario('two who ask each other have both said yes', 1, { sites: SITES }, async (world) => {
    const [ann, bob] = await offered(world, true);
    await Promise.all([ann.longShot(bob, 'start'), bob.longShot(ann, 'start')]);
    await world.until(
      'both run',
      () => [ann.peer(bob), bob.peer(ann)].every((peer) => peer?.punch?.strategy === 'long-shot'),
      2_000,
    );
  });

  scenario('with NAT4 punching switched off on either side there is none', 1, { sites: SITES }, async (world) => {
    const [ann, bob] = await offered(world, true);
    await bob.engine?.command({ type: 'set', setting: 'hard-nat', on: false });
    await expect(bob.longShot(ann, 'start')).rejects.toMatchObject({ code: 'hard-nat-off' });
    await ann.longShot(bob, 'start');
    await world.until('refused', () => ann.peer(bob)?.longShot?.last === 'off', 2_000);
  });
});

scenario(
  'it is stopped halfway, by whom did not ask, and everything is as before',
  2,
  { sites: SITES },
  async (world) => {
    const [ann, bob] = await begun(world);
    await world.until('some mappings', () => (ann.peer(bob)?.punch?.mappings ?? 0) > 80 || ann.directTo(bob), 5_000);
    if (ann.directTo(bob)) return;
    await bob.longShot(ann, 'stop');
    await world.until('stopped', () => [ann, bob].every((one) => extraSockets(one) <= 1), 3_000);
    expect(bob.peer(ann)?.longShot).toMatchObject({ state: 'possible', last: 'stopped' });
    await world.until('known to both', () => ann.peer(bob)?.longShot?.last === 'stopped', 2_000);
  },
);
