/**
 * NAT behaviour discovery of one UDP family (RFC 5780, 4), in this order:
 *
 * 1. Every server is asked from the main socket at all its endpoints at once: reflexive candidates after one round trip,
 *    and the mapping behaviour with them.
 * 2. A second, fresh socket asks the first server that answered, with CHANGE-REQUEST: the filtering behaviour. It has sent
 *    to that one endpoint only, because the mapping tests open the very addresses that changed answers come from.
 * 3. A mapping that depends on the destination is made a few times more, from fresh sockets: how ports are drawn.
 * 4. Both sockets ask each other's outside endpoint: hairpinning.
 * 5. While somebody watches, the mapping is asked for again every 20 to 26 s; when it moved, all starts over.
 * 6. What stays unknown because answers were missing is measured again, ever more rarely, whether or not somebody watches.
 *
 * One measurement is a `Round`; here is when to measure, and what is known over all of them.
 */
import { type NatReport, UNKNOWN_NAT } from '../../../protocol/nat.ts';
import type { Candidate } from '../../../protocol/peer.ts';
import { canonicalIp, parseAddress } from '../candidates/address.ts';
import { type BindingSuccess, decodeBindingResponse } from '../stun/binding.ts';
import { decodeStun } from '../stun/message.ts';
import { isBeyond } from './classify.ts';
import type { Endpoint, NatAction, NatCore, NatEvent, NatOptions, StunServer } from './contract.ts';
import { type Evidence, isSeen, noEvidence, sameEndpoint } from './evidence.ts';
import { reflexiveOf, reportOf } from './report.ts';
import { Round } from './round.ts';
import { comesFrom, usableServers } from './servers.ts';
import { type Transaction, Transactions } from './transactions.ts';
import {
  BLOCKED_AFTER_MS,
  RECHECK_GAP_MS,
  RECHECK_MAX_MS,
  RECHECK_MIN_MS,
  REMEASURE_FIRST_MS,
  REMEASURE_MAX_MS,
} from './tuning.ts';

export function createNatCore(options: NatOptions): NatCore {
  return new Discovery(options);
}

class Discovery implements NatCore {
  readonly #options: NatOptions;
  readonly #mainSocket: number;
  readonly #transactions: Transactions;
  #actions: NatAction[] = [];
  #servers: StunServer[] = [];
  /** The servers as they were given, before they told more of themselves. */
  #announced = '';
  #localAddresses: string[];
  #round: Round | null = null;
  #roundAt = 0;
  #requests = 0;
  /** Nothing answered in time while TCP works; until something does, or the network changes. */
  #blocked = false;
  /** The last round's report on this network. */
  #before: NatReport | null = null;
  #candidates: Candidate[] = [];
  #report: NatReport = UNKNOWN_NAT;
  #published = '';
  /** Something answered on this network: silence later is an outage, not a blocked UDP. */
  #everAnswered = false;
  #tcpReachable = false;
  /** This round's silence has lasted long enough to mean something. */
  #silenceJudged = false;
  #watching = false;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #recheckAt = Number.POSITIVE_INFINITY;
  /** Rounds in a row that left something unknown; and when the next one begins. */
  #inconclusive = 0;
  #remeasureAt = Number.POSITIVE_INFINITY;
  /** Rechecks in a row that saw the mapping moved; until then only its new endpoint is noted. */
  #moves = 0;
  #movedUntil = Number.NEGATIVE_INFINITY;

  constructor(options: NatOptions) {
    this.#options = options;
    this.#mainSocket = options.family === 4 ? 0 : 1;
    this.#transactions = new Transactions(options.random);
    this.#localAddresses = options.localAddresses.map(canonicalIp);
  }

  report(): NatReport {
    return this.#report;
  }

  answering(turn = 0): Endpoint | null {
    const evidence = this.#evidence();
    const answering = this.#servers.filter((_, i) => isBeyond(evidence.servers[i], evidence));
    return answering[turn % answering.length]?.primary ?? null;
  }

