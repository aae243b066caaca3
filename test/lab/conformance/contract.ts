/**
 * What the NAT conformance cases need from a NAT. The lab implements it with real sockets in namespaces, the simulator with its
 * virtual network, and both must pass the same cases (RFC 4787 names the behaviours).
 *
 * The picture: one inside host behind the NAT with any number of UDP sockets, and outside two addresses, A and B, each with two
 * ports, 1 and 2. Nothing but the NAT under test stands between them; links have no loss.
 */

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** The four outside sockets: two addresses with two ports each. */
export type Outside = 'A1' | 'A2' | 'B1' | 'B2';

/** Label of an inside socket; it is bound to a free local port at its first use, one port for one label. */
export type InsideSocket = string;

export interface NatUnderTest {
  /** Sends a datagram from an inside socket to an outside one. Resolves with the source seen outside, or null if none arrived. */
  sendFromInside(socket: InsideSocket, to: Outside): Promise<Endpoint | null>;

  /** Sends a datagram from an outside socket to an external endpoint. Resolves with whether the inside socket received it. */
  sendFromOutside(from: Outside, to: Endpoint, receiver: InsideSocket): Promise<boolean>;

  /** Sends between two inside sockets by an external endpoint. Resolves with the source that the receiver saw, or null. */
  sendHairpin(socket: InsideSocket, to: Endpoint, receiver: InsideSocket): Promise<Endpoint | null>;

  /** Local port of an inside socket. */
  localPort(socket: InsideSocket): Promise<number>;

  /** Lets this much time pass on the NAT's clock, in milliseconds. */
  advance(ms: number): Promise<void>;
}

export type Dependence = 'endpoint-independent' | 'address-dependent' | 'address-and-port-dependent';

/** How external ports are drawn. Ranges are inclusive. */
export type ExpectedPorts =
  /** The inside port, while it is free; for a conflicting mapping any other port. */
  | { readonly kind: 'preserved' }
  /** Each new mapping is `step` after the one before (no foreign traffic in the conformance run). */
  | { readonly kind: 'sequential'; readonly step: number; readonly low: number; readonly high: number }
  /** All mappings of the host within one aligned block of `size` ports. */
  | { readonly kind: 'block'; readonly size: number; readonly low: number; readonly high: number }
  | { readonly kind: 'random'; readonly low: number; readonly high: number };

/** The table row that a NAT under test is held against. */
export interface ExpectedNat {
  readonly mapping: Dependence;
  readonly filtering: Dependence;
  readonly ports: ExpectedPorts;
  /** Whether an inside socket is reached through another's external endpoint (no filter applies to it). */
  readonly hairpin: boolean;
  /** External addresses that mappings may be given. */
  readonly external: readonly string[];
  /** Idle time after which a mapping ends, in milliseconds; null leaves the lifetime cases out. */
  readonly lifetimeMs: number | null;
  /** Whether accepted inbound datagrams keep the mapping alive (RFC 4787 REQ-6 allows either). */
  readonly inboundRefresh: boolean;
  /** Idle time of a filter entry where it differs from the mapping's, in milliseconds. */
  readonly filterLifetimeMs?: number;
}
