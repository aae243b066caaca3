/** Punches through hard NATs, pair by pair: a direct path, within the budgets that `World.check` holds in every run. */
import { describe, expect, test } from 'vitest';
import type { Member } from '../member.ts';
import type { NatOptions } from '../net/nat.ts';
import { NATS, type Profile, site } from '../profiles.ts';
import { scenario, seeds } from '../scenario.ts';
import { createWorld, type World } from '../world.ts';

const LINK = { delayMs: 10, jitterMs: 2 };
/** The first attempt, and where luck or the router was against it the next, which waits for the budget. */
const PUNCH_MS = 150_000;

async function becomesDirect(world: World, limitMs: number): Promise<void> {
  await world.joinAll(200);
  await world.until('a direct path', () => world.pairs().length > 0 && world.allDirect(), limitMs);
  await world.runFor(5_000);
  expect(world.allDirect()).toBe(true);
}

/** A path that loses a third of its round trips may be lost, soonest when it was just nominated: the next attempt finds one. */
async function becomesDirectAgain(world: World, limitMs: number): Promise<void> {
  await world.joinAll(200);
  await world.until('a direct path', () => world.pairs().length > 0 && world.allDirect(), limitMs);
  await world.runFor(5_000);
  await world.until('a direct path still, or again', () => world.allDirect(), PUNCH_MS);
}

/** Sockets that measure how long a mapping lives. */
const LIFETIME_SOCKETS = 1;

/** Beyond the main sockets: at most the one that carries, when a punch is over, and those that measure. */
function extraSockets(member: Member): number {
  return (member.device?.sockets() ?? []).filter(({ id }) => id > 1).length;
}

const KEPT_ONCE: NatOptions = { ...NATS['symmetric-random'], ports: { kind: 'preserved', conflict: 'random' } };
const LENIENT_COUNTER: NatOptions = {
  ...NATS['symmetric-restricted-flows'],
  ports: NATS['symmetric-sequential'].ports,
};
const LENIENT_BLOCK: NatOptions = { ...NATS['symmetric-restricted-flows'], ports: NATS['symmetric-block'].ports };
/** Nearly half of its ports are a punch's, so that each attempt is little worse than the toss of a coin. */
const SMALL_BLOCK: NatOptions = { ...NATS['symmetric-block'], ports: { kind: 'block', size: 256, within: 'random' } };
/** Every attempt of an evening: each two minutes, and then less often. */
const LUCK_MS = 1_800_000;

const PAIRS: [string, NatOptions, NatOptions][] = [
  ['port-restricted x symmetric-random', NATS['port-restricted'], NATS['symmetric-random']],
  ['port-restricted x symmetric-block', NATS['port-restricted'], NATS['symmetric-block']],
  [
    'port-restricted x a block handed out in order',
    NATS['port-restricted'],
    { ...NATS['symmetric-block'], ports: { kind: 'block', size: 512, within: 'sequential' } },
  ],
  [
    'port-restricted x the dynamic ports',
    NATS['port-restricted'],
    { ...NATS['symmetric-random'], ports: { kind: 'random', low: 49_152, high: 65_535 } },
  ],
  ['port-restricted x symmetric-open', NATS['port-restricted'], NATS['symmetric-open']],
  ['port-restricted x symmetric-sequential', NATS['port-restricted'], NATS['symmetric-sequential']],
  ['port-restricted x symmetric-down', NATS['port-restricted'], NATS['symmetric-down']],
  ['port-restricted x a port kept once for each socket', NATS['port-restricted'], KEPT_ONCE],
  [
    'port-restricted x a counter in a crowd',
    NATS['port-restricted'],
    { ...NATS['symmetric-random'], ports: { kind: 'sequential', step: 4, foreignPerSecond: 400 } },
  ],
  ['netfilter x symmetric-random', NATS.netfilter, NATS['symmetric-random']],
  ['netfilter x symmetric-sequential', NATS.netfilter, NATS['symmetric-sequential']],
  // A router that answers strangers gives them its ports: half of the openings must not get there.
  ['netfilter-accepting x symmetric-random', NATS['netfilter-accepting'], NATS['symmetric-random']],
  ['netfilter-accepting x symmetric-sequential', NATS['netfilter-accepting'], NATS['symmetric-sequential']],
  ['symmetric-sequential x symmetric-sequential', NATS['symmetric-sequential'], NATS['symmetric-sequential']],
  ['symmetric-sequential x symmetric-down', NATS['symmetric-sequential'], NATS['symmetric-down']],
  ['symmetric-open x symmetric-open', NATS['symmetric-open'], NATS['symmetric-open']],
  ['symmetric-open x symmetric-restricted', NATS['symmetric-open'], NATS['symmetric-restricted']],
  ['symmetric-open-flows x symmetric-random', NATS['symmetric-open-flows'], NATS['symmetric-random']],
  ['symmetric-open-flows x symmetric-block', NATS['symmetric-open-flows'], NATS['symmetric-block']],
  ['symmetric-open-flows x symmetric-sequential', NATS['symmetric-open-flows'], NATS['symmetric-sequential']],
  ['a counter with a lenient filter x symmetric-random', LENIENT_COUNTER, NATS['symmetric-random']],
  ['a lenient block x symmetric-random', LENIENT_BLOCK, NATS['symmetric-random']],
  ['symmetric-sequential x a port kept once for each socket', NATS['symmetric-sequential'], KEPT_ONCE],
  ['a port kept once for each socket x another', KEPT_ONCE, KEPT_ONCE],
];

