/** What is measured of a NAT is evidence: where it misleads, members still connect, and directly where a path exists. */
import { describe, expect } from 'vitest';
import type { Packet } from '../net/packet.ts';
import { NATS, site } from '../profiles.ts';
import { scenario } from '../scenario.ts';
import type { SimServer } from '../server.ts';
import type { World } from '../world.ts';

const LINK = { delayMs: 10, jitterMs: 2 };
const EASY = { sites: [site('port-restricted', { link: LINK }), site('cgnat', { link: LINK })] };
const HARD = { sites: [site('port-restricted', { link: LINK }), site('symmetric-random', { link: LINK })] };
const COUNTED = { sites: [site('port-restricted', { link: LINK }), site('symmetric-sequential', { link: LINK })] };

const ANOTHER_PORT_EACH_TIME =
  'each answer looks like a new network, is measured anew, and makes some twenty mappings more than the budget has';

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

    scenario(`all of the second port's: ${name}`, 3, spec, async (world) => {
      world.internet.lose = (packet) => fromServer(packet) && packet.kind === 'udp' && packet.src.port === 3_479;
      await becomesDirect(world, limitMs);
    });
  }
});

describe('one server of two that lies', () => {
  for (const lie of ['address', 'port', 'other-address'] as const satisfies SimServer['lie'][]) {
    for (const [name, spec, limitMs] of [
      ['an easy pair', EASY, 20_000],
      ['a hard pair', HARD, 300_000],
      ['a counter', COUNTED, 300_000],
    ] as const) {
      for (const liar of [0, 1]) {
        scenario(
          `server ${liar}, about the ${lie}: ${name}`,
          2,
          { ...spec, servers: [{}, {}] },
          async (world) => {
            const server = world.servers[liar];
            if (server !== undefined) server.lie = lie;
            await becomesDirect(world, limitMs);
          },
          lie === 'port' && liar === 0 && spec === COUNTED ? ANOTHER_PORT_EACH_TIME : undefined,
        );
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
