/** Routers that bear little, and peers that ask for much: what leaves is counted at the router and on the wire (`World.check`). */
import { describe, expect } from 'vitest';
import type { Member } from '../member.ts';
import { NATS, type Profile, site } from '../profiles.ts';
import { scenario } from '../scenario.ts';
import type { Site, World } from '../world.ts';

const HARD: readonly Profile[] = [
  'symmetric-random',
  'symmetric-sequential',
  'symmetric-block',
  'symmetric-down',
  'symmetric-open',
];

/** Half a minute of processor time. */
const CROWD = 30;

/** Ports from which a hostile member pings: fewer than a budget has mappings, and far more. */
const ASKERS = { some: 200, many: 1_000 };
/** Within the lifetime of a mapping. */
const ROUNDS = 50;

scenario(
  `a room of ${CROWD} hard NATs`,
  1,
  { sites: Array.from({ length: CROWD }, (_, i) => site(HARD[i % HARD.length] as Profile)) },
  async (world) => {
    await world.joinAll(10_000);
    const all = CROWD * (CROWD - 1);
    await world.until('everyone connected', () => world.pairs().length === all && world.allConnected(), 120_000);
    await world.runFor(30_000);
    expect(world.allConnected()).toBe(true);
  },
);

scenario(
  'two hostile peers that ask for punches without end, and come back as new ones when they are refused',
  1,
  {
    sites: [
      site('port-restricted', { members: ['ann'] }),
      site('symmetric-random', { members: ['eve'] }),
      site('symmetric-block', { members: ['mal'] }),
    ],
  },
  async (world) => {
    const [ann, eve, mal] = world.members as [Member, Member, Member];
    // Nothing of theirs ever arrives, so that no attempt succeeds.
    const home = world.sites[0]?.nats[0]?.addresses ?? [];
    world.internet.lose = ({ kind, src, dst }) =>
      kind === 'udp' && (home.includes(src.ip) || home.includes(dst.ip)) && !isServer(src.ip) && !isServer(dst.ip);
    ann.start();
    for (let round = 0; round < 14; round++) {
      for (const hostile of [eve, mal]) {
        hostile.kill();
        hostile.start();
      }
      await world.runFor(world.random.int(6_000, 14_000));
    }
    expect(ann.probes.length).toBeGreaterThan(1_000);
    world.check();
  },
);

for (const [name, askers] of Object.entries(ASKERS)) {
  scenario(
    `a member that pings from ever new ports, ${name}: answers create mappings like pings, and no more than there is room for`,
    1,
    {
      sites: [
        site('symmetric-restricted', { members: ['ann'] }),
        site('public', { members: ['eve'] }),
        site('port-restricted', { members: ['bob'] }),
      ],
    },
    async (world) => {
      const [ann, eve, bob] = world.members as [Member, Member, Member];
      ann.start();
      eve.start();
      await world.until('direct', () => eve.directTo(ann) && ann.directTo(eve), 10_000);
      const [ip = '', port] = (eve.peer(ann)?.path?.remote ?? '').split(':');
      if (eve.device === null) throw new Error('eve has no device');
      const before = mappingsMade(world.sites[0]);
      for (const [i, { id }] of eve.device.openSockets(askers, 4).entries()) {
        eve.device.ping(1, 1_000_000 + i, { socket: id, remote: { ip, port: Number(port) } });
        if (i === askers / 2) bob.start();
        await world.runFor(20);
      }
      // A line may lose some.
      expect(mappingsMade(world.sites[0]) - before).toBeGreaterThan(0.95 * Math.min(askers, ASKERS.some));
      expect(eve.directTo(ann)).toBe(true);
      await world.until('direct in the end', () => ann.directTo(bob) && bob.directTo(ann), 300_000);
      world.check();
    },
  );
}

scenario(
  'a member that comes again and again, each time with other addresses: to look at them costs no more than there is room for',
  1,
  { sites: [site('symmetric-random', { members: ['ann'] }), site('public', { members: ['eve'] })] },
  async (world) => {
    const [ann, eve] = world.members as [Member, Member];
    ann.start();
    for (let round = 0; round < ROUNDS; round++) {
      eve.kill();
      const staticCandidates = Array.from({ length: 10 }, (_, i) => ({
        ip: '192.0.2.9',
        port: 1_024 + 10 * round + i,
      }));
      eve.start({ staticCandidates });
      await world.runFor(2_000);
    }
    expect(mappingsMade(world.sites[0])).toBeGreaterThan(ASKERS.some);
    world.check();
  },
);

/** By the members at this site, in their router. */
function mappingsMade(place: Site | undefined): number {
  return (place?.nats[0]?.bindings.costs() ?? []).reduce((sum, { mappings }) => sum + mappings.length, 0);
}

function isServer(ip: string): boolean {
  return ip.startsWith('203.0.113.');
}

describe('a router with a small table', () => {
  for (const [name, limits] of [
    ['of 128 mappings', { maxMappings: 128 }],
    ['of 256 sessions', { maxSessions: 256 }],
  ] as const) {
    for (const other of ['symmetric-random', 'port-restricted'] as const) {
      scenario(
        `${name} x ${other}`,
        2,
        { sites: [{ nats: [{ ...NATS['port-restricted'], ...limits }], link: { delayMs: 10 } }, site(other)] },
        async (world) => {
          await world.joinAll(300);
          await world.until('connected', () => world.pairs().length === 2 && world.allConnected(), 5_000);
          if (other === 'port-restricted') await world.until('direct', () => world.allDirect(), 10_000);
          await world.runFor(60_000);
          expect(world.allConnected()).toBe(true);
        },
      );
    }

    scenario(
      `symmetric-random ${name}: the table is not all there is to try with`,
      2,
      { sites: [{ nats: [{ ...NATS['symmetric-random'], ...limits }] }, site('port-restricted')] },
      async (world) => {
        await world.joinAll(300);
        await world.until('connected', () => world.pairs().length === 2 && world.allConnected(), 5_000);
        await world.until('direct', () => world.allDirect(), 600_000);
      },
    );
  }
});

describe('carriers', () => {
  scenario(
    'three NATs in a chain on both sides: direct, and again after each of them forgot',
    3,
    {
      sites: ['ann', 'bob'].map((nick) => ({
        nats: [NATS['full-cone'], NATS['port-restricted'], NATS.carrier],
        members: [nick],
      })),
    },
    async (world) => {
      await directAgain(world, 10_000);
      for (const nat of world.sites[0]?.nats ?? []) {
        nat.flush();
        await world.runFor(3_000);
        await directAgain(world, 60_000);
      }
    },
  );

  scenario(
    'a hard home behind an easy carrier, and the other way round',
    2,
    {
      sites: [
        { nats: [NATS['symmetric-sequential'], NATS.carrier] },
        { nats: [NATS['port-restricted'], NATS['symmetric-block']] },
        site('port-restricted'),
      ],
    },
    async (world) => {
      await world.joinAll(500);
      const easy = world.members[2] as Member;
      const others = world.members.slice(0, 2);
      const direct = () => others.every((member) => member.directTo(easy) && easy.directTo(member));
      await world.until('both direct to the easy one', () => world.pairs().length === 6 && direct(), 300_000);
    },
  );
});

async function directAgain(world: World, limitMs: number): Promise<void> {
  if (world.members.some((member) => !member.running)) await world.joinAll(300);
  await world.until('direct', () => world.pairs().length === 2 && world.allDirect(), limitMs);
}
