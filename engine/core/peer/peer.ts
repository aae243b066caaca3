/**
 * One member's traversal. The order of things:
 *
 * 1. The relay carries packets from the first moment; own candidates go out, again and again until acknowledged.
 * 2. The peer's candidates become pairs; both sides ping all of them at once, dense first, and answer what they hear.
 * 3. A pong proves its path, and from then on the path is probed for RTT, jitter, loss and life.
 * 4. The best sound path is chosen; when it falls silent copies leave over a standby, after a second it is replaced.
 *
 * Every event runs `#advance`: judge, choose, send what is due, ask to be woken.
 */

import { type NatReport, UNKNOWN_NAT } from '../../../protocol/nat.ts';
import type { Candidate } from '../../../protocol/peer.ts';
import { canonicalIp } from '../candidates/address.ts';
import { dependsOnDestination } from '../nat/fresh.ts';
import { simultaneousOpen } from './attempt.ts';
import { isDirect } from './choice.ts';
import type { CorePath, Endpoint, PeerAction, PeerCore, PeerEvent, PeerOptions, PeerView, Via } from './contract.ts';
import { CandidateExchange } from './exchange.ts';
import { ReturnHold } from './hold.ts';
import { keepaliveMs, type Pace } from './pace.ts';
import { mayTrigger, nextCheckAt, type Pair, PairList, pairKey, publicEndpoints } from './pairs.ts';
import { PathRecord } from './path.ts';
import { Pings } from './pings.ts';
import { relayReason } from './reason.ts';
import { directPath, type PathState, selectDuplicate, selectPath } from './selection.ts';
import {
  ACTIVE_HOLD_MS,
  AVOIDED_MS,
  BURST_OFFSETS_MS,
  HELD_CHECK_MS,
  LOST_AFTER_MS,
  PEER_REFLEXIVE_LIFETIME_MS,
  STALL_GRACE_MS,
  STALL_MS,
} from './tuning.ts';
import { pathView } from './view.ts';
import { nextWatchAt, probesDue } from './watch.ts';

const RELAY = 'external';

export function createPeer(options: PeerOptions): PeerCore {
  return new Peer(options);
}

class Peer implements PeerCore {
  readonly #options: PeerOptions;
  readonly #pairs: PairList;
  readonly #exchange = new CandidateExchange();
  readonly #paths: PathState = { records: new Map(), chosen: null, firstDirectAt: null };
  readonly #hold = new ReturnHold();
  readonly #pings = new Pings();
  #actions: PeerAction[] = [];
  #own: { candidates: Candidate[]; nat: NatReport } = { candidates: [], nat: UNKNOWN_NAT };
  #theirs: { candidates: Candidate[]; nat: NatReport | null } | null = null;
  #relayHost = '';
  #checkingSince: number | null = null;
  #activeUntil = Number.NEGATIVE_INFINITY;
  #alertSince: number | null = null;
  #since = 0;
  /** Last sign of life of any kind, null before the first. */
  #heardAt: number | null = null;
  /** When the relay last told that a ping to an unproven address arrived. */
  #arrivedAt = Number.NEGATIVE_INFINITY;
  #wakeAt = Number.POSITIVE_INFINITY;
  /** What the device was last told. */
  #told: { path: CorePath | null; duplicate: CorePath | null } | null = null;

  constructor(options: PeerOptions) {
    this.#options = options;
    this.#pairs = new PairList({ families: options.families, refuses: options.refuses ?? (() => false) });
  }

  nextSeq(): number {
    return this.#pings.nextSeq();
  }

  direct(): boolean {
    return this.directSocket() !== null;
  }

