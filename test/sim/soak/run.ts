/**
 * One world of the long random run: a room is disturbed, mended, and looked at, again and again. When it is mended everyone
 * must reach everyone, and directly where the theory gives a path that needs no guess; then it must stay so.
 */
import { createRandom } from '../core/random.ts';
import { violationsOf } from '../invariants.ts';
import type { Member } from '../member.ts';
import { type Prospect, prospect } from '../theory.ts';
import { createWorld, type Site, type World } from '../world.ts';
import { Disturbances } from './disturbances.ts';
import { randomRoom } from './rooms.ts';

export interface SoakResult {
  seed: number;
  simulatedMs: number;
  /** Null where every invariant held. */
  error: string | null;
  /** Pairs (in one direction) that were direct at the end of a calm, of all, by what the theory says of them. */
  pairs: Partial<Record<Prospect, { direct: number; all: number }>>;
}

const WORLD_MS = 900_000;
/** A server's members come back within 45 s, a path's probation takes up to 30 s. */
const CONNECTED_MS = 90_000;
const DIRECT_MS = 120_000;
/** Who passes for connected may not have noticed yet that a NAT forgot its connection to the server: that, and coming back. */
const REACHED_MS = 60_000;
/** One way, of both lines together: of the 3 % at which the engine prefers a relay, what leaves room for bad luck. */
const MAX_LOSS = 0.02;
/** How often everyone is looked at, where it takes seconds. */
const LOOK_MS = 100;

export async function soak(seed: number, worldMs = WORLD_MS): Promise<SoakResult> {
  const random = createRandom(`soak ${seed}`);
  const world = createWorld({ ...randomRoom(random.stream('room')), seed: `soak ${seed}` });
  const disturbances = new Disturbances(world, random.stream('disturbances'));
  const pairs: SoakResult['pairs'] = {};
  let error: string | null = null;
  try {
    await world.joinAll(3_000);
    while (world.timeline.now() < worldMs) {
      await calm(world);
      tally(world, pairs);
      await disturb(world, disturbances);
    }
    const violations = violationsOf(world);
    if (violations.length > 0) throw new Error(violations.join('\n'));
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    error = [message, world.describe(), ...disturbances.history].join('\n');
  } finally {
    world.close();
  }
  return { seed, simulatedMs: world.timeline.now(), error, pairs };
}

/** Nothing happens: everyone is connected, packets arrive, direct paths are found and stay. */
async function calm(world: World): Promise<void> {
  const all = world.members.length * (world.members.length - 1);
  const connected = () => {
    // Started while no server was there.
    for (const member of world.members) if (member.ended?.code === 'no-server') member.start();
    return world.pairs().length === all && world.allConnected();
  };
  await world.until('everyone connected', connected, CONNECTED_MS);
  await world.everyoneReachesEveryone(REACHED_MS);
  const easy = world.pairs().filter(([a, b]) => prospectOf(world, a, b) === 'open' && !isLossy(world, a, b));
  const missing = () => easy.filter(([a, b]) => !a.directTo(b)).map(([a, b]) => `${a.nick} to ${b.nick}`);
  if (!(await world.timeline.until(() => missing().length === 0, DIRECT_MS, LOOK_MS))) {
    throw new Error(`not direct within ${DIRECT_MS} ms: ${missing().join(', ')}`);
  }
  await stays(world);
}

/** A minute or two, with traffic between two of them: whoever is connected stays so. */
async function stays(world: World): Promise<void> {
  const [from, to] = world.random.pick(world.pairs());
  const flow = world.flow(from, to, 50);
  await world.runFor(world.random.int(5_000, 20_000));
  flow.stop();
  await world.runFor(world.random.int(5_000, 90_000));
  const lost = world.pairs().filter(([a, b]) => !a.connectedTo(b));
  if (lost.length > 0) throw new Error(`lost in peace: ${lost.map(([a, b]) => `${a.nick} to ${b.nick}`).join(', ')}`);
}

async function disturb(world: World, disturbances: Disturbances): Promise<void> {
  const flows = world.random.chance(0.7) ? [world.random.pick(world.pairs())] : [];
  const running = flows.map(([from, to]) => world.flow(from, to, 50));
  for (let left = world.random.int(1, 8); left > 0; left--) {
    disturbances.next();
    await world.runFor(world.random.int(200, 15_000));
  }
  disturbances.repair();
  for (const flow of running) flow.stop();
}

function tally(world: World, pairs: SoakResult['pairs']): void {
  for (const [a, b] of world.pairs()) {
    const count = (pairs[prospectOf(world, a, b)] ??= { direct: 0, all: 0 });
    count.all++;
    if (a.directTo(b)) count.direct++;
  }
}

/** Members of one LAN, and two with IPv6, need nothing of their NATs but that they let UDP pass. */
function prospectOf(world: World, a: Member, b: Member): Prospect {
  const [here, there] = [siteOf(world, a), siteOf(world, b)];
  const passes = ({ nats }: Site) => nats.every(({ options }) => options.udpBlocked !== true);
  if (here === there || (hasIpv6(a) && hasIpv6(b) && passes(here) && passes(there))) return 'open';
  return prospect(
    here.nats.map(({ options }) => options),
    there.nats.map(({ options }) => options),
  );
}

/** A direct path that loses much more than a relay may be left for it (3-traversal, "Paths"). */
function isLossy(world: World, a: Member, b: Member): boolean {
  const [here, there] = [siteOf(world, a), siteOf(world, b)];
  return here !== there && here.loss + there.loss > MAX_LOSS;
}

function siteOf(world: World, member: Member): Site {
  const found = world.sites.find(({ members }) => members.includes(member));
  if (found === undefined) throw new Error(`${member.nick} lives nowhere`);
  return found;
}

function hasIpv6(member: Member): boolean {
  return member.host.addresses().some(({ family }) => family === 6);
}
