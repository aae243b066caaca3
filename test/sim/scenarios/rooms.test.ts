/** Rooms: full ones, bad lines, wrong passwords, clashing names, people who come and go. */
import { describe, expect, test } from 'vitest';
import { runJob } from '../../../engine/net/crypto-worker/jobs.ts';
import { createRandom } from '../core/random.ts';
import type { Member } from '../member.ts';
import { type Profile, site } from '../profiles.ts';
import { scenario } from '../scenario.ts';
import { createWorld } from '../world.ts';

const EASY: Profile[] = ['public', 'full-cone', 'address-restricted', 'port-restricted', 'netfilter', 'cgnat'];
const ANY: Profile[] = [...EASY, 'symmetric-random', 'symmetric-sequential', 'udp-blocked'];

describe('a room of 8', () => {
  scenario(
    'behind easy NATs: everyone direct to everyone',
    3,
    (seed) => ({ sites: Array.from({ length: 8 }, (_, i) => site(createRandom(`${seed} ${i}`).pick(EASY))) }),
    async (world) => {
      await world.joinAll(2_000);
      await world.until('everyone direct', () => world.pairs().length === 56 && world.allDirect(), 20_000);
      await world.runFor(30_000);
      expect(world.allDirect()).toBe(true);
    },
  );

  scenario(
    'behind any NATs: everyone connected',
    3,
    (seed) => ({ sites: Array.from({ length: 8 }, (_, i) => site(createRandom(`any ${seed} ${i}`).pick(ANY))) }),
    async (world) => {
      await world.joinAll(2_000);
      await world.until('everyone connected', () => world.pairs().length === 56 && world.allConnected(), 20_000);
      await world.runFor(30_000);
      expect(world.allConnected()).toBe(true);
    },
  );
});

scenario(
  'one who was blocked and is taken back is direct again, whoever begins',
  6,
  { sites: [site('public'), site('full-cone')] },
  async (world) => {
    await world.joinAll(200);
    const [ann, bob] = world.members as [Member, Member];
    await world.until('direct', () => world.allDirect(), 5_000);
    await ann.engine?.command({ type: 'block', peer: bob.nick, on: true });
    await world.runFor(world.random.int(15_000, 40_000));
    expect(ann.connectedTo(bob)).toBe(false);
    await ann.engine?.command({ type: 'block', peer: bob.nick, on: false });
    await world.until('direct again', () => ann.directTo(bob) && bob.directTo(ann), 20_000);
  },
);

describe('bad lines', () => {
  for (const [name, link] of [
    ['10 % loss', { delayMs: 15, loss: 0.1 }],
    ['300 ms round trip', { delayMs: 75, jitterMs: 5 }],
    ['10 % loss and 300 ms', { delayMs: 75, loss: 0.1 }],
    ['reordering and duplicates', { delayMs: 15, reorder: 0.1, duplicate: 0.1 }],
    ['50 ms of jitter', { delayMs: 10, jitterMs: 50 }],
  ] as const) {
    scenario(
      `${name}: direct, without flapping`,
      4,
      { sites: [site('port-restricted', { link }), site('address-restricted', { link })] },
      async (world) => {
        await world.joinAll(300);
        await world.until('connected', () => world.allConnected(), 10_000);
        await world.until('a direct path', () => world.allDirect(), 15_000);
        const [a, b] = world.members as [Member, Member];
        const flow = world.flow(a, b, 50);
        await world.runFor(60_000);
        flow.stop();
        expect(world.allConnected()).toBe(true);
      },
    );
  }
});

scenario(
  'with the real scrypt and CPace',
  2,
  { sites: [site('port-restricted'), site('cgnat')], compute: runJob },
  async (world) => {
    await world.joinAll(300);
    await world.until('direct', () => world.allDirect() && world.pairs().length === 2, 5_000);
  },
);

