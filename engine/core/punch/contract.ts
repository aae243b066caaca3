/**
 * Punching through hard NATs: one attempt with one member. Pure: `(now, event) -> actions`. It knows ports and odds; the
 * peer core (engine/core/peer) proves, chooses and watches the paths that an attempt finds.
 */
import type { NatReport, PortRange } from '../../../protocol/nat.ts';
import type { AttemptStrategy, PunchMessage, PunchRefusal } from '../../../protocol/punch.ts';
import type { Budget, Dependence } from '../budget.ts';
import type { Endpoint } from '../peer/contract.ts';

export interface PunchPlan {
  id: string;
  strategy: AttemptStrategy;
  sockets: number;
  /** Of the follower; in a long shot each is one mapping of its own. */
  probes: number;
  /** Where the leader's mappings may lie. */
  ranges: PortRange[];
}

export interface PunchOptions {
  role: 'leader' | 'follower';
  plan: PunchPlan;
  /** The other's public endpoint; a leader aims at it, a follower at ports of its address. */
  remote: Endpoint;
  /** Where else it was seen by some server: one of them may lie. */
  elsewhere: readonly Endpoint[];
  /** Own way of drawing ports. */
  ports: NatReport['ports'];
  /** The own filter may let anybody in: a mapping that only a server knows of can be aimed at too. */
  lenient: boolean;
  /**
   * Where the follower's mappings may lie, where both map by destination and neither filter looks at ports: then every ping
   * of the leader is a guess too; and in a long shot. Null elsewhere.
   */
  followerRanges: readonly PortRange[] | null;
  /** Own mappings depend on the destination, or are not known not to. */
  dependent: Dependence;
  /** Failed attempts with this member before this one: later ones open more quietly (`openingTtl`). */
  failures: number;
  /** Mappings are short: a leader opens most of its own one by one, when the other's probes are out. */
  sparing: boolean;
  /** Open sockets of a failed attempt before this one, whose mappings still stand. */
  reused: readonly number[];
  /** Of the follower's probes in that attempt, those that still stand in its router: new mappings meet them, whatever it says. */
  standing: number;
  budget: Budget;
  random: (length: number) => Uint8Array;
}

export type PunchEvent =
  | { type: 'begin' }
  | { type: 'message'; message: PunchMessage }
  /** Answers `open`, in the same order, before anything else happens. */
  | { type: 'opened'; sockets: { id: number; port: number }[] }
  /** A STUN server's answer to `stun`. */
  | { type: 'mapped'; socket: number; port: number }
  /** The member has a direct path now; `port`: this host's external port there, where it is known. */
  | { type: 'direct'; port: number | null }
  | { type: 'tick' };

export type PunchAction =
  | { type: 'open'; count: number }
  | { type: 'close'; sockets: number[] }
  | { type: 'ping'; socket: number; remote: Endpoint; ttl?: number }
  /** Asks a STUN server from this socket, another one each turn: what is compared has one turn, and one that lies has not all. */
  | { type: 'stun'; socket: number; turn: number }
  | { type: 'send'; message: PunchMessage }
  /** The member was nominated at this address: to be checked from the main socket. */
  | { type: 'heard'; remote: Endpoint }
  | { type: 'wake'; at: number }
  /** The last action. Whoever acts closes what is still open and carries nothing. */
  | { type: 'end'; outcome: PunchOutcome };

/** `one-way`: the other's probes arrived, and no answer got back: no number of tries will change that. */
export type PunchOutcome = 'direct' | 'stopped' | 'exhausted' | 'one-way' | 'silent' | PunchRefusal;

export interface PunchProgress {
  /** Pings to guessed ports so far, and at most. */
  probesSent: number;
  probesMax: number;
  /** Mappings that were opened for them. */
  mappings: number;
  /** Chance that a hit was among them; null where it is a measurement, not a lottery. */
  odds: number | null;
}

export interface PunchView extends PunchProgress {
  strategy: AttemptStrategy;
  phase: 'proposed' | 'probing' | 'nominating' | 'closing';
}

/** The part of an attempt that differs by strategy and role. */
export interface Tactic {
  /** Both sides have agreed. */
  begin(now: number): void;
  message(now: number, message: PunchMessage): void;
  opened(now: number, sockets: { id: number; port: number }[]): void;
  mapped(now: number, socket: number, port: number): void;
  tick(now: number): void;
  /** Next moment at which `tick` has something to do. */
  wakeAt(now: number): number;
  /** Nothing is left to try. */
  exhausted(now: number): boolean;
  progress(): PunchProgress;
}

/** What a tactic works with. */
export interface TacticContext extends PunchOptions {
  act(action: PunchAction): void;
}
