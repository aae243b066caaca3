/** Tuned numbers of one peer's traversal, milliseconds unless the name says otherwise, each with what it must respect. */

/**
 * Both NATs must have sent before either ping passes a port-restricted filter, and the two sides begin a server trip
 * apart: dense first, so that the common 20 to 100 ms offset costs little, then sparse.
 */
export const BURST_OFFSETS_MS = [0, 20, 60, 140, 300, 600] as const;

/** After the burst: pace of checks on a pair that never answered, by the age of its round. Never zero, never a flood. */
export const CHECK_PACES = [
  { untilMs: 15_000, everyMs: 1_000 },
  { untilMs: 60_000, everyMs: 5_000 },
  { untilMs: Number.POSITIVE_INFINITY, everyMs: 10_000 },
] as const;
/** Pace of unanswered pairs once some direct path works: they can only improve on it. */
export const CHECK_PACE_WHEN_DIRECT_MS = 60_000;
/** A path that has answered before is asked this often while packets wait for any: the first answer lets them go. */
export const HELD_CHECK_MS = 500;
/** A ping that arrives on an unproven pair is answered by our own check, no more often than this. */
export const TRIGGERED_CHECK_GAP_MS = 20;
/** A pair may begin a new round of checks (new candidates, a path that died) no more often than this. */
export const ROUND_GAP_MS = 2_000;
/** An address learned from a ping is forgotten after this long without another one. */
export const PEER_REFLEXIVE_LIFETIME_MS = 60_000;
/**
 * New addresses learned from pings: this many at once, then one each interval. Two NATs that map by destination but filter
 * nothing answer each other from a new port every time; without a bound the echo would eat both routers' tables.
 */
export const LEARNED_BURST = 8;
export const LEARNED_EVERY_MS = 5_000;
/** Pairs of one peer: its 32 candidates, and as many addresses learned from pings. */
export const MAX_PAIRS = 64;
/** The device accepts a pong for 30 s (docs/protocol.md, "Probes"). */
export const PING_LIFETIME_MS = 30_000;

/** While data is sent over a path. Death must be noticed and replaced within 1 s: two lost probes and one deadline. */
export const ACTIVE_PROBE_MS = 250;
/** Data counts as flowing this long after its last packet: a game or a ping that sends once a second is active. */
export const ACTIVE_HOLD_MS = 3_000;
/** First probes of a new path come quickly: RTT and loss decide between paths. */
export const WARM_UP_PROBES = 4;
export const WARM_UP_PROBE_MS = 100;
/** Idle: below the shortest common UDP binding lifetime (10 s, RFC 4787 REQ-5 notwithstanding) while it is unknown. */
export const KEEPALIVE_MS = 8_000;
/** Of the measured lifetime: room for a late turn and a slow way. */
export const KEEPALIVE_SHARE = 0.8;
/** At most, however long it lives: an idle path must be found dead some time, too. */
export const MAX_KEEPALIVE_MS = 25_000;
/** Standbys beyond the best ones are only looked at now and then. */
export const KEPT_STANDBYS = 3;
export const SPARE_PATH_MS = 30_000;
/** The relay needs no binding kept: its own connection does that. Its probes pass through both main threads. */
export const RELAY_IDLE_PROBE_MS = 10_000;
export const RELAY_ACTIVE_PROBE_MS = 1_000;
/** A relay that does not answer is asked at the fast pace this long, then at the active one. */
export const RELAY_ALERT_MS = 3_000;

