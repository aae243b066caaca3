/** A random room: who is in it, behind what, on what lines. A function of the seed. */
import type { Random } from '../core/random.ts';
import type { Behaviour } from '../net/bindings.ts';
import type { LinkOptions } from '../net/link.ts';
import type { NatOptions } from '../net/nat.ts';
import type { PortAllocation } from '../net/ports.ts';
import { NATS, PROFILES } from '../profiles.ts';
import type { SiteOptions, WorldOptions } from '../world.ts';

const BEHAVIOURS: readonly Behaviour[] = ['endpoint-independent', 'address-dependent', 'address-and-port-dependent'];
/** Small rooms are cheap, so that most of the time goes to them. */
const SIZES = [2, 2, 2, 2, 3, 3, 3, 4, 4, 5, 6];

export function randomRoom(random: Random): Omit<WorldOptions, 'seed'> {
  const members = random.pick(SIZES);
  const sites: SiteOptions[] = [];
  for (let next = 0; next < members; ) {
    const together = next + 1 < members && random.chance(0.15) ? 2 : 1;
    const nicks = Array.from({ length: together }, () => `m${next++}`);
    sites.push(randomSite(random, nicks));
  }
  const servers = Array.from({ length: random.chance(0.3) ? 2 : 1 }, () => ({ twoAddresses: random.chance(0.5) }));
  return { sites, servers };
}

function randomSite(random: Random, members: string[]): SiteOptions {
  // Two in one place are behind a router.
  const known = Object.values(PROFILES).filter((chain) => members.length === 1 || chain.length > 0);
  const chain = random.chance(0.5) ? random.pick(known) : [randomNat(random)];
  const carried = chain.length === 1 && random.chance(0.15);
  const nats: NatOptions[] = carried ? [...chain, NATS.carrier] : [...chain];
  return { nats, members, link: randomLine(random), ipv6: random.chance(0.1) };
}

function randomNat(random: Random): NatOptions {
  const mapping = random.pick(BEHAVIOURS);
  return {
    mapping,
    filtering: random.pick(BEHAVIOURS),
    ports: randomPorts(random, mapping),
    mappingLifetimeMs: random.int(20, 300) * 1_000,
    hairpin: random.pick(['none', 'internal-source', 'external-source']),
    inboundRefresh: random.chance(0.3),
    unsolicited: random.chance(0.2) ? 'reject' : 'drop',
  };
}

function randomPorts(random: Random, mapping: Behaviour): PortAllocation {
  switch (random.int(0, 3)) {
    case 0:
      return { kind: 'random' };
    case 1:
      return { kind: 'block', size: random.pick([512, 1_024, 2_048]), within: 'random' };
    case 2:
      return { kind: 'sequential', step: random.pick([1, 1, 2, -1]), foreignPerSecond: random.int(0, 30) };
    default:
      return { kind: 'preserved', conflict: mapping === 'endpoint-independent' ? 'next' : 'random' };
  }
}

function randomLine(random: Random): LinkOptions {
  return {
    delayMs: random.int(1, 60),
    jitterMs: random.int(0, 8),
    loss: random.chance(0.2) ? random.float() * 0.03 : 0,
  };
}
