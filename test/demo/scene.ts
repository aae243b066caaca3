/** What a demo is played in: three members, their NATs, and what came of it. */
import type { PathKind, Snapshot } from '../../protocol/app.ts';

export interface Actor {
  nick: string;
  /** In words. */
  nat: string;
}

export const ACTORS: readonly (Actor & { kind: 'port-restricted' | 'full-cone' | 'symmetric-random' })[] = [
  { nick: 'alice', nat: 'port-restricted NAT', kind: 'port-restricted' },
  { nick: 'bob', nat: 'full-cone NAT', kind: 'full-cone' },
  { nick: 'carol', nat: 'symmetric NAT, random ports', kind: 'symmetric-random' },
];

/** One direction between two members. Times are milliseconds since the later one of them was started. */
export interface Reach {
  from: string;
  to: string;
  firstPacketMs: number | null;
  directMs: number | null;
  path: PathKind | null;
  rttMs: number | null;
  /** Packets through the tunnel at the end. */
  sent: number;
  received: number;
}

export interface Scene {
  /** Plays to the end. `changed` comes with every new snapshot, `at` in ms since the beginning. */
  play(changed: (nick: string, snapshot: Snapshot, at: number) => void): Promise<Reach[]>;
  /** Leaves nothing behind. Idempotent. */
  close(): Promise<void>;
}

/** A pair that is not direct by then stays on the relay as far as the demo goes: two rounds of guessing random ports. */
export const DIRECT_WITHIN_MS = 15_000;
export const FIRST_PACKET_WITHIN_MS = 10_000;
export const FINAL_PACKETS = 3;

export function isDirect(path: { kind: PathKind } | null | undefined): boolean {
  return path?.kind === 'direct' || path?.kind === 'lan' || path?.kind === 'ipv6';
}
