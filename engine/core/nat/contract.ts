/**
 * NAT behaviour discovery (RFC 4787, 5780): STUN transactions from the tunnel's socket and a few fresh ones, joined
 * into a report and this host's reflexive candidates. Pure; one instance a UDP family.
 */
import type { NatReport } from '../../../protocol/nat.ts';
import type { Candidate } from '../../../protocol/peer.ts';

export interface Endpoint {
  ip: string;
  port: number;
}

/** One STUN server as it was announced: 1, 2 or 4 endpoints. */
export interface StunServer {
  primary: Endpoint;
  secondPort: Endpoint | null;
  /** RFC 5780 with a second address: the same two ports there. */
  alternate: Endpoint | null;
}

export interface NatOptions {
  family: 4 | 6;
  random: (length: number) => Uint8Array;
  /** Local addresses of the host, to recognise `none` (no NAT). */
  localAddresses: string[];
  /** Local port of the main socket. */
  localPort: number;
}

export type NatEvent =
  | { type: 'servers'; servers: StunServer[] }
  /** A WebSocket to a server stands: TCP works, so that silence means UDP is blocked. */
  | { type: 'tcp-reachable' }
  | { type: 'socket'; request: number; socket: number; port: number }
  | { type: 'stun'; socket: number; from: Endpoint; bytes: Uint8Array; at: number }
  /** Addresses changed or the host slept: measure again. */
  | { type: 'network-changed'; localAddresses: string[] }
  /** Whether some peer is not direct: a light mapping check every 20 to 26 s. */
  | { type: 'watch'; on: boolean }
  | { type: 'tick' };

export type NatAction =
  | { type: 'stun'; socket: number; to: Endpoint; bytes: Uint8Array }
  /** Answered by a `socket` event with the same request number. */
  | { type: 'open-socket'; request: number }
  | { type: 'close-socket'; socket: number }
  | { type: 'report'; report: NatReport; candidates: Candidate[] }
  | { type: 'wake'; at: number };

export interface NatCore {
  handle(now: number, event: NatEvent): NatAction[];
  report(): NatReport;
  /** A server that has answered in this round, for measurements of others: the first, or of all in turn. */
  answering(turn?: number): Endpoint | null;
  /** Servers with different addresses have answered: one address alone cannot tell a mapping for each. */
  comparesAddresses(): boolean;
  /** True once mapping and filtering have an answer or have given up, and while there is no server to ask. */
  settled(): boolean;
}
/** `engine/core/nat/discovery.ts` exports `createNatCore: (options: NatOptions) => NatCore`; main socket id is 0 (v4) or 1 (v6). */
