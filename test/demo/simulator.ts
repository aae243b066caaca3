/** The demo without rights: the same engine in the deterministic network simulator. */
import type { Snapshot } from '../../protocol/app.ts';
import type { Member } from '../sim/member.ts';
import type { NatOptions } from '../sim/net/nat.ts';
import { createWorld, type World } from '../sim/world.ts';
import { ACTORS, DIRECT_WITHIN_MS, FINAL_PACKETS, isDirect, type Reach, type Scene } from './scene.ts';

const SEED = 7;
/** Looks and test packets come this often in simulated time. */
const STEP_MS = 20;

const NATS: Record<(typeof ACTORS)[number]['kind'], NatOptions> = {
  'port-restricted': {
    mapping: 'endpoint-independent',
    filtering: 'address-and-port-dependent',
    ports: { kind: 'preserved' },
  },
  'full-cone': { mapping: 'endpoint-independent', filtering: 'endpoint-independent', ports: { kind: 'preserved' } },
  'symmetric-random': {
    mapping: 'address-and-port-dependent',
    filtering: 'address-and-port-dependent',
    ports: { kind: 'random' },
  },
};

export function openSimulator(): Scene {
  const world = createWorld({
    seed: SEED,
    sites: ACTORS.map(({ nick, kind }) => ({ members: [nick], nats: [NATS[kind]] })),
    servers: [{ twoAddresses: true }],
  });
  return {
    play: (changed) => play(world, changed),
    close: () => {
      world.close();
      return Promise.resolve();
    },
  };
}

async function play(world: World, changed: (nick: string, snapshot: Snapshot, at: number) => void): Promise<Reach[]> {
  await world.joinAll();
  const begun = world.timeline.now();
  const reached = world.pairs().map(([from, to]) => ({ from, to, directMs: null as number | null }));
  const seen = new Map<Member, Snapshot>();
  const allDirect = () => reached.every(({ directMs }) => directMs !== null);
  for (let elapsed = 0; elapsed < DIRECT_WITHIN_MS && !allDirect(); elapsed += STEP_MS) {
    for (const pair of reached) {
      const arrived = world.deliveries
        .between(pair.from.nick, pair.to.nick)
        .some(({ arrivedAt }) => arrivedAt !== null);
      if (!arrived) pair.from.send(pair.to);
      if (pair.directMs === null && pair.from.directTo(pair.to)) pair.directMs = elapsed;
    }
    for (const member of world.members) {
      const snapshot = member.snapshot();
      if (seen.get(member) !== snapshot) changed(member.nick, snapshot, elapsed);
      seen.set(member, snapshot);
    }
    await world.runFor(STEP_MS);
  }
  const final = world.timeline.now();
  for (let packet = 0; packet < FINAL_PACKETS; packet++) {
    for (const { from, to } of reached) from.send(to);
    await world.runFor(1_000);
  }
  return reached.map(({ from, to, directMs }) => {
    const all = world.deliveries.between(from.nick, to.nick);
    const first = all.map(({ arrivedAt }) => arrivedAt ?? Infinity).reduce((a, b) => Math.min(a, b), Infinity);
    const last = all.filter(({ sentAt }) => sentAt >= final);
    const path = from.peer(to)?.path ?? null;
    return {
      from: from.nick,
      to: to.nick,
      firstPacketMs: Number.isFinite(first) ? first - begun : null,
      directMs: isDirect(path) ? directMs : null,
      path: path?.kind ?? null,
      rttMs: path?.rttMs ?? null,
      sent: FINAL_PACKETS,
      received: last.filter(({ arrivedAt }) => arrivedAt !== null).length,
    };
  });
}