describe('a hard pair becomes direct, and closes what it does not need', () => {
  for (const [name, a, b] of PAIRS) {
    const sites = [a, b].map((nat) => ({ nats: [nat], link: LINK }));
    scenario(name, 3, { sites }, async (world) => {
      await becomesDirect(world, PUNCH_MS);
      for (const member of world.members) {
        expect(extraSockets(member)).toBeLessThanOrEqual(1 + LIFETIME_SOCKETS);
        expect(member.snapshot().peers[0]?.punch).toBeNull();
      }
    });
  }

  for (const [name, a, b] of [
    ['symmetric-sequential x a small block', NATS['symmetric-sequential'], SMALL_BLOCK],
    ['symmetric-down x a small block', NATS['symmetric-down'], SMALL_BLOCK],
    ['a port kept once for each socket x a small block', KEPT_ONCE, SMALL_BLOCK],
    ['symmetric-restricted x symmetric-restricted', NATS['symmetric-restricted'], NATS['symmetric-restricted']],
    ['symmetric-restricted-flows x symmetric-random', NATS['symmetric-restricted-flows'], NATS['symmetric-random']],
    ['symmetric-restricted-flows x symmetric-block', NATS['symmetric-restricted-flows'], NATS['symmetric-block']],
  ] as const) {
    const sites = [a, b].map((nat) => ({ nats: [nat], link: LINK }));
    scenario(`${name}, sooner or later`, 2, { sites }, (world) => becomesDirect(world, LUCK_MS));
  }

  // Each mapping may lie at another address than the one that servers saw (RFC 4787, REQ-2).
  for (const name of ['symmetric-random', 'symmetric-block', 'symmetric-sequential'] as const) {
    const pool = { nats: [{ ...NATS[name], pooling: 'arbitrary' as const }], link: LINK, poolSize: 4 };
    const sites = [site('port-restricted', { link: LINK }), pool];
    scenario(`port-restricted x ${name} with four addresses, sooner or later`, 2, { sites }, (world) =>
      becomesDirect(world, LUCK_MS),
    );
  }

  scenario(
    'symmetric-open x symmetric-random: one way only, which is said and soon not tried any more',
    2,
    { sites: ['symmetric-open', 'symmetric-random'].map((name) => site(name as Profile, { link: LINK })) },
    async (world) => {
      const [open, strict] = world.members as [Member, Member];
      await world.joinAll(200);
      const reasons = () => [open.peer(strict)?.reason, strict.peer(open)?.reason];
      await world.until('both say so', () => reasons().every((reason) => reason === 'one-way'), LUCK_MS);
      const mappings = () => world.sites[0]?.nats[0]?.bindings.created.length ?? 0;
      const before = mappings();
      await world.runFor(300_000);
      expect(reasons()).toEqual(['one-way', 'one-way']);
      expect(mappings() - before).toBeLessThan(60);
    },
  );

  scenario(
    // The open side's own pings make a mapping of the peer's one endpoint, by which its answers leave: a strict filter drops them.
    'symmetric-open-flows x one mapping for each address: direct again after each flush, by a few sockets',
    2,
    {
      sites: [
        site('symmetric-open-flows', { link: LINK }),
        { nats: [{ ...NATS['symmetric-random'], mapping: 'address-dependent' }], link: LINK },
      ],
      servers: [{ twoAddresses: true }],
    },
    async (world) => {
      await becomesDirect(world, PUNCH_MS);
      const nat = world.sites[0]?.nats[0];
      for (let flushes = 0; flushes < 4; flushes++) {
        const before = nat?.bindings.created.length ?? 0;
        nat?.flush();
        await world.runFor(5_000);
        await world.until('direct again', () => world.allDirect(), 30_000);
        expect((nat?.bindings.created.length ?? 0) - before).toBeLessThan(120);
      }
    },
  );

  scenario(
    'open filters: an idle pair stays direct for ten minutes, whichever mappings end',
    2,
    { sites: ['symmetric-open', 'symmetric-open'].map((name) => site(name as Profile, { link: LINK })) },
    async (world) => {
      await becomesDirect(world, PUNCH_MS);
      await world.runFor(600_000);
      expect(world.allDirect()).toBe(true);
      // From the mapping of one server's port, which nothing keeps, to that of the other.
      for (const { pathChanges } of world.members) expect(pathChanges.length).toBeLessThan(6);
    },
  );

  scenario(
    'behind a carrier too',
    2,
    { sites: [site('cgnat'), { nats: [NATS['port-restricted'], NATS['symmetric-block']], link: LINK }] },
    (world) => becomesDirect(world, 30_000),
  );

  scenario(
    'with a tenth of all packets lost',
    3,
    {
      sites: [NATS['port-restricted'], NATS['symmetric-random']].map((nat) => ({
        nats: [nat],
        link: { delayMs: 20, loss: 0.1 },
      })),
    },
    (world) => becomesDirectAgain(world, 60_000),
  );

  scenario(
    'with counters and a tenth of all packets lost',
    3,
    {
      sites: [NATS['symmetric-sequential'], NATS['symmetric-sequential']].map((nat) => ({
        nats: [nat],
        link: { delayMs: 20, loss: 0.1 },
      })),
    },
    (world) => becomesDirectAgain(world, 60_000),
  );
});

