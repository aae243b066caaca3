/**
 * Hard-NAT punching between two proven members (docs/protocol.md, "Punches"). The leader proposes a plan and alone
 * nominates; the follower accepts or refuses. Every list is bounded; what does not fit the plan is ignored.
 */
import * as z from 'zod';
import { portRange } from './nat.ts';

/** Largest numbers of any plan (3-traversal, "Budgets"). */
export const PUNCH_LIMITS = { sockets: 256, probes: 2_000, aims: 64, ranges: 8 } as const;
/** Mappings of one side of a long shot: 1,000 for both together. */
export const LONG_SHOT_MAPPINGS = 500;
/** A request for a long shot is answered by a person within this time. */
export const LONG_SHOT_ASK_MS = 60_000;
/** With hard-NAT punching switched off no plan with more sockets is started or answered. */
export const SOFT_SOCKETS = 8;

/**
 * `birthday`: the leader opens many mappings towards the follower's one endpoint, the follower probes ports drawn from the
 * leader's model. `bracket`: the leader measures where its counter stood around one mapping. `crossing`: both count. `ambush`: the follower counts, and all of
 * the leader's mappings, drawn from its model, wait at the one port that the follower's counter will pass.
 */
export const punchStrategy = z.enum(['birthday', 'bracket', 'crossing', 'ambush']);
export type PunchStrategy = z.infer<typeof punchStrategy>;
/** A long shot is never planned by an engine: two people agree on it. */
export type AttemptStrategy = PunchStrategy | 'long-shot';

/**
 * Why a plan is not answered. `later`: asked again too soon. `no-address`: no IPv4 address to aim at. `declined`: the person
 * said no to a long shot.
 */
export const punchRefusal = z.enum(['busy', 'later', 'off', 'budget', 'direct', 'no-address', 'declined']);
export type PunchRefusal = z.infer<typeof punchRefusal>;

const id = z.string().regex(/^[0-9a-f]{16}$/);
const port = z.int().min(1).max(65_535);
/** Where a side's mappings may lie. */
const ranges = z
  .array(portRange.refine((range) => range.low <= range.high))
  .min(1)
  .max(PUNCH_LIMITS.ranges);
/** What a side of a long shot opens: so many mappings, each towards another guess at the other's ports. */
const longShotSide = { mappings: z.int().min(1).max(LONG_SHOT_MAPPINGS), ranges };
const round = z.int().min(1).max(1_000);

export const punchMessages = [
  z.object({
    t: z.literal('punch-plan'),
    id,
    strategy: punchStrategy,
    /** Sockets that the leader has open at once, and pings that the follower sends to guessed ports. */
    sockets: z.int().min(1).max(PUNCH_LIMITS.sockets),
    probes: z.int().min(1).max(PUNCH_LIMITS.probes),
    /** Where the leader's mappings may lie. */
    ranges,
  }),
  z.object({ t: z.literal('punch-accept'), id }),
  z.object({ t: z.literal('punch-refuse'), id, code: punchRefusal }),
  /** How far the sender's part is: the leader's open mappings, the follower's probes. Twice a second at most. */
  z.object({ t: z.literal('punch-progress'), id, count: z.int().min(0).max(100_000), done: z.boolean() }),
  /**
   * Crossing and ambush: the leader asks where the follower's counter stands; the port is of a fresh mapping, or with step
   * 0 the one that its next mapping will have.
   */
  z.object({ t: z.literal('punch-ask'), id, round }),
  z.object({ t: z.literal('punch-counter'), id, round, port, step: z.int().min(-1_024).max(1_024) }),
  /** Ports that the follower pings now, in this order. */
  z.object({ t: z.literal('punch-aim'), id, round, ports: z.array(port).min(1).max(PUNCH_LIMITS.aims) }),
  /** The leader has a direct path. `port`: its external port there, as the follower's pong said; null where unknown. */
  z.object({ t: z.literal('punch-nominate'), id, port: port.nullable() }),
  z.object({ t: z.literal('punch-nominated'), id }),
  /** Nothing was found; or somebody has stopped a long shot, or taken the request for it back. */
  z.object({ t: z.literal('punch-end'), id }),
  /** The sender's user asks for a long shot, and would lead it. Repeated until it is answered, withdrawn, or too old. */
  z.object({ t: z.literal('punch-request'), id, ...longShotSide }),
  /** The receiver's user agrees: both begin at once. Refused by `punch-refuse`. */
  z.object({ t: z.literal('punch-agree'), id, ...longShotSide }),
] as const;

export type PunchMessage = z.infer<(typeof punchMessages)[number]>;

export function isPunchMessage(message: { t: string }): message is PunchMessage {
  return message.t.startsWith('punch-');
}
