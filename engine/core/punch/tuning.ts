/** Tuned numbers of punching, milliseconds unless the name says otherwise, each with what it must respect. */
import { MAPPING_LIFETIME_MS, MAPPING_RESERVE, MAX_SESSIONS } from '../budget.ts';

/** A plan without an answer by then is given up: five times a slow round trip over the relay. */
export const ANSWER_MS = 3_000;
/** Pings leave in batches of this pace: four at 200 a second. */
export const BATCH_MS = 20;
/** Punch sockets send again: mappings of 10 s exist (3-traversal). */
export const RESEND_MS = 5_000;
/** After the last ping: one slow round trip, and the relay's. */
export const AFTERGLOW_MS = 1_500;
/** No attempt takes longer: 2,000 probes at 200 a second, one resend, and the afterglow. */
export const ATTEMPT_MS = 20_000;
/** The follower waits longer, so that the leader's word comes first. */
export const FOLLOWER_MS = 24_000;
export const PROGRESS_MS = 500;
/** A nomination without an answer is repeated, and given up. */
export const NOMINATE_EVERY_MS = 400;
export const NOMINATE_MS = 4_000;
/** Losing sockets close this long after the nomination is acknowledged: packets in flight have arrived. */
export const CLOSE_AFTER_MS = 2_000;

/** Sockets over all ports; and in a block, where a ping finds one of 1,024 ports in about 20 tries and the carrier counts. */
export const BIRTHDAY_SOCKETS = 256;
export const BLOCK_SOCKETS = 50;
/** Ports of a range that counts as a block. */
export const BLOCK_PORTS = 8_192;
/** Fewer are not worth an attempt. */
export const MIN_BIRTHDAY_SOCKETS = 24;
/**
 * A failed attempt of fewer sockets than this was short of mappings, because several members waited: a retry reuses what it
 * has. One with more failed for another reason, and begins afresh.
 */
export const REUSED_BELOW = 128;
/** As long as a mapping is counted. */
export const REUSED_FOR_MS = 150_000;
/**
 * Where a member's share of the mappings is smaller than this (or than the strategy wants), they are spared: opened so many at
 * first, and when all probes are out so many each time that an answer to a hit takes, on a way of 40 ms. Each costs one mapping
 * and meets 1,900 probes, so that over all ports 34 do on average, where a share opened at once costs all of it.
 */
export const SPARED_BELOW = 128;
export const SPARING_FIRST = 16;
export const SPARING_BATCH = 3;
export const SPARING_EVERY_MS = 150;
/** At most, for one that will never answer: 19 of 20 attempts need fewer. */
export const SPARING_SOCKETS = 104;
/** A sparing attempt waits for mappings that give this chance; where it fails its probes stand, and the next mappings meet them. */
export const SPARING_ODDS = 0.5;
/** Never fewer, however small the block. */
export const MIN_SPARED_SOCKETS = 8;
/** The word that all probes are out is late by this: it is lost. */
export const SPENT_GRACE_MS = 2_000;
/** A plan asks for as many probes as this chance needs, and never for more than the other's router is asked to bear. */
export const BIRTHDAY_ODDS = 0.9999;
export const MAX_PROBES = MAX_SESSIONS - MAPPING_RESERVE - 76;
/** Chance of a hit in the first burst of probes, and in each batch after it: an answer takes five batches, on a short way. */
export const BURST_ODDS = 0.75;
export const BATCH_ODDS = 0.05;
/**
 * Where few probes meet they leave this much after the word that they do, which takes the longer way over the relay: half of
 * the mappings are opened by packets that never arrive, and only a probe that comes later meets those.
 */
export const HEAD_START_MS = 60;
/** A leader's mappings stand after this, or its word for it is lost: 256 at 200 a second, and a slow relay. */
export const OPENINGS_MS = 3_000;
/** 256 pings once more. */
export const AGAIN_FOR_MS = 1_300;

/** Of a side whose probes each cost a mapping: what the budget has, less what a room's other members need. */
export const DEPENDENT_PROBES = 240;

/** Sockets of one bracket: STUN, ping, STUN. */
export const BRACKET_SOCKETS = 3;
export const BRACKET_ROUNDS = 8;
export const BRACKET_PROBES = 60;
/** Of a side that draws and lets anybody in: what a server saw of two sockets in each round. */
export const SEEN_PROBES = 2 * BRACKET_ROUNDS;
/** Ports of one bracket that are probed. */
export const BRACKET_AIMS = 16;
/** A round without a path after its ports were told: a slow round trip and the relay's way. */
export const ROUND_MS = 500;
/** STUN answers that are late by this are lost. */
export const MEASURE_MS = 600;
/** The measured mapping sends once more, when the probes have opened the other's filter. */
export const AGAIN_MS = 120;