describe('while it is punched', () => {
  scenario(
    'both sides show the same attempt, its odds rise, and packets flow over the relay',
    2,
    { sites: [site('port-restricted', { link: LINK }), site('symmetric-random', { link: LINK })] },
    async (world) => {
      const [a, b] = world.members as [Member, Member];
      await world.joinAll(100);
      const shown = () => [a, b].map((member) => member.snapshot().peers[0]?.punch ?? null);
      const probing = () => shown().every((punch) => punch?.strategy === 'birthday' && punch.phase === 'probing');
      await world.until('both probing', probing, 5_000);
      const begin = shown();
      await world.everyoneReachesEveryone();
      await world.until('more odds, or a path', () => world.allDirect() || rose(begin, shown()), 5_000);
      for (const punch of shown()) expect(punch === null || punch.probesSent <= punch.probesMax).toBe(true);
      await world.until('direct', () => world.allDirect(), 20_000);
    },
  );

  scenario(
    'the toggle of either side forbids it, and the reason says so',
    2,
    { sites: [site('port-restricted', { link: LINK }), site('symmetric-random', { link: LINK })] },
    async (world) => {
      const [a, b] = world.members as [Member, Member];
      a.start({ settings: { portMapping: true, hardNat: false, relayOnly: false, discovery: true } });
      b.start();
      await world.until('connected', () => world.pairs().length === 2 && world.allConnected(), 5_000);
      await world.runFor(15_000);
      expect(b.peer(a)?.path?.kind).toBe('relay');
      expect(b.peer(a)?.reason).toBe('hard-nat-off');
      expect(extraSockets(b)).toBeLessThanOrEqual(LIFETIME_SOCKETS);
      expect(world.sites[1]?.nats[0]?.bindings.created.length).toBeLessThan(40);
      await a.engine?.command({ type: 'set', setting: 'hard-nat', on: true });
      await world.until('direct once it is on', () => world.allDirect(), 90_000);
    },
  );

  scenario(
    'switched off while a path that was found ends: each side says what is off, not only that it was lost',
    2,
    { sites: [site('port-restricted', { link: LINK }), site('symmetric-random', { link: LINK })] },
    async (world) => {
      const [a, b] = world.members as [Member, Member];
      await becomesDirect(world, PUNCH_MS);
      for (const member of [a, b]) await member.engine?.command({ type: 'set', setting: 'hard-nat', on: false });
      world.sites[1]?.nats[0]?.flush();
      await world.until('the path is lost', () => !b.directTo(a) && !a.directTo(b), 30_000);
      const reasons = () => [a.peer(b)?.reason, b.peer(a)?.reason];
      await world.until('the reason', () => reasons().every((reason) => reason === 'hard-nat-off'), 10_000);
    },
  );

  scenario(
    // Whatever is opened for where the other was is missing for where it is: mappings are counted for two minutes.
    'a laptop that moves while it is punched is direct from there in seconds, not when the budget is whole again',
    3,
    {
      sites: ['port-restricted', 'symmetric-random', 'symmetric-block'].map((name, i) =>
        site(name as Profile, { link: LINK, ...(i === 2 ? { members: [] } : {}) }),
      ),
    },
    async (world) => {
      const [a, b] = world.members as [Member, Member];
      await world.joinAll(100);
      await world.until('probing', () => b.running && isProbed(b.peer(a)?.punch), 5_000);
      await world.runFor(100);
      b.host.disconnect();
      await world.runFor(200);
      b.host.connect(world.sites[2]?.lan as World['internet'], '192.168.1.77', { delayMs: 1 });
      const there = () => a.peer(b)?.path?.remote.startsWith('198.51.100.30:') === true;
      await world.until('direct from there', () => there() && world.allDirect(), 15_000);
    },
  );

  scenario(
    'a process that is killed and started again is a new one: what was under way ends, and soon it is tried anew',
    2,
    { sites: [site('port-restricted', { link: LINK }), site('symmetric-random', { link: LINK })] },
    async (world) => {
      const [a, b] = world.members as [Member, Member];
      const attempts = () => b.log.filter((line) => line.includes('punching to')).length;
      const home = world.sites[0]?.nats[0]?.addresses ?? [];
      const away = world.sites[1]?.nats[0]?.addresses ?? [];
      world.internet.lose = ({ kind, src, dst }) => kind === 'udp' && home.includes(src.ip) && away.includes(dst.ip);
      await world.joinAll(100);
      await world.until('probing', () => b.running && isProbed(b.peer(a)?.punch), 5_000);
      expect(attempts()).toBe(1);
      a.kill();
      a.start();
      await world.until('another attempt', () => attempts() === 2, 5_000);
      world.internet.lose = null;
    },
  );

  scenario(
    'a counter needs few sockets and no leave',
    2,
    { sites: [site('port-restricted', { link: LINK }), site('symmetric-sequential', { link: LINK })] },
    async (world) => {
      for (const member of world.members) {
        member.start({ settings: { portMapping: true, hardNat: false, relayOnly: false, discovery: true } });
      }
      await world.until('direct', () => world.pairs().length === 2 && world.allDirect(), 10_000);
    },
  );
});