/** A probe is overdue after max(this, srtt + 4 rttvar) (RFC 6298, 2.3, with a floor for one scheduling stall). */
export const MIN_DEADLINE_MS = 250;
/** Lower bound of the variance term, so that a perfectly steady 300 ms path is not called late at 301 ms. */
export const MIN_VARIANCE_TERM_MS = 40;
/** Deadline of a path without any RTT yet (RFC 6298, 2.1 says 1 s). */
export const FIRST_DEADLINE_MS = 1_000;
/** This many overdue in a row: the same sealed bytes leave over the standby too. */
export const DUPLICATE_AFTER_OVERDUE = 2;
/** Nothing came back for this long since the first unanswered probe left: the path is dead. */
export const DEAD_AFTER_MS = 1_000;
/** A handler that runs this much later than it asked to was blocked: silence before it proves nothing. */
export const STALL_MS = 100;
/** After a stall every probe in flight gets at least this long, for answers that still wait in the process. */
export const STALL_GRACE_MS = 150;
/** Loss is shown over this many probes. */
export const LOSS_WINDOW = 32;
/**
 * Loss is judged by an exponential mean over this many: of 32, a single one is 3.1 % already, and a hiccup of 600 ms
 * takes three. A path that truly loses 1 % each way stays three deviations below the 3 % at which it would be left.
 */
export const LOSS_MEAN_PROBES = 96;
/** A direct path that lives but was passed over for a relay is asked this often, to see it recover. */
export const PASSED_OVER_PROBE_MS = 500;
/** What a whole window without a loss leaves of the mean: bad weather is over, and the slow mean would remember it for minutes. */
export const LOSS_AFTER_CALM = 0.04;
/**
 * A path that was left for being clearly worse comes back at stricter thresholds for so long, then at those at which it was
 * left: a line that always loses 2 % would never see the stricter ones again.
 */
export const AVOIDED_MS = 60_000;
/** What a death in use leaves of the mean: the death itself must not keep the path out when it lives again. */
export const LOSS_AFTER_DEATH = 0.04;

/**
 * A path that died in use must prove itself this long before it is used again, and so many times longer after each further
 * death: where each dies within two seconds of its return, deaths alone change the path at most twelve times in a minute.
 */
export const RETURN_HOLD_MS = 500;
export const RETURN_HOLD_FACTOR = 4;
export const RETURN_HOLD_MAX_MS = 30_000;
/** Deaths are forgotten once the path in use has lived this long. */
export const DEATHS_FORGIVEN_AFTER_MS = 60_000;
/** The first moments after the first direct path: equal paths are ordered alike on both sides, without hysteresis. */
export const SETTLING_MS = 2_000;
/** A peer from which nothing came back for this long over the path in use is lost. */
export const LOST_AFTER_MS = 10_000;
/** Before this, "no answer yet" is only "connecting". */
export const CONNECTING_MS = 5_000;

/** Unacknowledged candidates are sent again, doubling from the first to the last of these. */
export const RESEND_FIRST_MS = 400;
export const RESEND_MAX_MS = 8_000;

/** Path MTU that is taken for granted: every IPv6 link has it (RFC 8200, 5), and nearly every IPv4 one. */
export const BASE_MTU = 1_280;
/** First sizes that are tried: Ethernet, PPPoE under other tunnels, a generous guess for the rest. */
export const COMMON_MTUS = [1_500, 1_452, 1_400] as const;
/**
 * Sizes that links have: Ethernet, PPPoE, 6in4 and IPIP, PPPoE with those, LTE, GRE and IPsec, tunnels in tunnels. What lies
 * between two of them loses a few per cent of a packet.
 */
export const KNOWN_MTUS = [1_500, 1_492, 1_480, 1_472, 1_460, 1_452, 1_440, 1_428, 1_420, 1_400, 1_372, 1_340, 1_310];
/** Of a search: one with the common sizes, then all, with the repeats that 5 % loss each way asks for. */
export const MTU_ROUNDS = 4;
/** After a search that did not end with the largest size: one more round, so long after the one before. */
export const MTU_AGAIN_MS = [3_000, 12_000] as const;
/** A search begins anew after this (RFC 8899, 5.1.1). */
export const MTU_RAISE_MS = 600_000;
/** The full size is confirmed this often while data flows: 6 kbit/s, and a black hole is found within three seconds. */
export const MTU_CONFIRM_MS = 2_000;
/** Unanswered in a row before big packets are believed to vanish. */
export const BLACK_HOLE_AFTER = 3;