/** Mappings of one crossing by round; the burst that a budget allows is the bound. */
export const CROSSING_WINDOWS = [32, 48, 50] as const;
export const CROSSING_ROUNDS = 5;
/** Measurements that do not hold what happened between them: so many, by one server and by another, and it is no counter. */
export const CROSSING_CONTRADICTIONS = 2;
/** Probes that may still come after the port that they must meet: the foreign traffic that was not there. */
export const CROSSING_SLACK = 8;

/** Mappings of one ambush, and the fewest that are worth one; never more than half of a block: the user needs ports too. */
export const AMBUSH_SOCKETS = 256;
export const MIN_AMBUSH_SOCKETS = 96;
export const AMBUSH_BLOCK_SHARE = 0.5;
/** Between two looks at a counter, whose difference is the traffic of others: some ten ports of a busy one. */
export const AMBUSH_RATE_MS = 400;
/** A measurement without an answer by then is asked for again: two slow ways over the relay, and one to the server. */
export const AMBUSH_ASK_MS = 1_500;
/** Measurements of one ambush: two for the rate, two on the way, and as many again where packets are lost. */
export const AMBUSH_ASKS = 8;
/** Ports of the counter that a burst of probes passes, when hardly anybody else can take one; half of that is aimed at. */
export const AMBUSH_BURST = 48;
/** With this much longer to wait for the counter than a measurement takes, it is measured again. */
export const AMBUSH_NEAR_MS = 150;
/** Ports beyond what is expected that the target lies ahead: a few, and so many deviations of a Poisson count. */
export const AMBUSH_MARGIN = 12;
export const AMBUSH_DEVIATIONS = 3;
/** Probes of the counting side in all: a margin, and what a rate that was read too high leaves to walk. */
export const AMBUSH_PROBES = 160;

/** Of a block, what a long shot takes: most of it, for some seconds, with the user's word. 426 of 512 ports. */
export const LONG_SHOT_BLOCK_SHARE = 5 / 6;
/** With a smaller part of what it wants a long shot waits for the last one's mappings to be forgotten. */
export const LONG_SHOT_WORTHWHILE = 0.6;
/** A request is repeated until it is answered: signals may be lost. */
export const LONG_SHOT_REPEAT_MS = 5_000;
/** After a person's no nobody is asked for this long by the same member. */
export const LONG_SHOT_PEACE_MS = 120_000;

/**
 * Time to live of opening packets that pass our own NATs (two, with a carrier's three hops away) and not the other's, by
 * attempt: nobody knows how long the ways are.
 */
export const OPENING_TTLS = [4, 3, 6] as const;

/** Easy ways go first: one round trip of the checks that began with the candidates. */
export const START_DELAY_MS = 150;
/** Between failed attempts with one member, and its new beginnings in other networks, doubling to the last (3-traversal, "Budgets"). */
export const BACKOFF_FIRST_MS = 5_000;
export const BACKOFF_MAX_MS = 600_000;
/** How often one member's plans are answered, doubling: below the leader's back-off. */
export const ASK_AGAIN_MS = 1_000;
/** After `busy` or `later`, with jitter up to twice this. */
export const REFUSED_RETRY_MS = 800;
/** After `no-address`: behind a router that has rebooted a host measures its address anew. */
export const ADDRESS_RETRY_MS = 3_000;
/** This many refusals in a row count as a failure. */
export const MAX_REFUSALS = 16;
/** The other side's toggle, or its budget, may change. */
export const OFF_RETRY_MS = 60_000;
export const BUDGET_RETRY_MS = 5_000;

/** Attempts of one side with a member that the checks should have reached: a bracket's, where it seems possible, and guesses. */
export const DOUBTS = 6;
/** Of so many attempts one guesses by labels that may be wrong. */
export const GUESS_TURNS = 4;
/** The mappings of an attempt are gone, and a back-off may be over. */
export const PATIENCE_MS = MAPPING_LIFETIME_MS + 60_000;
/** Half of all attempts with 256 sockets meet with so many, over all ports. */
export const DEAR_PROBES = 180;
/** A follower that can send less than this part of a plan's probes asks for patience. */
export const WORTHWHILE_SHARE = 0.6;
