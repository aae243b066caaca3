/** Kinds of access that players have, by the names that lab and simulator share. */
import type { NatOptions } from './net/nat.ts';
import type { SiteOptions } from './world.ts';

const EIM = { mapping: 'endpoint-independent', ports: { kind: 'preserved' } } as const;
const APDM = { mapping: 'address-and-port-dependent', filtering: 'address-and-port-dependent' } as const;

export const NATS = {
  'full-cone': { ...EIM, filtering: 'endpoint-independent' },
  'address-restricted': { ...EIM, filtering: 'address-dependent' },
  'port-restricted': { ...EIM, filtering: 'address-and-port-dependent' },
  /** nftables masquerade on a router that drops what it did not ask for: ports kept, shared by destination. */
  netfilter: { ...APDM, ports: { kind: 'preserved', conflict: 'random' }, sharedPorts: true },
  /** The same on a router that accepts, or refuses with ICMP: a stranger's packet takes the 5-tuple. */
  'netfilter-accepting': {
    ...APDM,
    ports: { kind: 'preserved', conflict: 'random' },
    sharedPorts: true,
    unsolicitedTakesPort: true,
    unsolicited: 'reject',
  },
  'symmetric-open': { ...APDM, filtering: 'endpoint-independent', ports: { kind: 'random' } },
  /** The same where an answer leaves by the mapping that let the question in. */
  'symmetric-open-flows': { ...APDM, filtering: 'endpoint-independent', ports: { kind: 'random' }, flows: true },
  'symmetric-restricted': { ...APDM, filtering: 'address-dependent', ports: { kind: 'random' } },
  'symmetric-restricted-flows': { ...APDM, filtering: 'address-dependent', ports: { kind: 'random' }, flows: true },
  'symmetric-random': { ...APDM, ports: { kind: 'random' } },
  'symmetric-sequential': { ...APDM, ports: { kind: 'sequential', step: 1, foreignPerSecond: 20 } },
  'symmetric-down': { ...APDM, ports: { kind: 'sequential', step: -2, foreignPerSecond: 20 } },
  'symmetric-block': { ...APDM, ports: { kind: 'block', size: 1_024, within: 'random' } },
  'udp-blocked': { ...EIM, filtering: 'address-and-port-dependent', udpBlocked: true },
  carrier: { ...EIM, filtering: 'address-and-port-dependent', ports: { kind: 'block', size: 512, within: 'random' } },
} satisfies Record<string, NatOptions>;

export const PROFILES = {
  public: [],
  'full-cone': [NATS['full-cone']],
  'address-restricted': [NATS['address-restricted']],
  'port-restricted': [NATS['port-restricted']],
  netfilter: [NATS.netfilter],
  cgnat: [NATS['port-restricted'], NATS.carrier],
  'symmetric-open': [NATS['symmetric-open']],
  'symmetric-open-flows': [NATS['symmetric-open-flows']],
  'symmetric-restricted': [NATS['symmetric-restricted']],
  'symmetric-restricted-flows': [NATS['symmetric-restricted-flows']],
  'symmetric-random': [NATS['symmetric-random']],
  'symmetric-sequential': [NATS['symmetric-sequential']],
  'symmetric-down': [NATS['symmetric-down']],
  'symmetric-block': [NATS['symmetric-block']],
  'udp-blocked': [NATS['udp-blocked']],
} satisfies Record<string, NatOptions[]>;

export type Profile = keyof typeof PROFILES;

export function site(profile: Profile, more: Omit<SiteOptions, 'nats'> = {}): SiteOptions {
  return { nats: PROFILES[profile], ...more };
}

/** Every unordered pair, with itself too. */
export function profilePairs(): [Profile, Profile][] {
  const names = Object.keys(PROFILES) as Profile[];
  return names.flatMap((a, i) => names.slice(i).map((b): [Profile, Profile] => [a, b]));
}