describe('passwords and names', () => {
  const two = { sites: [site('port-restricted', { members: ['ann'] }), site('port-restricted', { members: ['bob'] })] };

  scenario('a wrong password ends with its code, and nobody meets', 3, two, async (world) => {
    const [ann, bob] = [world.member('ann'), world.member('bob')];
    ann.start();
    await world.runFor(1_000);
    bob.start({ password: 'hunter2', create: false });
    await world.until('bob is told', () => bob.ended !== null, 30_000);
    expect(bob.ended?.code).toBe('wrong-password');
    expect(ann.snapshot().peers).toEqual([]);
    await world.until('ann is told', () => ann.snapshot().notices.some(({ code }) => code === 'failed-guess'), 15_000);
  });

  scenario('without a server the engine ends with its code', 1, two, async (world) => {
    const ann = world.member('ann');
    ann.start({ servers: ['ws://203.0.113.200:8787'] });
    await world.until('ann is told', () => ann.ended !== null, 60_000);
    expect(ann.ended?.code).toBe('no-server');
  });

  scenario('a room of one waits', 1, two, async (world) => {
    const ann = world.member('ann');
    ann.start();
    await world.runFor(60_000);
    expect(ann.running && ann.snapshot().state).toBe('joined');
  });

  scenario(
    'two of one name are told apart',
    2,
    { sites: ['ann', 'bob', 'cid'].map((nick) => site('port-restricted', { members: [nick] })) },
    async (world) => {
      const [ann, bob, cid] = world.members as [Member, Member, Member];
      ann.start({ nick: 'alex' });
      bob.start({ nick: 'alex' });
      cid.start();
      await world.until('connected', () => world.allConnected() && world.pairs().length === 6, 10_000);
      await world.runFor(3_000);
      const names = cid.snapshot().peers.map(({ nick }) => nick);
      expect(new Set(names).size).toBe(2);
      expect(names.every((name) => name.startsWith('alex'))).toBe(true);
      const addresses = world.members.map((member) => member.snapshot().self?.ipv4);
      expect(new Set(addresses).size).toBe(3);
    },
  );
});

describe('churn', () => {
  scenario(
    'people come, leave and crash for a minute; then everyone who is left reaches everyone',
    3,
    (seed) => ({ sites: Array.from({ length: 6 }, (_, i) => site(createRandom(`churn ${seed} ${i}`).pick(ANY))) }),
    async (world) => {
      await world.joinAll(2_000);
      for (let i = 0; i < 20; i++) {
        await world.runFor(world.random.int(500, 5_000));
        const member = world.random.pick(world.members);
        if (!member.running) member.start();
        else if (world.random.chance(0.5)) member.stop();
        else member.kill();
      }
      for (const member of world.members) if (!member.running) member.start();
      await world.until('everyone connected', () => world.pairs().length === 30 && world.allConnected(), 60_000);
    },
  );

  scenario(
    'a crash and a restart keep the address and need no new room',
    3,
    { sites: [site('port-restricted'), site('full-cone')] },
    async (world) => {
      await world.joinAll(200);
      await world.until('direct', () => world.allDirect() && world.pairs().length === 2, 5_000);
      const [a, b] = world.members as [Member, Member];
      const before = a.snapshot().self?.ipv4;
      await world.runFor(2_000);
      a.kill();
      await world.runFor(1_000);
      a.start();
      await world.until('direct again', () => a.connectedTo(b) && b.connectedTo(a) && world.allDirect(), 15_000);
      expect(a.snapshot().self?.ipv4).toBe(before);
    },
  );
});

test('one seed gives one run, to the last event', async () => {
  const run = async () => {
    const world = createWorld({ seed: 'twice', sites: [site('cgnat'), site('symmetric-random'), site('full-cone')] });
    await world.joinAll(500);
    await world.runFor(20_000);
    const trace = world.members.map((member) => [member.probes, member.pathChanges, member.log]);
    world.close();
    return { events: world.timeline.eventsRun, trace };
  };
  expect(await run()).toEqual(await run());
});
