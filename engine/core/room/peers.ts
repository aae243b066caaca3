/**
 * The members that proved themselves: their keys, their sessions on each server, and how to send to them. A peer outlives
 * its servers; it goes when it says so, is blocked, or has been seen nowhere for the linger time.
 */
import { ROOM_LIMITS } from '../../../protocol/limits.ts';
import type { PeerMessage } from '../../../protocol/peer.ts';
import { compareBytes } from '../crypto/bytes.ts';
import type { PeerKey, RoomAction, ServerIndex } from './contract.ts';
import type { Pair, Verified } from './handshake.ts';
import type { Member } from './member.ts';
import type { KnownRoot } from './reconnect.ts';
import type { Generation, Role, Session } from './session.ts';
import type { Shared } from './shared.ts';
import { encodeMessage, openSignal, openTunnel, Parts, sealSignal, sealTunnel } from './signals.ts';

/** Longer than a server takes to restart and clients to come back; a member that crashed is gone after it. */
export const LINGER_MS = 90_000;
/** Servers, and for each one the session before the last. */
const MAX_SESSIONS = 8;
const MAX_ROOTS = 4;

interface HeldSession {
  session: Session;
  parts: Parts;
  /** Kept until the other side has used the new session: it may not have it yet. */
  parentRoot: Uint8Array | null;
  /** The other side has used it, or cannot but have it. */
  confirmed: boolean;
}

interface Link {
  member: Member;
  held: HeldSession;
}

export interface Peer {
  key: PeerKey;
  publicKey: Uint8Array;
  generation: Generation | null;
  /** When the generation was proved. */
  generationAt: number;
  proven: boolean;
  /** Newest first. */
  roots: Uint8Array[];
  /** Newest first. */
  sessions: HeldSession[];
  links: Map<ServerIndex, Link>;
  /** From then on it has given up what is not confirmed, unless it says anything before: our last message was lost or late. */
  doubtfulAt: number;
  routes: string;
  /** Last time that it was certainly there. */
  aliveAt: number;
}

type DownReason = Extract<RoomAction, { type: 'peer-down' }>['reason'];

export class Peers {
  readonly #shared: Shared;
  readonly #peers = new Map<PeerKey, Peer>();

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  get(key: PeerKey): Peer | undefined {
    return this.#peers.get(key);
  }

