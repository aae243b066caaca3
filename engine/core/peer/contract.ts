/**
 * One peer's traversal: candidates, authenticated probes, and the choice of path. Pure: every input is an event in one
 * queue. It knows how to reach a member; the room core knows who it is.
 */
import type { PathKind, PeerPath, PeerSnapshot, RelayReason } from '../../../protocol/app.ts';
import type { NatReport } from '../../../protocol/nat.ts';
import type { Candidate, PeerMessage } from '../../../protocol/peer.ts';

export interface Endpoint {
  ip: string;
  port: number;
}
export type Via = { socket: number; remote: Endpoint } | 'external';
export type CorePath =
  /** `mtu`: longest IP packet that is known to pass. */
  { kind: 'udp'; socket: number; to: Endpoint; mtu: number } | { kind: 'external' };

export interface PeerOptions {
  /** Lower public key: breaks ties, so that both sides choose alike. */
  lower: boolean;
  relayOnly: boolean;
  /** Main sockets of the device: 0 is IPv4, 1 is IPv6 when present. */
  families: (4 | 6)[];
  /** Addresses that no path may lead to: the room's own, or the tunnel would carry itself. Default: none. */
  refuses?: (ip: string) => boolean;
}

export type PeerEvent =
  | { type: 'relay'; up: boolean; host: string }
  /** Own candidates and report, at the start and at each change. */
  | { type: 'local'; candidates: Candidate[]; nat: NatReport }
  /** `candidates` and `candidates-ack` (and, later, punch messages) from the peer. */
  | { type: 'message'; message: PeerMessage }
  | { type: 'ping'; via: Via; seq: number; at: number }
  | { type: 'pong'; via: Via; seq: number; observed: Endpoint | null; rttMs: number; at: number }
  | { type: 'handshake'; at: number }
  /** Counters since the last event, given every 250 ms while they move. */
  | { type: 'traffic'; txPackets: number; rxPackets: number; at: number }
  /** A punch pinged a guessed address: between two NATs that map by destination its answer may come from elsewhere. */
  | { type: 'punched'; seq: number; via: { socket: number; remote: Endpoint } }
  /** Checks that the budget held back. */
  | { type: 'withheld'; seqs: readonly number[] }
  /** Extra sockets of a punch that lost: nothing may leave by them any more. */
  | { type: 'sockets-closed'; sockets: readonly number[] }
  /** Interface, address or sleep: every path must prove itself again, candidates are gathered anew. */
  | { type: 'network-changed' }
  | { type: 'tick' };

export type PeerAction =
  /**
   * `check` is a ping to an unproven address or of an unproven size, which a budget may hold back; `probe` watches what is proven.
   * `size` pads the datagram; `doubly` asks for the answer over the relay too.
   */
  | { type: 'ping'; seq: number; via: Via; purpose: 'check' | 'probe'; ttl?: number; size?: number; doubly?: boolean }
  | { type: 'path'; path: CorePath | null; duplicate: CorePath | null }
  | { type: 'send'; message: PeerMessage }
  /** Takes the place of the last one; each `handle` ends with one while there is anything to wait for. */
  | { type: 'wake'; at: number }
  /** For the timeline and the log. */
  | {
      type: 'path-changed';
      from: PathKind | null;
      to: PathKind | null;
      why: 'first' | 'better' | 'dead' | 'clearly-better';
    };

export interface PeerView {
  state: 'connecting' | 'connected' | 'lost';
  /** `since` is in the clock of `now`; the shell turns it into Unix time. */
  path: PeerPath | null;
  reason: RelayReason | null;
  /** What is tried now; null when direct, or when there is nothing to try. */
  punch: PeerSnapshot['punch'];
  nat: NatReport | null;
  direct: boolean;
  /** The member told over the relay that pings of ours arrive, while none of its own answers does. */
  oneWay: boolean;
}

export interface PeerCore {
  handle(now: number, event: PeerEvent): PeerAction[];
  view(now: number): PeerView;
  /** A path that needs no relay works, in use or not. */
  direct(): boolean;
  /** Socket of that path; null where there is none. */
  directSocket(): number | null;
  /** The peer's report; null until it came. */
  nat(): NatReport | null;
  /** Sockets by which a proven path leaves. */
  sockets(): number[];
  /** The peer's public IPv4 endpoints as servers saw them. */
  endpoints(): Endpoint[];
  /** Both NATs map by destination: an answer need not come from where the ping went. */
  bothDependent(): boolean;
  /** Next seq for this peer's probe keys; shared with tunnel messages. */
  nextSeq(): number;
}
/** `engine/core/peer/peer.ts` exports `createPeer: (options: PeerOptions) => PeerCore`. */
