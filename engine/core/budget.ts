/**
 * What this client may ask of the user's router (3-traversal, "Budgets"), counted for all members together, whether or not
 * a socket is closed: pings to unproven addresses, mappings and sessions that stand. (Other tools flood routers with
 * thousands of connections and trip their "UDP DoS" alarms.)
 */
import { LONG_SHOT_MAPPINGS } from '../../protocol/punch.ts';

/** Pings to unproven addresses, sustained. */
export const PROBES_PER_SECOND = 200;
/** At once. */
export const PROBE_BURST = 64;
/** Of a burst, what punches leave to the connectivity checks of other members. */
export const CHECK_RESERVE = 12;
/** Of that, what checks leave to the pings of proven paths, which never wait: a few members' worth in one moment. */
export const PROVEN_RESERVE = 9;
/** Pings of proven paths that others pay for afterwards: a room whose own paths take the whole pace still checks. */
const MAX_DEBT = 32;
/** Standing at once: created or used within the lifetime of one. A client's share of the 1,024 or fewer entries of a small router. */
export const MAX_MAPPINGS = 300;
export const MAX_SESSIONS = 2_000;
/**
 * Lifetime of a mapping: the longest common default (RFC 4787, REQ-5 asks for at least this). A shorter one that was measured is
 * that of the most forgetful NAT in a chain, and the user's own router keeps what a carrier's has dropped.
 */
export const MAPPING_LIFETIME_MS = 120_000;
/** Kept from punches for candidates of other members and for NAT discovery. */
export const MAPPING_RESERVE = 24;

/** New addresses that the device may have answered without having told of it: what checks leave, so that nothing passes the budget. */
const UNASKED = 12;

/** What a new remote costs: nothing, a mapping, or one for all of its address. */
export type Dependence = boolean | 'address';

/** Of that, what checks leave to NAT discovery. */
const DISCOVERY_RESERVE = 12;

/** When a datagram last used what stands in the router, by what makes it one. */
type Uses = Map<string, number>;

interface Account {
  readonly mappings: Uses;
  readonly sessions: Uses;
}

const newAccount = (): Account => ({ mappings: new Map(), sessions: new Map() });

export class Budget {
  #tokens = PROBE_BURST;
  #at = 0;
  readonly #everyday = newAccount();
  /**
   * Of the sockets of long shots, which a person has asked for knowing the cost: what they create is counted apart, so that
   * everything else goes on as before; and over a lifetime too, so that asking again and again gives no more.
   */
  readonly #longShot = newAccount();
  readonly #longShotSockets = new Set<number>();
  /** Rises with everything that does not stand already. */
  changes = 0;

