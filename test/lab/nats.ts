/** The kinds of NAT that labs are written in, and what each means to the router or the kernel. */
import type { NatConfig } from './router.ts';

/** NATs played by the user-space router, by their RFC 3489 names where they have one. */
export const routerNats = {
  'full-cone': { mapping: 'endpoint-independent', filtering: 'endpoint-independent', ports: { kind: 'preserved' } },
  'address-restricted': {
    mapping: 'endpoint-independent',
    filtering: 'address-dependent',
    ports: { kind: 'preserved' },
  },
  'port-restricted': {
    mapping: 'endpoint-independent',
    filtering: 'address-and-port-dependent',
    ports: { kind: 'preserved' },
  },
  'symmetric-random': {
    mapping: 'address-and-port-dependent',
    filtering: 'address-and-port-dependent',
    ports: { kind: 'random', low: 1024, high: 65535 },
  },
  'symmetric-sequential': {
    mapping: 'address-and-port-dependent',
    filtering: 'address-and-port-dependent',
    ports: { kind: 'sequential', step: 1, start: 20_000, low: 1024, high: 65535, foreignPerSecond: 20 },
  },
  'symmetric-block': {
    mapping: 'address-and-port-dependent',
    filtering: 'address-and-port-dependent',
    ports: { kind: 'block', size: 1024, low: 1024, high: 65535 },
  },
} as const satisfies Record<string, NatConfig>;

/** NATs played by netfilter in the site's gateway. */
export interface KernelNatConfig {
  readonly kernel: 'masquerade' | 'fully-random';
  /** What the gateway does with packets to itself from outside. A dropping one cannot have its ports stolen by an early probe. */
  readonly input?: 'accept' | 'drop';
  /** nf_conntrack_udp_timeout and its _stream twin, in seconds. Defaults 30 and 120. */
  readonly udpTimeoutS?: number;
  readonly udpStreamTimeoutS?: number;
}

export const kernelNats = {
  'kernel-masquerade': { kernel: 'masquerade' },
  'kernel-fully-random': { kernel: 'fully-random' },
} as const satisfies Record<string, KernelNatConfig>;

/** `udp-blocked` is a port-restricted NAT that passes no UDP. */
export type NatKind = 'public' | 'udp-blocked' | keyof typeof routerNats | keyof typeof kernelNats;

export const natKinds: readonly NatKind[] = [
  'public',
  ...(Object.keys(routerNats) as (keyof typeof routerNats)[]),
  ...(Object.keys(kernelNats) as (keyof typeof kernelNats)[]),
  'udp-blocked',
];

export type SiteNat =
  | { readonly type: 'public' }
  | { readonly type: 'router'; readonly nat: NatConfig; readonly udpBlocked: boolean }
  | { readonly type: 'kernel'; readonly nat: KernelNatConfig };

/** What a site's NAT description stands for. */
export function resolveNat(nat: NatKind | NatConfig | KernelNatConfig): SiteNat {
  if (typeof nat !== 'string') {
    return 'kernel' in nat ? { type: 'kernel', nat } : { type: 'router', nat, udpBlocked: false };
  }
  if (nat === 'public') return { type: 'public' };
  if (nat === 'udp-blocked') return { type: 'router', nat: routerNats['port-restricted'], udpBlocked: true };
  if (nat in kernelNats) return { type: 'kernel', nat: kernelNats[nat as keyof typeof kernelNats] };
  return { type: 'router', nat: routerNats[nat as keyof typeof routerNats], udpBlocked: false };
}
