/** What is known of a host's NAT (RFC 4787, RFC 5780). Unknown is a value of its own, never false. */
import * as z from 'zod';

export const mappingBehaviour = z.enum([
  'endpoint-independent',
  'address-dependent',
  'address-and-port-dependent',
  'none',
  'unknown',
]);
export type MappingBehaviour = z.infer<typeof mappingBehaviour>;

export const filteringBehaviour = z.enum([
  'endpoint-independent',
  'address-dependent',
  'address-and-port-dependent',
  'unknown',
]);
export type FilteringBehaviour = z.infer<typeof filteringBehaviour>;

/** NAT1 full cone, NAT2 address-restricted, NAT3 port-restricted, NAT4 symmetric (RFC 3489's four). */
export const natType = z.enum(['open', 'NAT1', 'NAT2', 'NAT3', 'NAT4', 'udp-blocked', 'unknown']);
export type NatType = z.infer<typeof natType>;

const port = z.int().min(1).max(65_535);

/** One hypothesis about where a NAT draws external ports from, uniformly; weights of all sum to about 1. */
export const portRange = z.object({
  low: port,
  high: port,
  weight: z.number().gt(0).max(1),
});
export type PortRange = z.infer<typeof portRange>;

export const natReport = z.object({
  mapping: mappingBehaviour,
  filtering: filteringBehaviour,
  type: natType,
  ports: z.object({
    kind: z.enum(['preserved', 'sequential', 'block', 'random', 'unknown']),
    /** Signed step of a sequential allocation. */
    step: z.number().nullable().optional(),
    /** Where the measured ones lie: guesses are drawn from there, so that nothing else may pass. */
    low: port.nullable().optional(),
    high: port.nullable().optional(),
    /** Of a block or random allocation: what the measured ports leave possible, likeliest first. */
    ranges: z
      .array(portRange.refine((range) => range.low <= range.high))
      .max(8)
      .optional(),
  }),
  hairpin: z.boolean().nullable(),
  publicAddresses: z.array(z.string().max(64)).max(8),
  cgnat: z.boolean().nullable(),
  /** For how long a mapping is known to live without a packet from inside; null while that is unknown. */
  lifetimeSeconds: z.number().positive().max(86_400).nullable().optional(),
  ipv6: z.boolean(),
  /** IPv4 is reached through the network's translator (RFC 6146): this host has IPv6 only. */
  nat64: z.boolean().optional(),
  portMapping: z.object({
    state: z.enum(['off', 'none', 'active', 'failed']),
    protocol: z.enum(['upnp', 'nat-pmp', 'pcp']).optional(),
    /** `ip:port`. */
    external: z.string().max(64).optional(),
    /** Another NAT stands outside the router: the port is open for those behind the same one only. */
    doubleNat: z.boolean().optional(),
    /** The IPv6 router's firewall, once that router has answered. */
    pinhole: z
      .object({
        state: z.enum(['active', 'failed']),
        protocol: z.enum(['upnp', 'pcp']).optional(),
        /** `[ip]:port`, to which everybody is let in. */
        external: z.string().max(64).optional(),
      })
      .optional(),
  }),
});
export type NatReport = z.infer<typeof natReport>;

export const UNKNOWN_NAT: NatReport = {
  mapping: 'unknown',
  filtering: 'unknown',
  type: 'unknown',
  ports: { kind: 'unknown', step: null, low: null, high: null },
  hairpin: null,
  publicAddresses: [],
  cgnat: null,
  ipv6: false,
  portMapping: { state: 'none' },
};