  comparesAddresses(): boolean {
    const evidence = this.#evidence();
    const asked = this.#servers.flatMap(({ primary, alternate }, i) => {
      const server = evidence.servers[i];
      if (!isBeyond(server, evidence)) return [];
      return alternate !== null && isSeen(server?.alternate ?? 'untested') ? [primary.ip, alternate.ip] : [primary.ip];
    });
    return new Set(asked).size > 1;
  }

  settled(): boolean {
    if (this.#round === null) return true;
    return this.#round.settled() && (this.#everAnswered || this.#silenceJudged);
  }

  handle(now: number, event: NatEvent): NatAction[] {
    this.#actions = [];
    this.#dispatch(now, event);
    this.#advance(now);
    return this.#actions;
  }

  #dispatch(now: number, event: NatEvent): void {
    switch (event.type) {
      case 'servers':
        return this.#serversKnown(now, event.servers);
      case 'tcp-reachable':
        this.#tcpReachable = true;
        return;
      case 'socket':
        if (this.#round === null) this.#actions.push({ type: 'close-socket', socket: event.socket });
        return this.#round?.socketOpened(now, event.request, event.socket, event.port);
      case 'stun':
        return this.#stun(now, event.socket, event.from, event.bytes);
      case 'network-changed':
        return this.#networkChanged(now, event.localAddresses);
      case 'watch':
        return this.#watch(now, event.on);
      case 'tick':
        return;
    }
  }

  // Rounds

  #serversKnown(now: number, servers: readonly StunServer[]): void {
    const list = usableServers(servers, this.#options.family);
    const announced = JSON.stringify(list);
    if (announced === this.#announced) return;
    this.#announced = announced;
    this.#servers = list;
    this.#inconclusive = 0;
    if (list.length > 0) this.#startRound(now);
  }

  #networkChanged(now: number, localAddresses: string[]): void {
    this.#localAddresses = localAddresses.map(canonicalIp);
    this.#before = null;
    this.#everAnswered = false;
    this.#tcpReachable = false;
    this.#blocked = false;
    this.#inconclusive = 0;
    this.#moves = 0;
    this.#movedUntil = Number.NEGATIVE_INFINITY;
    if (this.#servers.length > 0) this.#startRound(now);
  }

  #startRound(now: number): void {
    this.#transactions.clear();
    this.#round?.close();
    if (this.#everAnswered) this.#before = this.#report;
    this.#roundAt = now;
    this.#silenceJudged = false;
    this.#remeasureAt = Number.POSITIVE_INFINITY;
    this.#recheckAt = this.#nextRecheck(now);
    const context = {
      servers: this.#servers,
      mainSocket: this.#mainSocket,
      localAddresses: this.#localAddresses,
      localPort: this.#options.localPort,
      transactions: this.#transactions,
      nextRequest: () => ++this.#requests,
      act: (action: NatAction) => void this.#actions.push(action),
    };
    this.#round = new Round(context, now);
  }

  // Answers

  #stun(now: number, socket: number, from: Endpoint, bytes: Uint8Array): void {
    const message = decodeStun(bytes);
    if (message.kind !== 'ok') return;
    const transaction = this.#transactions.find(message.message.transactionId);
    if (transaction === undefined) return;
    if (transaction.purpose.test === 'hairpin') return this.#round?.hairpinned(socket, transaction);
    const decoded = decodeBindingResponse(bytes);
    if (socket !== transaction.socket || decoded.kind !== 'ok') return;
    const { response } = decoded;
    if (response.kind !== 'error') return this.#answered(now, transaction, from, response);
    this.#transactions.finish(transaction);
    this.#round?.refused(transaction);
  }

  #answered(now: number, transaction: Transaction, from: Endpoint, response: BindingSuccess): void {
    const { purpose, to } = transaction;
    const mapped = { ip: canonicalIp(response.mapped.ip), port: response.mapped.port };
    if (parseAddress(mapped.ip)?.family !== this.#options.family) return;
    // RFC 8489, 6.3.4: an answer counts only from where the request went.
    if (purpose.test !== 'filtering' && !comesFrom(from, to)) return;
    this.#transactions.finish(transaction);
    this.#everAnswered ||= purpose.test !== 'filtering';
    this.#answeredAt = now;
    if (purpose.test === 'recheck') return this.#rechecked(now, purpose.server, mapped, purpose.moved);
    const source = { ip: canonicalIp(from.ip), port: from.port };
    this.#round?.answered(now, transaction, source, mapped, response);
  }

  // Watching

  #watch(now: number, on: boolean): void {
    if (on === this.#watching) return;
    this.#watching = on;
    const soon = now - this.#answeredAt > RECHECK_GAP_MS ? now : this.#nextRecheck(now);
    this.#recheckAt = on && this.#round !== null ? soon : this.#nextRecheck(now);
  }

  #nextRecheck(now: number): number {
    if (!this.#watching) return Number.POSITIVE_INFINITY;
    const share = (this.#options.random(1)[0] ?? 0) / 256;
    return now + RECHECK_MIN_MS + share * (RECHECK_MAX_MS - RECHECK_MIN_MS);
  }

  #recheck(now: number): void {
    if (this.#recheckAt > now) return;
    this.#recheckAt = this.#nextRecheck(now);
    if (!this.settled() || this.#servers.length === 0) return;
    const server = this.#round?.answering() ?? -1;
    if (server >= 0) this.#askAgain(now, server, null);
    // Those in this LAN have said all that they can.
    else if (this.#round?.incomplete() !== false) this.#startRound(now);
  }

  #askAgain(now: number, server: number, moved: Endpoint | null): void {
    const to = this.#servers[server]?.primary;
    if (to !== undefined) this.#transactions.start({ test: 'recheck', server, moved }, this.#mainSocket, to, now);
  }

  #rechecked(now: number, index: number, mapped: Endpoint, moved: Endpoint | null): void {
    const server = this.#round?.evidence.servers[index];
    if (server === undefined || server.unsteady) return;
    if (moved !== null && !sameEndpoint(moved, mapped)) return this.#round?.disbelieve(index);
    const known = server.moved ?? server.primary;
    if (isSeen(known) && sameEndpoint(known, mapped)) {
      if (moved === null && server.moved === null) this.#moves = 0;
      else this.#moved(now, index, mapped);
      return;
    }
    // Peers get the new endpoint before everything is measured anew.
    server.moved = mapped;
    this.#askAgain(now, index, mapped);
  }

  /** Mappings that expire between two rechecks move each time, and a server may make it up: neither is worth a round each time. */
  #moved(now: number, index: number, mapped: Endpoint): void {
    if (now < this.#movedUntil) return;
    this.#movedUntil = now + Math.min(RECHECK_MAX_MS * 2 ** this.#moves, REMEASURE_MAX_MS);
    this.#moves += 1;
    this.#startRound(now);
    const server = this.#round?.evidence.servers[index];
    if (server !== undefined) server.primary = mapped;
  }

  // What follows

  #advance(now: number): void {
    let silentRecheck = false;
    for (const transaction of this.#transactions.expired(now)) {
      if (transaction.purpose.test === 'recheck') silentRecheck = true;
      this.#round?.gaveUp(transaction);
    }
    // The server that answered before is silent: ask all of them again.
    if (silentRecheck || now >= this.#remeasureAt) this.#startRound(now);
    this.#recheck(now);
    this.#judgeSilence(now);
    this.#round?.advance(now);
    for (const transaction of this.#transactions.due(now)) {
      const { socket, to, bytes } = transaction;
      this.#actions.push({ type: 'stun', socket, to, bytes });
    }
    if (this.settled()) this.#round?.closeSecond();
    this.#publish();
    this.#planRemeasure(now);
    const wake = Math.min(
      this.#transactions.nextAt(),
      this.#recheckAt,
      this.#remeasureAt,
      this.#blockedAt(now),
      this.#round?.socketDueAt() ?? Number.POSITIVE_INFINITY,
    );
    if (Number.isFinite(wake)) this.#actions.push({ type: 'wake', at: wake });
  }

  /** A name that is missing because answers were is worth another round, also for a member who is alone. */
  #planRemeasure(now: number): void {
    if (this.#round === null || !this.settled() || Number.isFinite(this.#remeasureAt)) return;
    const { mapping, filtering } = this.#report;
    const unknown = mapping === 'unknown' || filtering === 'unknown';
    if (!unknown || !this.#round.incomplete()) {
      this.#inconclusive = 0;
      return;
    }
    this.#remeasureAt = now + Math.min(REMEASURE_FIRST_MS * 2 ** this.#inconclusive, REMEASURE_MAX_MS);
    this.#inconclusive += 1;
  }

  #judgeSilence(now: number): void {
    if (this.#everAnswered || this.#round === null) {
      this.#blocked = false;
      return;
    }
    this.#silenceJudged = now - this.#roundAt >= BLOCKED_AFTER_MS;
    // A host without an address of this family is not blocked, it is simply not there.
    const present = this.#localAddresses.some((ip) => parseAddress(ip)?.family === this.#options.family);
    this.#blocked ||= this.#silenceJudged && this.#tcpReachable && present;
  }

  #blockedAt(now: number): number {
    const judges = this.#round !== null && !this.#everAnswered;
    const at = judges ? this.#roundAt + BLOCKED_AFTER_MS : Number.POSITIVE_INFINITY;
    return at > now ? at : Number.POSITIVE_INFINITY;
  }

  #evidence(): Evidence {
    const evidence = this.#round?.evidence ?? noEvidence(0, this.#localAddresses, this.#options.localPort);
    evidence.blocked = this.#blocked;
    return evidence;
  }

  #publish(): void {
    const evidence = this.#evidence();
    this.#report = reportOf(evidence, this.#options.family, this.#before);
    const candidates = reflexiveOf(evidence);
    // Old endpoints stay until new ones are known or the round ended without any.
    if (candidates.length > 0 || this.settled()) this.#candidates = candidates;
    const text = JSON.stringify([this.#report, this.#candidates]);
    if (text === this.#published) return;
    if (this.#published === '' && this.#candidates.length === 0 && this.#report.type === 'unknown') return;
    this.#published = text;
    this.#actions.push({ type: 'report', report: this.#report, candidates: this.#candidates });
  }
}
