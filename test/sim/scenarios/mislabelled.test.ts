/** What is measured of a NAT is evidence: where it misleads, members still connect, and directly where a path exists. */
import { describe, expect } from 'vitest';
import type { Member } from '../member.ts';
import type { Packet } from '../net/packet.ts';
import { NATS, site } from '../profiles.ts';
import { scenario } from '../scenario.ts';
import type { Lie, SimServer } from '../server.ts';
import type { World } from '../world.ts';

const LINK = { delayMs: 10, jitterMs: 2 };
const EASY = { sites: [site('port-restricted', { link: LINK }), site('cgnat', { link: LINK })] };
const HARD = { sites: [site('port-restricted', { link: LINK }), site('symmetric-random', { link: LINK })] };
const COUNTED = { sites: [site('port-restricted', { link: LINK }), site('symmetric-sequential', { link: LINK })] };

async function becomesDirect(world: World, limitMs: number): Promise<void> {
  await world.joinAll(300);
  await world.until('connected', () => world.pairs().length === 2 && world.allConnected(), 5_000);
  await world.until('direct', () => world.allDirect(), limitMs);
  await world.runFor(3_000);
  expect(world.allDirect()).toBe(true);
}

function fromServer({ kind, src }: Packet): boolean {
  return kind === 'udp' && src.ip.startsWith('203.0.113.');
}

describe('answers of STUN servers that are lost', () => {
  for (const [name, spec, limitMs] of [
    ['an easy pair', EASY, 10_000],
    ['a hard pair', HARD, 300_000],
    ['a counter', COUNTED, 300_000],
  ] as const) {
    scenario(`half of all: ${name}`, 4, { ...spec, servers: [{ twoAddresses: true }] }, async (world) => {
      world.internet.lose = (packet) => fromServer(packet) && world.random.chance(0.5);
      await becomesDirect(world, limitMs);
    });

    // One endpoint tells nothing of a mapping: each probe counts as one, and some three attempts must fit into the budget.
    scenario(`all of the second port's: ${name}`, 3, spec, async (world) => {
      world.internet.lose = (packet) => fromServer(packet) && packet.kind === 'udp' && packet.src.port === 3_479;
      await becomesDirect(world, 3 * limitMs);
    });
  }
});

scenario(
  'a hard NAT that seems easy: direct again when the path that a doubt has found is lost',
  2,
  HARD,
  async (world) => {
    const [a, b] = world.members as [Member, Member];
    world.internet.lose = (packet) => fromServer(packet) && packet.kind === 'udp' && packet.src.port === 3_479;
    await becomesDirect(world, 900_000);
    await world.runFor(180_000);
    world.sites[1]?.nats[0]?.flush();
    await world.until('lost', () => !a.directTo(b) && !b.directTo(a), 30_000);
    await world.until('direct again', () => world.allDirect(), 900_000);
  },
);

describe('one server of two that lies', () => {
  for (const lie of ['address', 'port', 'other-address'] as const satisfies SimServer['lie'][]) {
    for (const [name, spec, limitMs] of [
      ['an easy pair', EASY, 20_000],
      ['a hard pair', HARD, 300_000],
      ['a counter', COUNTED, 300_000],
    ] as const) {
      for (const liar of [0, 1]) {
        scenario(`server ${liar}, about the ${lie}: ${name}`, 2, { ...spec, servers: [{}, {}] }, async (world) => {
          const server = world.servers[liar];
          if (server !== undefined) server.lie = lie;
          await becomesDirect(world, limitMs);
        });
      }
    }
  }

  scenario('and the only one: the relay works', 3, EASY, async (world) => {
    for (const server of world.servers) server.lie = 'address';
    await world.joinAll(300);
    await world.until('connected', () => world.pairs().length === 2 && world.allConnected(), 5_000);
    await world.runFor(60_000);
    expect(world.allConnected()).toBe(true);
  });
});