  proven(): Peer[] {
    return [...this.#peers.values()].filter((peer) => peer.proven);
  }

  isProven = (key: PeerKey): boolean => this.#peers.get(key)?.proven === true;

  generationOf(key: PeerKey): string | null {
    return this.#peers.get(key)?.generation?.id ?? null;
  }

  /**
   * Roots of members that have no session on this server yet, newest first, or that have this one, which the other side may
   * not hold; `pair` null: of all members.
   */
  roots(pair: Pair | null): KnownRoot[] {
    const mayHave = ({ links }: Peer) => pair === null || (links.get(pair.server)?.member ?? pair) === pair;
    return [...this.#peers.values()]
      .filter((peer) => peer.proven && mayHave(peer))
      .flatMap(({ key, publicKey, roots }) => roots.map((root) => ({ key, publicKey, root })));
  }

  /** Initiator, before message 3: the device must be ready for what the responder sends behind message 4. */
  expect({ server, id }: Member, verified: Verified, initiate: boolean): void {
    const peer = this.#peer(verified);
    if (peer.generation !== null || verified.generation === null) return;
    this.#install(peer, verified.generation, initiate, initiate ? { server, member: id } : undefined);
  }

  /**
   * A proof verified, of a run that began at `began`. `keep`: the generation that both sides still have stays. True for a
   * process that restarted, or whose two proofs over two servers crossed.
   */
  prove(
    member: Member,
    verified: Verified,
    run: { keep: boolean; initiate: boolean; role: Role; began: number },
  ): boolean {
    const peer = this.#peer(verified);
    const { generation } = verified;
    const known = peer.generation;
    const differs = generation !== null && !(run.keep && known !== null) && known?.id !== generation.id;
    // Two runs of one process at a time: both sides keep the same one, or each would call the other's a restart, for ever.
    const crossed = differs && known !== null && peer.proven && run.began <= peer.generationAt;
    const renew = differs && !(crossed && known.id > generation.id);
    const replaced = renew && known !== null;
    if (replaced) this.#forget(peer, crossed);
    if (renew) this.#install(peer, generation, run.initiate);
    if (renew || !peer.proven) peer.generationAt = this.#shared.now;
    this.#hold(peer, member, verified, run);
    // A reconnect keeps the generation: only this one's roots may lead to one.
    if (!crossed || renew) peer.roots = [verified.root, ...peer.roots].slice(0, MAX_ROOTS);
    peer.aliveAt = this.#shared.now;
    return replaced;
  }

  /** After the proof's message has left: the peer counts from here on. True the first time. */
  admit(peer: Peer): boolean {
    const first = !peer.proven;
    peer.proven = true;
    // The way first: what is said to a proven member then leaves once, and its tunnel begins sooner.
    this.#announceRoutes(peer);
    if (first) this.#shared.emit({ type: 'peer-proven', peer: peer.key });
    return first;
  }

  departed(member: Member): void {
    const peer = member.peer === null ? undefined : this.#peers.get(member.peer);
    member.peer = null;
    if (peer?.links.get(member.server)?.member !== member) return;
    this.#unlink(peer, member.server);
    peer.aliveAt = this.#shared.now;
    this.#announceRoutes(peer);
  }

  alive(key: PeerKey): void {
    const peer = this.#peers.get(key);
    if (peer !== undefined) peer.aliveAt = this.#shared.now;
  }

  /** A later handshake with it starts from nothing. */
  drop(key: PeerKey, reason: DownReason): void {
    const peer = this.#peers.get(key);
    if (peer === undefined) return;
    for (const [server, { member }] of peer.links) {
      this.#shared.emit({ type: 'server-send', server, message: { t: 'deny', member: member.id } });
      member.refused = true;
      member.former = key;
      this.#unlink(peer, server);
    }
    this.#peers.delete(key);
    this.#shared.emit({ type: 'peer-down', peer: key, reason });
  }

  /** Seen nowhere for the linger time. */
  lost(): PeerKey[] {
    return this.proven()
      .filter((peer) => peer.links.size === 0 && this.#shared.now >= peer.aliveAt + LINGER_MS)
      .map((peer) => peer.key);
  }

  deadline(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const peer of this.#peers.values()) {
      if (peer.proven && peer.links.size === 0) at = Math.min(at, peer.aliveAt + LINGER_MS);
    }
    return at;
  }

  /**
   * By the first server that both are on, else through the tunnel. False when there is no way at all. What the other side
   * cannot open would use up the frames that the next handshake needs.
   */
  send(peer: Peer, message: PeerMessage): boolean {
    const plaintext = encodeMessage(message);
    const [link] = linksOf(peer).filter(({ held }) => held.confirmed || this.#shared.now < peer.doubtfulAt);
    if (link !== undefined) {
      const payload = sealSignal(link.held.session, this.#shared.topic, plaintext);
      this.#shared.signal(link.member.server, link.member.id, payload);
      return true;
    }
    const newest = peer.sessions.find((held) => held.confirmed) ?? peer.sessions[0];
    if (newest === undefined) return false;
    for (const payload of sealTunnel(newest.session, this.#shared.topic, plaintext)) {
      this.#shared.emit({ type: 'tunnel-frame', peer: peer.key, payload });
    }
    return true;
  }

  /** Plaintext of a sealed signal that a server brought. */
  open(member: Member, payload: Uint8Array): { peer: Peer; plaintext: Uint8Array } | null {
    const peer = member.peer === null ? undefined : this.#peers.get(member.peer);
    const held = peer?.links.get(member.server)?.held;
    if (peer === undefined || held === undefined) return null;
    const plaintext = openSignal(held.session, this.#shared.topic, payload);
    if (plaintext === null) return null;
    peer.doubtfulAt = Number.POSITIVE_INFINITY;
    this.#confirmed(peer, held);
    return { peer, plaintext };
  }

  /** Plaintext of a whole message that came through the tunnel. */
  openTunnel(key: PeerKey, payload: Uint8Array): { peer: Peer; plaintext: Uint8Array } | null {
    const peer = this.#peers.get(key);
    if (peer === undefined) return null;
    const sessions = peer.sessions.map((held) => held.session);
    const opened = openTunnel(sessions, this.#shared.topic, payload);
    const held = opened && peer.sessions.find((other) => other.session === opened.session);
    if (!opened || !held) return null;
    peer.aliveAt = this.#shared.now;
    this.#confirmed(peer, held);
    const plaintext = held.parts.add(opened.part);
    return plaintext === null ? null : { peer, plaintext };
  }

  #peer(verified: Verified): Peer {
    const known = this.#peers.get(verified.key);
    if (known !== undefined) return known;
    const peer: Peer = {
      key: verified.key,
      publicKey: verified.publicKey,
      generation: null,
      generationAt: Number.NEGATIVE_INFINITY,
      proven: false,
      roots: [],
      sessions: [],
      links: new Map(),
      doubtfulAt: Number.POSITIVE_INFINITY,
      routes: '[]',
      aliveAt: this.#shared.now,
    };
    this.#peers.set(peer.key, peer);
    return peer;
  }

  #install(
    peer: Peer,
    generation: Generation,
    initiate: boolean,
    early?: { server: ServerIndex; member: string },
  ): void {
    peer.generation = generation;
    const { presharedKey, probe } = generation;
    this.#shared.emit({ type: 'peer-up', peer: peer.key, presharedKey, probe, initiate, ...(early && { early }) });
  }

  /** The other process is a new one, and its sessions here and in the device are dead; `crossed`: only those in the device. */
  #forget(peer: Peer, crossed: boolean): void {
    if (!crossed) {
      for (const server of peer.links.keys()) this.#unlink(peer, server);
      peer.sessions = [];
    }
    peer.roots = [];
    peer.proven = false;
    peer.routes = '[]';
    this.#shared.emit({ type: 'peer-down', peer: peer.key, reason: 'restarted' });
  }

  #hold(peer: Peer, member: Member, verified: Verified, { role, began }: { role: Role; began: number }): void {
    const held = { session: verified.session, parts: new Parts(), parentRoot: verified.parentRoot, confirmed: false };
    // The last message of each kind of handshake was the other side's in these two.
    const last = role === 'initiator' ? verified.parentRoot === null : verified.parentRoot !== null;
    peer.sessions = [held, ...peer.sessions].slice(0, MAX_SESSIONS);
    // The newest proven session of a key replaces the one before it on the same server.
    const before = peer.links.get(member.server)?.member;
    if (before !== undefined && before !== member) {
      before.peer = null;
      before.refused = true;
    }
    peer.links.set(member.server, { member, held });
    member.peer = peer.key;
    if (last) this.#confirmed(peer, held);
    else peer.doubtfulAt = began + ROOM_LIMITS.proofTimeoutMs;
  }

  /** The other side has the session, and its root: the one before it is forgotten (forward secrecy). */
  #confirmed(peer: Peer, held: HeldSession): void {
    const { confirmed, parentRoot } = held;
    held.confirmed = true;
    if (!confirmed) this.#announceRoutes(peer);
    if (parentRoot === null) return;
    held.parentRoot = null;
    peer.roots = peer.roots.filter((root) => compareBytes(root, parentRoot) !== 0);
  }

  #unlink(peer: Peer, server: ServerIndex): void {
    const link = peer.links.get(server);
    if (link !== undefined) link.member.peer = null;
    peer.links.delete(server);
  }

  #announceRoutes(peer: Peer): void {
    if (!peer.proven) return;
    const routes = linksOf(peer).map(({ member }) => ({ server: member.server, member: member.id }));
    const text = JSON.stringify(routes);
    if (text === peer.routes) return;
    peer.routes = text;
    this.#shared.emit({ type: 'peer-routes', peer: peer.key, routes });
  }
}

/** Best first: where the last message of a proof was lost, only this side believes in the link. */
function linksOf(peer: Peer): Link[] {
  const doubt = ({ held }: Link) => (held.confirmed ? 0 : 1);
  return [...peer.links.values()].toSorted((a, b) => doubt(a) - doubt(b) || a.member.server - b.member.server);
}