function rose(before: (Punch | null)[], after: (Punch | null)[]): boolean {
  return after.every((punch, i) => (punch?.odds ?? 0) > (before[i]?.odds ?? 0));
}

function isProbed(punch: Punch | null | undefined): boolean {
  return punch?.strategy === 'birthday' && punch.phase === 'probing';
}

interface Punch {
  strategy: string;
  phase: string;
  odds: number | null;
}

describe('a room with hard NATs', () => {
  scenario(
    // 300 mappings in two minutes are what decides: seven attempts that open them one by one need 34 each on average.
    'one symmetric-random joins seven port-restricted: all direct within 3 minutes',
    1,
    {
      sites: [
        ...Array.from({ length: 7 }, () => site('port-restricted', { link: LINK })),
        site('symmetric-random', { link: LINK }),
      ],
    },
    async (world) => {
      await world.joinAll(2_000);
      await world.until('all direct', () => world.pairs().length === 56 && world.allDirect(), 180_000);
    },
  );

  scenario(
    'six hard NATs and one easy one keep to their budgets for two minutes and more',
    1,
    {
      sites: [
        site('port-restricted'),
        ...Array.from({ length: 6 }, (_, i) => site(i % 2 === 0 ? 'symmetric-random' : 'symmetric-sequential')),
      ],
    },
    async (world) => {
      await world.joinAll(5_000);
      await world.until('connected', () => world.pairs().length === 42 && world.allConnected(), 30_000);
      await world.runFor(150_000);
      world.check();
    },
  );

  scenario(
    'the winner lives as long as its path, and is closed with it',
    2,
    { sites: [site('port-restricted', { link: LINK }), site('symmetric-random', { link: LINK })] },
    async (world) => {
      const [a, b] = world.members as [Member, Member];
      await becomesDirect(world, PUNCH_MS);
      expect(extraSockets(b)).toBeGreaterThanOrEqual(1);
      expect(extraSockets(b)).toBeLessThanOrEqual(1 + LIFETIME_SOCKETS);
      await world.runFor(180_000);
      expect(world.allDirect()).toBe(true);
      a.stop();
      await world.until('its socket is closed', () => extraSockets(b) <= LIFETIME_SOCKETS, 10_000);
      a.start();
      await world.until('direct again', () => world.pairs().length === 2 && world.allDirect(), 150_000);
    },
  );
});