  directSocket(): number | null {
    const via = directPath(this.#paths)?.via;
    return via === undefined || via === 'external' ? null : via.socket;
  }

  nat(): NatReport | null {
    return this.#theirs?.nat ?? null;
  }

  sockets(): number[] {
    const alive = [...this.#paths.records.values()].filter(({ key }) => this.#livesOrCarries(key));
    return alive.flatMap(({ via }) => (via === 'external' ? [] : [via.socket]));
  }

  bothDependent(): boolean {
    const theirs = this.#theirs?.nat;
    return theirs != null && dependsOnDestination(this.#own.nat.mapping) && dependsOnDestination(theirs.mapping);
  }

  endpoints(): Endpoint[] {
    return publicEndpoints(this.#theirs?.candidates ?? []);
  }

  handle(now: number, event: PeerEvent): PeerAction[] {
    this.#actions = [];
    if (now - this.#wakeAt > STALL_MS) this.#stalled(now);
    this.#dispatch(now, event);
    this.#advance(now);
    return this.#actions;
  }

  #dispatch(now: number, event: PeerEvent): void {
    switch (event.type) {
      case 'relay':
        return this.#relay(now, event.up, event.host);
      case 'local':
        return this.#local(now, event.candidates, event.nat);
      case 'message':
        return this.#message(now, event.message);
      case 'ping':
        return this.#ping(now, event.via, event.at);
      case 'pong':
        return this.#pong(now, event);
      case 'handshake':
        return this.#alive(event.at);
      case 'traffic':
        if (event.txPackets > 0) this.#activeUntil = event.at + ACTIVE_HOLD_MS;
        if (event.rxPackets > 0) this.#alive(event.at);
        return;
      case 'punched':
        return this.#punched(now, event.seq, event.via);
      case 'withheld':
        return this.#withheld(event.seqs);
      case 'sockets-closed':
        return this.#socketsClosed(event.sockets);
      case 'network-changed':
        return this.#networkChanged(now);
      case 'tick':
        return;
    }
  }

  // Events

  #relay(now: number, up: boolean, host: string): void {
    const sameRelay = host === this.#relayHost && this.#paths.records.has(RELAY);
    this.#relayHost = host;
    if (!up) {
      this.#paths.records.delete(RELAY);
    } else if (!sameRelay) {
      // Another server is another path, with another RTT.
      this.#paths.records.set(RELAY, new PathRecord(RELAY, 'external', 'relay', now));
      this.#exchange.hurry(now);
    }
  }

  #local(now: number, candidates: Candidate[], nat: NatReport): void {
    this.#own = { candidates, nat };
    // A relay-only member tells nobody where it is, and its report names its public addresses.
    if (this.#options.relayOnly) this.#exchange.offer([], null, now);
    else this.#exchange.offer(candidates, nat, now);
    this.#followCandidates(now);
  }

  #message(now: number, message: Extract<PeerEvent, { type: 'message' }>['message']): void {
    if (message.t === 'candidates-ack') return this.#exchange.acknowledged(message.revision);
    if (message.t !== 'candidates') return;
    this.#actions.push({ type: 'send', message: { t: 'candidates-ack', revision: message.revision } });
    if (!this.#exchange.accept(message)) return;
    this.#theirs = { candidates: message.candidates, nat: message.nat };
    // A new list often means that the peer moved: ask every path now instead of at its next keepalive.
    for (const record of this.#paths.records.values()) record.hurry(now);
    this.#followCandidates(now);
  }

  #followCandidates(now: number): void {
    if (this.#options.relayOnly || this.#theirs === null) return;
    this.#pairs.follow(this.#theirs.candidates, this.#own.candidates, now, (key) => this.#livesOrCarries(key));
    if (this.#pairs.size > 0) this.#checkingSince ??= now;
  }

  #ping(now: number, via: Via, at: number): void {
    this.#alive(at);
    if (via === 'external' || this.#options.relayOnly) return;
    const remote = canonical(via.remote);
    const known = this.#pairs.get(pairKey(via.socket, remote));
    const news = known === undefined || at - (known.heardAt ?? Number.NEGATIVE_INFINITY) > PEER_REFLEXIVE_LIFETIME_MS;
    // Both answer from a new port each time: with a path that carries the echo is not followed any further.
    if (known === undefined && this.bothDependent() && this.#isDirect()) return;
    const pair = this.#pairs.heard(via.socket, remote, at);
    if (pair === null || this.#lives(pair.key)) return;
    // Triggered check (RFC 8445, 7.3.1.4): the peer's NAT is open towards us right now.
    if (news) this.#pairs.restart(pair, now);
    if (mayTrigger(pair, now)) this.#check(pair, now);
  }

  #pong(now: number, event: Extract<PeerEvent, { type: 'pong' }>): void {
    this.#alive(event.at);
    const told = event.via === 'external' ? this.#pings.of(event.seq) : undefined;
    // One direction works, and nothing is known of the other.
    if (told !== undefined && told.key !== RELAY) {
      this.#arrivedAt = event.at;
      return;
    }
    const ping = this.#pings.take(event.seq);
    // The device takes an answer to our own pings only: this one was a punch's, and names an address that works.
    if (ping === undefined) return this.#ping(now, event.via, event.at);
    const from =
      event.via === 'external' ? event.via : { socket: event.via.socket, remote: canonical(event.via.remote) };
    const key = from === 'external' ? RELAY : pairKey(from.socket, from.remote);
    // An answer from elsewhere proves nothing about where we sent to (RFC 8445, 7.2.5.2.1), but names a new address.
    if (key !== ping.key && !this.bothDependent()) return this.#ping(now, event.via, event.at);
    // Two NATs that map by destination have two mappings for one path: the ping got there, and its answer got here.
    if (ping.guess !== null) this.#pairs.heard(ping.guess.socket, ping.guess.remote, event.at);
    const record = this.#recordOf(ping.key, event.at);
    if (record === null) return;
    if (ping.packetSize !== null) return record.mtu.answered(ping.packetSize, event.at);
    if (!record.alive) this.#revive(record, event.at);
    record.answered(event.seq, ping.sentAt, event.rttMs, event.at);
    if (record.key === this.#paths.chosen && isDirect(record.kind)) {
      this.#hold.lived(event.at - Math.max(record.aliveSince, this.#since));
    }
    if (event.observed !== null && from !== 'external') record.tieBreak = this.#tieBreak(event.observed, from.remote);
    if (isDirect(record.kind)) this.#paths.firstDirectAt ??= now;
  }

  #punched(now: number, seq: number, via: Pair['via']): void {
    if (this.bothDependent()) this.#pings.guessed(seq, pairKey(via.socket, via.remote), via, now);
  }

  #withheld(seqs: readonly number[]): void {
    for (const seq of seqs) {
      const ping = this.#pings.take(seq);
      if (ping === undefined) continue;
      if (ping.packetSize === null) this.#pairs.withheld(ping.key);
      else this.#paths.records.get(ping.key)?.mtu.withheld(ping.packetSize);
    }
  }

  #recordOf(key: string, at: number): PathRecord | null {
    const known = this.#paths.records.get(key);
    if (known !== undefined) return known;
    const pair = this.#pairs.get(key);
    if (pair === undefined) return null;
    const record = new PathRecord(key, pair.via, pair.kind, at);
    record.heldUntil = at + this.#hold.ms(false);
    this.#paths.records.set(key, record);
    return record;
  }

  #revive(record: PathRecord, at: number): void {
    record.revived(at);
    record.heldUntil = at + this.#hold.ms(record.diedInUse);
  }

  /** The lower key's end first: both sides spell the same text for one path. */
  #tieBreak(observed: Endpoint, remote: Endpoint): string {
    const ends = [canonical(observed), remote].map((end) => `${end.ip} ${end.port}`);
    return (this.#options.lower ? ends : ends.toReversed()).join(' ');
  }

  #networkChanged(now: number): void {
    for (const record of this.#paths.records.values()) record.distrust();
    for (const pair of this.#pairs.all()) this.#pairs.restart(pair, now);
    // A fresh revision makes the peer check again too, even where the list stayed the same.
    if (this.#exchange.offered) this.#local(now, this.#own.candidates, this.#own.nat);
  }

  #socketsClosed(sockets: readonly number[]): void {
    this.#pairs.removeSockets(sockets);
    for (const [key, { via }] of this.#paths.records) {
      if (via !== 'external' && sockets.includes(via.socket)) this.#paths.records.delete(key);
    }
  }

  #alive(at: number): void {
    this.#heardAt = Math.max(at, this.#heardAt ?? at);
  }

  /** The process was blocked: silence until now says nothing about any path. */
  #stalled(now: number): void {
    for (const record of this.#paths.records.values()) record.grant(now + STALL_GRACE_MS);
  }

  // What follows from them

  #advance(now: number): void {
    this.#judge(now);
    this.#choose(now);
    this.#sendChecks(now);
    const pace = this.#pace(now);
    this.#sendProbes(pace, now);
    for (const message of this.#exchange.due(now)) this.#actions.push({ type: 'send', message });
    this.#forget(now);
    this.#wakeAt = this.#nextWake(pace, now);
    if (Number.isFinite(this.#wakeAt)) this.#actions.push({ type: 'wake', at: this.#wakeAt });
  }

  #judge(now: number): void {
    for (const record of this.#paths.records.values()) {
      if (!record.alive) continue;
      record.expire(now);
      if (now < record.deadAt()) continue;
      const inUse = record.key === this.#paths.chosen;
      record.died(inUse);
      if (inUse) this.#hold.died();
      for (const pair of this.#pairs.all()) if (inUse || pair.key === record.key) this.#pairs.restart(pair, now);
    }
  }

  #choose(now: number): void {
    const paths = this.#paths;
    const from = paths.chosen === null ? undefined : paths.records.get(paths.chosen);
    const fromDead = from === undefined || !from.alive || from.suspect;
    const fromKind = from?.kind ?? (paths.chosen === RELAY ? 'relay' : null);
    const { chosen, leftAsWorse } = selectPath(paths, now);
    const to = chosen === null ? undefined : paths.records.get(chosen);
    if (chosen !== paths.chosen) {
      if (from !== undefined) from.avoidedUntil = leftAsWorse ? now + AVOIDED_MS : Number.NEGATIVE_INFINITY;
      if (to !== undefined) to.avoidedUntil = Number.NEGATIVE_INFINITY;
      const why = this.#told === null ? 'first' : fromDead ? 'dead' : leftAsWorse ? 'clearly-better' : 'better';
      this.#actions.push({ type: 'path-changed', from: fromKind, to: to?.kind ?? null, why });
      paths.chosen = chosen;
      this.#since = now;
    }
    const doubted = to !== undefined && isDirect(to.kind) && (!to.alive || to.mustProve || to.overdue > 0);
    this.#alertSince = doubted ? (this.#alertSince ?? now) : null;
    this.#tell(to, selectDuplicate(paths, now));
  }

  /** Tells the device, only when something changed. */
  #tell(to: PathRecord | undefined, duplicateKey: string | null): void {
    const path = corePath(to);
    const duplicate = corePath(duplicateKey === null ? undefined : this.#paths.records.get(duplicateKey));
    const told = this.#told;
    if (told === null ? path === null : samePath(path, told.path) && samePath(duplicate, told.duplicate)) return;
    this.#told = { path, duplicate };
    this.#actions.unshift({ type: 'path', path, duplicate });
  }

  #sendChecks(now: number): void {
    for (const pair of this.#pairs.all()) {
      if (!this.#lives(pair.key) && this.#nextCheckAt(pair) <= now) this.#check(pair, now);
    }
  }

  #nextCheckAt(pair: Pair): number {
    const at = nextCheckAt(pair, this.#isDirect());
    const { chosen, records } = this.#paths;
    return chosen === null && records.has(pair.key) ? Math.min(at, pair.lastSentAt + HELD_CHECK_MS) : at;
  }

  #check(pair: Pair, now: number): void {
    pair.lastSentAt = now;
    pair.checks += 1;
    // A late turn sends one ping, not all that were missed; a triggered check takes no turn of the burst.
    pair.sent = BURST_OFFSETS_MS.filter((offset) => pair.roundAt + offset <= now).length;
    this.#actions.push(
      this.#pings.send({ key: pair.key, via: pair.via, purpose: 'check', doubly: this.bothDependent() }, now),
    );
  }

  #sendProbes(pace: Pace, now: number): void {
    for (const ping of probesDue(this.#paths.records.values(), this.#pings, pace, now)) this.#actions.push(ping);
  }

  #pace(now: number): Pace {
    const { chosen, records } = this.#paths;
    const standbys: PathRecord[] = [];
    for (const record of records.values()) {
      if (record.alive && record.key !== chosen && isDirect(record.kind)) standbys.push(record);
    }
    return {
      active: now < this.#activeUntil,
      alertSince: this.#alertSince,
      chosen,
      relayed: chosen === RELAY,
      keepaliveMs: keepaliveMs(this.#own.nat.lifetimeSeconds),
      standbys: standbys.sort((a, b) => (a.srttMs ?? 0) - (b.srttMs ?? 0)).map(({ key }) => key),
    };
  }

  #forget(now: number): void {
    this.#pings.forget(now);
    // Where both map by destination the peer may reach us by the mapping of a path that does not lead to it any more.
    const both = this.bothDependent();
    this.#pairs.forget(now, (key) => this.#livesOrCarries(key) || (both && this.#paths.records.has(key)));
    for (const key of this.#paths.records.keys()) {
      if (key !== RELAY && !this.#livesOrCarries(key) && this.#pairs.get(key) === undefined) {
        this.#paths.records.delete(key);
      }
    }
  }

  #nextWake(pace: Pace, now: number): number {
    let next = Math.min(this.#exchange.nextAt(), nextWatchAt(this.#paths.records.values(), pace, now));
    for (const pair of this.#pairs.all()) {
      if (!this.#lives(pair.key)) next = Math.min(next, this.#nextCheckAt(pair));
    }
    return next;
  }

  #lives(key: string): boolean {
    return this.#paths.records.get(key)?.alive === true;
  }

  /** With nothing that carries, whatever once answered is worth asking. */
  #livesOrCarries(key: string): boolean {
    const { chosen, records } = this.#paths;
    return key === chosen || this.#lives(key) || (chosen === null && records.has(key));
  }