  /** Takes one ping to an unproven address at `now` (ms); false when none is left. */
  take(now: number): boolean {
    this.#refill(now);
    if (this.#tokens < 1 + PROVEN_RESERVE) return false;
    this.#tokens -= 1;
    return true;
  }

  /**
   * A ping on a proven path leaves in any case, because one that waits would make the path look slow or dead; the others
   * make room for it, beforehand by what they leave and afterwards by waiting until all of it is paid.
   */
  spend(now: number): void {
    this.#refill(now);
    this.#tokens = Math.max(this.#tokens - 1, -MAX_DEBT);
  }

  /** Pings that a punch may send now. */
  probes(now: number): number {
    this.#refill(now);
    return Math.max(0, Math.floor(this.#tokens) - CHECK_RESERVE);
  }

  /** These sockets are a long shot's, until they are closed. */
  lend(sockets: readonly number[]): void {
    for (const socket of sockets) this.#longShotSockets.add(socket);
  }

  closed(sockets: readonly number[]): void {
    for (const socket of sockets) this.#longShotSockets.delete(socket);
  }

  /** Mappings that a long shot may still create; each is a session too. Those of the last one count until the router has dropped them. */
  longShotLeft(now: number): number {
    const { mappings, sessions } = this.#longShot;
    return Math.max(0, LONG_SHOT_MAPPINGS - Math.max(this.#standing(mappings, now), this.#standing(sessions, now)));
  }

  /**
   * A datagram leaves `socket` for `remote`. `dependent`: the mapping depends on the destination, or is not known not to,
   * so that each remote costs one.
   */
  sent(now: number, socket: number, remote: { ip: string; port: number }, dependent: Dependence): void {
    const { session, mapping } = keysOf(socket, remote, dependent);
    const { mappings, sessions } = this.#accountOf(socket);
    const usedAt = sessions.get(session);
    if (usedAt === undefined || now - usedAt > MAPPING_LIFETIME_MS) this.changes += 1;
    sessions.set(session, now);
    mappings.set(mapping, now);
  }

  /** Whether a check of an address that may be worth nothing may leave: peers name as many as they like. */
  admits(now: number, socket: number, remote: { ip: string; port: number }, dependent: Dependence): boolean {
    const { session, mapping } = keysOf(socket, remote, dependent);
    const spare = (uses: Uses, key: string, max: number) =>
      uses.has(key) || this.#standing(uses, now) < max - DISCOVERY_RESERVE;
    if (this.#longShotSockets.has(socket)) {
      return this.#longShot.sessions.has(session) || this.longShotLeft(now) > 0;
    }
    const { mappings, sessions } = this.#everyday;
    return spare(sessions, session, MAX_SESSIONS) && spare(mappings, mapping, MAX_MAPPINGS);
  }

  #accountOf(socket: number): Account {
    return this.#longShotSockets.has(socket) ? this.#longShot : this.#everyday;
  }

  /** Whether such a datagram makes nothing in the router that is not there already. */
  stands(now: number, socket: number, remote: { ip: string; port: number }): boolean {
    const usedAt = this.#accountOf(socket).sessions.get(keysOf(socket, remote, true).session);
    return usedAt !== undefined && now - usedAt <= MAPPING_LIFETIME_MS;
  }

  /** Mappings that likely stand. */
  mappingsUsed(now: number): number {
    return this.#standing(this.#everyday.mappings, now);
  }

  /** Mappings that punches may still create; each is a session too. */
  mappingsLeft(now: number): number {
    const left = MAX_MAPPINGS - MAPPING_RESERVE - this.#standing(this.#everyday.mappings, now);
    return Math.max(0, Math.min(left, this.sessionsLeft(now)));
  }

  /** Sessions that punches may still create. */
  sessionsLeft(now: number): number {
    return Math.max(0, MAX_SESSIONS - MAPPING_RESERVE - this.#standing(this.#everyday.sessions, now));
  }

  /** New addresses that one socket may still send to; each costs a mapping where mappings depend on the destination. */
  remotesLeft(now: number, dependent: Dependence): number {
    return dependent === true ? this.mappingsLeft(now) : this.sessionsLeft(now);
  }

  /** Addresses of which we know nothing that the device may answer now. */
  unaskedLeft(now: number, dependent: Dependence): number {
    const left = dependent === false ? this.sessionsLeft(now) : this.mappingsLeft(now);
    return Math.min(left, UNASKED);
  }

  #refill(now: number): void {
    this.#tokens = Math.min(PROBE_BURST, this.#tokens + ((now - this.#at) * PROBES_PER_SECOND) / 1_000);
    this.#at = now;
  }

  /** Used within one lifetime, and so likely to stand in the router, whenever they were created. Forgets the others. */
  #standing(uses: Uses, now: number): number {
    for (const [key, usedAt] of uses) if (now - usedAt > MAPPING_LIFETIME_MS) uses.delete(key);
    return uses.size;
  }
}

/** What a datagram from `socket` to `remote` takes in the router. */
function keysOf(socket: number, remote: { ip: string; port: number }, dependent: Dependence) {
  const session = `${socket} ${remote.ip} ${remote.port}`;
  const address = `${socket} ${remote.ip}`;
  if (dependent === false) return { session, mapping: String(socket) };
  return { session, mapping: dependent === 'address' ? address : session };
}