const CROWDED: NatOptions = {
  ...NATS['symmetric-sequential'],
  ports: { kind: 'sequential', step: 1, foreignPerSecond: 400 },
};

test.each([
  ['a counter', NATS['symmetric-sequential'], 1_024, 40],
  ['a counter in a crowd', CROWDED, 512, 30],
] as const)(
  'an ambush of %s hits as often as the theory says, b / N',
  async (name, counter, size, count) => {
    const block: NatOptions = { ...NATS['symmetric-block'], ports: { kind: 'block', size, within: 'random' } };
    const sites = [counter, block].map((nat) => ({ nats: [nat], link: LINK }));
    const runs = seeds(count);
    let hits = 0;
    let expected = 0;
    let variance = 0;
    for (const seed of runs) {
      const world = createWorld({ seed: `ambush of ${name}/${seed}`, sites });
      await world.joinAll(200);
      let odds = 0;
      const shown = () => world.members.flatMap((member) => member.snapshot().peers[0]?.punch ?? []);
      const running = () => shown().some(({ strategy }) => strategy === 'ambush');
      await world.until('an ambush', running, 10_000);
      const over = () => {
        for (const punch of shown()) if (punch.strategy === 'ambush') odds = Math.max(odds, punch.odds ?? 0);
        return world.allDirect() || !running();
      };
      await world.until('its end', over, 15_000);
      if (world.allDirect()) hits += 1;
      expected += odds;
      variance += odds * (1 - odds);
      world.check();
      world.close();
    }
    // A quarter of the larger block, and nearly half of the smaller one, or more where it is smaller than it seems.
    expect(expected / runs.length).toBeGreaterThan(230 / size);
    expect(expected / runs.length).toBeLessThan(400 / size);
    // One in a thousand, on either side.
    expect(Math.abs(hits - expected)).toBeLessThan(3.3 * Math.sqrt(variance));
  },
  120_000,
);
