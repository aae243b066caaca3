/** Numbers of port mapping; milliseconds unless the name says otherwise. */

/** RFC 6886, 3.3 recommends two hours; the other protocols are asked for the same. */
export const LIFETIME_S = 7_200;
/** Longer promises are a lie or a router without a clock (RFC 6887, 15 lets clients treat them as one day). */
export const LONGEST_LIFETIME_S = 86_400;
/** A shorter lease would be renewed without end: RFC 6887, 11.2.1 forbids renewals closer than four seconds. */
export const SHORTEST_LIFETIME_S = 30;

/**
 * RFC 6886, 3.1: the first wait is 250 ms and doubles. Its nine attempts end after two minutes; seven are 32 s, and the
 * whole probe comes again after `RETRY_MS`. RFC 6887, 8.1.1 begins with 3 s, too slow for a gateway one hop away.
 */
export const FIRST_WAIT_MS = 250;
export const ATTEMPTS = 7;
/** A delete delays the exit of the program: sends at 0, 250 and 750 ms. */
export const DELETE_ATTEMPTS = 3;
/** Everything about leaving is over by then, answered or not. */
export const STOP_WITHIN_MS = 2_000;

/** Asked for where a router refuses to delete what it granted; it may raise this to a shortest lifetime of its own. */
export const PARTING_LIFETIME_S = 2;

/** How long better protocols may take to answer after a lesser one has. PCP is not kept waiting. */
export const GRACE_MS = 300;
/** From then on a refusal is final enough to be shown: every protocol has had time to answer. */
export const SETTLED_MS = 3_000;
/** Nobody granted a mapping: the router's settings may have changed since. */
export const RETRY_MS = 120_000;
/** How often a router is asked whether it still knows of the mapping; a reboot shows by its epoch, or by the entry's absence. */
export const CHECK_MS = 120_000;
/** A gateway whose clock jumps all the time may not make us ask all the time. */
export const RESET_GAP_MS = 10_000;

/** Other ports that are tried after UPnP's 718 (the port is another host's). */
export const OTHER_PORTS = 8;
/** And after 501, which says only that something failed. */
export const VAGUE_TRIES = 3;
/** Below are ports that routers keep for themselves. */
export const LOWEST_OTHER_PORT = 1_024;
/** A search is answered by several devices, or by one many times. */
export const MAX_LOCATIONS = 4;
/** Connections that one description may name; real ones have one or two. */
export const MAX_SERVICES = 8;
