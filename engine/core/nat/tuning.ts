/** Tuned numbers of NAT discovery, milliseconds. */

/**
 * Sends of one STUN transaction after its start. RFC 8489, 6.2.1 asks for an RTO of 500 ms; a reflexive candidate is
 * worth more than a few repeated datagrams, so it begins at 100 and doubles.
 */
export const SEND_OFFSETS_MS = [0, 100, 300, 700, 1_500] as const;
/** A transaction without an answer by then has none: one worst-case round trip after its last send. */
export const GIVE_UP_MS = 2_200;
/** Nothing answered by then while TCP works: UDP is blocked. */
export const BLOCKED_AFTER_MS = 3_000;
/** The light mapping check while some peer is not direct, uniformly between the two; below common binding lifetimes. */
export const RECHECK_MIN_MS = 20_000;
export const RECHECK_MAX_MS = 26_000;
/** `watch` going on (a path died) asks again at once, unless this was answered just now. */
export const RECHECK_GAP_MS = 1_000;
/** A round that left the NAT unknown is repeated after this, doubling up to the last. */
export const REMEASURE_FIRST_MS = 5_000;
export const REMEASURE_MAX_MS = 300_000;
/** A hairpinned request is a local matter: it needs no worst-case round trip. */
export const HAIRPIN_OFFSETS_MS = [0, 100, 200, 400] as const;
export const HAIRPIN_GIVE_UP_MS = 800;
/** Servers asked at once. */
export const MAX_SERVERS = 4;
export const MAX_PUBLIC_ADDRESSES = 8;
/** Fresh mappings that a hard NAT is asked for: two more than the model needs, because answers get lost. */
export const FRESH_MAPPINGS = 8;

/** Silences after which a mapping is looked for, in seconds: what NATs are set to, from carriers' to RFC 4787, REQ-5. */
export const LIFETIME_LADDER_S = [10, 20, 30, 60, 120] as const;
/** Tried when the first rung has fallen. */
export const SHORTEST_LIFETIME_S = 5;
/** The question is on its way that much before a rung is over, so that a NAT of exactly that lifetime passes it. */
export const LIFETIME_EARLY_MS = 500;
/** A question that leaves later than this (a suspended machine, a blocked process) proves nothing when it is not answered. */
export const LIFETIME_LATE_MS = 1_000;
/** A rung has fallen after this many silences that ended without an answer; of 20 % loss each way one in 500 is wrong. */
export const LIFETIME_FAILURES = 2;
/** A server that stopped answering is asked again after this. */
export const LIFETIME_RETRY_MS = 60_000;