/** Lies that are the same whenever the same is asked, so that nothing but the other server contradicts them. */
const CONSISTENT: Record<string, (world: World) => Lie> = {
  'one mapping for all': () => {
    const ports = new Map<string, number>();
    return (client) => ({ ...client, port: remembered(ports, client.ip, () => client.port) });
  },
  'a counter': () => {
    const ports = new Map<string, number>();
    return (client, to) => {
      const port = remembered(ports, `${client.ip} ${client.port} ${to.ip} ${to.port}`, () => 20_000 + ports.size);
      return { ...client, port };
    };
  },
  'ports that are kept': (world) => (client) => {
    const mappings = world.sites.flatMap(({ nats }) =>
      nats.flatMap((nat) => nat.bindings.at(world.timeline.now(), client)),
    );
    return { ...client, port: mappings[0]?.inside.port ?? client.port };
  },
  'ports at random': ({ random }) => {
    const ports = new Map<string, number>();
    return (client, to) => {
      const drawn = () => random.int(1_024, 65_535);
      return { ...client, port: remembered(ports, `${client.ip} ${client.port} ${to.ip} ${to.port}`, drawn) };
    };
  },
  'a block': ({ random }) => {
    const ports = new Map<string, number>();
    return (client, to) => {
      const drawn = () => random.int(30_000, 30_255);
      return { ...client, port: remembered(ports, `${client.ip} ${client.port} ${to.ip} ${to.port}`, drawn) };
    };
  },
};

function remembered(ports: Map<string, number>, key: string, make: () => number): number {
  const port = ports.get(key) ?? make();
  ports.set(key, port);
  return port;
}

describe('every label that one server of two can forge, beside a strict partner', () => {
  for (const truth of ['port-restricted', 'symmetric-random', 'symmetric-sequential', 'symmetric-block'] as const) {
    for (const [name, forge] of Object.entries(CONSISTENT)) {
      for (const liar of [0, 1]) {
        const spec = {
          sites: [site('port-restricted', { link: LINK }), site(truth, { link: LINK })],
          servers: [{}, {}],
        };
        const forged = async (world: World) => {
          const server = world.servers[liar];
          if (server !== undefined) server.lie = forge(world);
          await becomesDirect(world, 600_000);
        };
        scenario(`${truth}: server ${liar} sees ${name}`, 2, spec, forged);
      }
    }
  }
});

describe('a NAT that is not what it was', () => {
  for (const [name, before, after, limitMs] of [
    ['easy, then hard', NATS['port-restricted'], NATS['symmetric-random'], 300_000],
    ['hard, then easy', NATS['symmetric-random'], NATS['port-restricted'], 60_000],
    ['easy, then a counter', NATS['full-cone'], NATS['symmetric-sequential'], 60_000],
    ['a counter, then at random', NATS['symmetric-sequential'], NATS['symmetric-random'], 300_000],
  ] as const) {
    scenario(name, 3, { sites: [site('port-restricted'), { nats: [before], link: LINK }] }, async (world) => {
      await becomesDirect(world, 150_000);
      world.sites[1]?.nats[0]?.become(after);
      const changed = world.timeline.now();
      const moved = () => world.members.every((member) => (member.pathChanges.at(-1)?.at ?? 0) > changed);
      await world.until('direct by another path', () => moved() && world.allDirect(), limitMs);
      await world.runFor(10_000);
      expect(world.allDirect()).toBe(true);
    });
  }
});

describe('ports that are kept until two want the same', () => {
  for (const conflict of ['next', 'random'] as const) {
    scenario(
      `and then another (${conflict}): three behind it, two elsewhere`,
      3,
      {
        sites: [
          {
            nats: [{ ...NATS['port-restricted'], ports: { kind: 'preserved', conflict } }],
            members: ['ann', 'bob', 'cid'],
          },
          site('port-restricted', { members: ['dan'] }),
          site('cgnat', { members: ['eve'] }),
        ],
      },
      async (world) => {
        // The very same port inside for each of the three.
        await world.joinAll(500);
        await world.until('everyone direct', () => world.pairs().length === 20 && world.allDirect(), 20_000);
      },
    );
  }
});
