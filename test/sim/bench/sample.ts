/**
 * One measured run in virtual time: a member waits in a room, another joins with a typed password. One-way delays as in the
 * product's numbers: server 5 ms, clients 10 ms.
 */
import type { Member } from '../member.ts';
import { type Profile, site } from '../profiles.ts';
import { createWorld, type World } from '../world.ts';

/** What is not direct by then counts as relayed. */
const LIMIT_MS = 30_000;
/** The waiting member has learned its NAT, and the two keepalives are not in step. */
const SETTLED_MS = 3_000;

export interface ConnectSample {
  seed: number;
  /** Milliseconds after the second member's start; null when it did not happen. */
  firstPacketMs: number | null;
  directMs: number | null;
  /** Pings of the side that sent more, until direct or until the limit. */
  probes: number;
  /** Mappings in the first router of either side, discovery included; none where there is no router. */
  mappings: [number, number];
}

/** A run by its seed; `look` is called with the world before it is closed. */
export async function connectOnce(
  pair: readonly [Profile, Profile],
  seed: number,
  look: (world: World) => void = () => {},
): Promise<ConnectSample> {
  const link = { delayMs: 10, jitterMs: 2 };
  const world = createWorld({ seed: `bench ${seed}`, sites: pair.map((profile) => site(profile, { link })) });
  const [host, guest] = world.members as [Member, Member];
  try {
    host.start();
    await world.runFor(SETTLED_MS + world.random.float() * 1_000);
    const begin = world.timeline.now();
    guest.start();
    const flow = world.flow(guest, host, 10);
    const arrived = () => world.deliveries.all.some(({ arrivedAt }) => arrivedAt !== null);
    await world.timeline.until(arrived, LIMIT_MS);
    flow.stop();
    const first = world.deliveries.all.find(({ arrivedAt }) => arrivedAt !== null);
    const direct = () => [host, guest].every((member) => member.pathChanges.at(-1)?.path?.kind === 'udp');
    const isDirect = await world.timeline.until(direct, hopeless(pair) ? 0 : LIMIT_MS);
    const moved = [host, guest].map((member) => member.pathChanges.find(({ path }) => path?.kind === 'udp')?.at ?? 0);
    look(world);
    return {
      seed,
      firstPacketMs: first?.arrivedAt ? first.arrivedAt - begin : null,
      directMs: isDirect ? Math.max(...moved) - begin : null,
      probes: Math.max(host.probes.length, guest.probes.length),
      mappings: [mappingsAt(world, 0), mappingsAt(world, 1)],
    };
  } finally {
    world.close();
  }
}

/** Nothing is waited for where no UDP passes. */
function hopeless(pair: readonly Profile[]): boolean {
  return pair.includes('udp-blocked');
}

function mappingsAt(world: World, index: number): number {
  return world.sites[index]?.nats[0]?.bindings.created.length ?? 0;
}