  #isDirect(): boolean {
    const chosen = this.#paths.chosen;
    return chosen !== null && chosen !== RELAY && this.#lives(chosen);
  }

  // What people see

  view(now: number): PeerView {
    const direct = this.#isDirect();
    const record = this.#paths.chosen === null ? undefined : this.#paths.records.get(this.#paths.chosen);
    const oneWay = !direct && now - this.#arrivedAt < PEER_REFLEXIVE_LIFETIME_MS;
    const reason = relayReason({
      direct,
      relayOnly: this.#options.relayOnly,
      ownNat: this.#own.nat,
      theirNat: this.#theirs?.nat ?? null,
      theirCandidates: this.#theirs?.candidates.length ?? null,
      pairs: this.#pairs.size,
      oneWay,
      hadDirect: this.#paths.firstDirectAt !== null,
      checkedForMs: this.#checkingSince === null ? null : now - this.#checkingSince,
    });
    const state = this.#state(now, record);
    const path = record === undefined ? null : pathView(record, this.#relayHost, this.#since);
    const tried = direct ? [] : [...this.#pairs.all()].filter(({ key }) => !this.#lives(key));
    const punch = simultaneousOpen(tried, now);
    return { state, path, reason, punch, nat: this.#theirs?.nat ?? null, direct, oneWay };
  }

  #state(now: number, record: PathRecord | undefined): PeerView['state'] {
    if (this.#heardAt === null) return 'connecting';
    const silent = record === undefined || !record.alive || record.suspect;
    return silent && now - this.#heardAt > LOST_AFTER_MS ? 'lost' : 'connected';
  }
}

function canonical(endpoint: Endpoint): Endpoint {
  return { ip: canonicalIp(endpoint.ip), port: endpoint.port };
}

function samePath(a: CorePath | null, b: CorePath | null): boolean {
  if (a?.kind !== 'udp' || b?.kind !== 'udp') return a?.kind === b?.kind;
  return a.socket === b.socket && a.mtu === b.mtu && a.to.ip === b.to.ip && a.to.port === b.to.port;
}

/** The device's words for a path. */
function corePath(record: PathRecord | undefined): CorePath | null {
  if (record === undefined) return null;
  if (record.via === 'external') return { kind: 'external' };
  return { kind: 'udp', socket: record.via.socket, to: record.via.remote, mtu: record.mtu.mtu };
}
