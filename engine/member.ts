import type { PathChange } from '../protocol/app.ts';
import type { CorePath, PeerCore } from './core/peer/contract.ts';
import type { PeerKey } from './core/room/contract.ts';
import type { PeerId, Via } from './ports.ts';
import type { Waker } from './wake.ts';

/** One installed member: its device peer, its traversal core, and where it can be relayed to. */
export interface Member {
  readonly key: PeerKey;
  readonly id: PeerId;
  readonly core: PeerCore;
  readonly waker: Waker;
  routes: { server: number; member: string }[];
  /** Where the tunnel's first message goes before there is a route; null once it has left. */
  early: { server: number; member: string } | null;
  proven: boolean;
  path: CorePath | null;
  /** Where copies go, as the core asks for it. */
  duplicate: CorePath | null;
  /** Counters of the last sample. */
  sampled: { txPackets: number; rxPackets: number };
  rxBytes: number;
  txBytes: number;
  /** Packets that the filter kept out. */
  filtered: number;
  /** Datagrams to everybody that came from it. */
  broadcasts: { received: number; dropped: number };
  /** In the engine's clock. */
  lastHandshakeAt: number | null;
  /** Last sign of life, in the engine's clock. */
  heardAt: number;
  /** When the room was last told that this tunnel lives. */
  aliveToldAt: number;
  /** Candidates as last given to the core, to skip repetitions. */
  localGiven: string;
  /** Oldest first; replaced, never changed. */
  timeline: readonly PathChange[];
  /** Pings that the user asked for: seq to what waits. */
  readonly userPings: Map<number, (rttMs: number) => void>;
}

/** The probe's way along a path; null where nothing carries yet. */
export function viaOf(path: CorePath | null): Via | null {
  if (path === null) return null;
  return path.kind === 'external' ? 'external' : { socket: path.socket, remote: path.to };
}
