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
 */
import { UNKNOWN_NAT, type NatReport } from '../../../protocol/nat.ts';
import type { Candidate } from '../../../protocol/peer.ts';
import { canonicalIp, parseAddress } from '../candidates/address.ts';
import { type BindingSuccess, decodeBindingResponse } from '../stun/binding.ts';
import { decodeStun } from '../stun/message.ts';
import { mappingOf } from './classify.ts';
import type { Endpoint, NatAction, NatCore, NatEvent, NatOptions, StunServer } from './contract.ts';
import { cameFromChanged, type Evidence, isSeen, noEvidence, sameEndpoint, setFilter } from './evidence.ts';
import { FreshMappings } from './fresh.ts';
import { reflexiveOf, reportOf } from './report.ts';
import { comesFrom, filterServer, learnOther, usableServers } from './servers.ts';
import { type Target, type Transaction, Transactions } from './transactions.ts';
import { BLOCKED_AFTER_MS, GIVE_UP_MS, RECHECK_GAP_MS, RECHECK_MAX_MS, RECHECK_MIN_MS } from './tuning.ts';

export function createNatCore(options: NatOptions): NatCore {
  return new Discovery(options);
}

/** The fresh socket of the filtering test; closed when the round is over. */
type SecondSocket = { state: 'none' } | { state: 'asked'; request: number } | { state: 'open'; socket: number };

const TARGETS: Record<Target, 'primary' | 'secondPort' | 'alternate'> = {
  primary: 'primary',
  'second-port': 'secondPort',
  alternate: 'alternate',
};

class Discovery implements NatCore {
  readonly #options: NatOptions;
  readonly #mainSocket: number;
  readonly #transactions: Transactions;
  #actions: NatAction[] = [];
  #servers: StunServer[] = [];
  /** The servers as they were given, before they told more of themselves. */
  #announced = '';
  #localAddresses: string[];
  #evidence: Evidence;
  /** The last round's report on this network. */
  #before: NatReport | null = null;
  #candidates: Candidate[] = [];
  #report: NatReport = UNKNOWN_NAT;
  #published = '';
  #second: SecondSocket = { state: 'none' };
  #fresh = new FreshMappings();
  #requests = 0;
  #roundAt: number | null = null;
  /** Something answered on this network: silence later is an outage, not a blocked UDP. */
  #everAnswered = false;
  #tcpReachable = false;
  /** This round's silence has lasted long enough to mean something. */
  #silenceJudged = false;
  #watching = false;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #recheckAt = Number.POSITIVE_INFINITY;
  /** The server whose (ip1, port1) the second socket asks. */
  #filterServer: number | null = null;
  #hairpinDone = false;

  constructor(options: NatOptions) {
    this.#options = options;
    this.#mainSocket = options.family === 4 ? 0 : 1;
    this.#transactions = new Transactions(options.random);
    this.#localAddresses = options.localAddresses.map(canonicalIp);
    this.#evidence = this.#noEvidence();
  }

  report(): NatReport {
    return this.#report;
  }

  answering(): Endpoint | null {
    const index = this.#evidence.servers.findIndex((server) => isSeen(server.primary));
    return this.#servers[index]?.primary ?? null;
  }

  settled(): boolean {
    if (this.#roundAt === null) return true;
    const done = this.#transactions.nextAt() === Number.POSITIVE_INFINITY && !this.#awaitsSocket();
    return done && (this.#everAnswered || this.#silenceJudged);
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
        return this.#socketOpened(now, event.request, event.socket, event.port);
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
    if (list.length > 0) this.#startRound(now);
  }

  #networkChanged(now: number, localAddresses: string[]): void {
    this.#localAddresses = localAddresses.map(canonicalIp);
    this.#before = null;
    this.#everAnswered = false;
    this.#tcpReachable = false;
    if (this.#servers.length > 0) this.#startRound(now);
  }

  #startRound(now: number): void {
    this.#transactions.clear();
    this.#closeSecond();
    for (const socket of this.#fresh.closeAll()) this.#actions.push({ type: 'close-socket', socket });
    this.#fresh = new FreshMappings();
    if (this.#everAnswered) this.#before = this.#report;
    this.#evidence = this.#noEvidence();
    this.#roundAt = now;
    this.#filterServer = null;
    this.#hairpinDone = false;
    this.#silenceJudged = false;
    this.#recheckAt = this.#nextRecheck(now);
    this.#requests += 1;
    this.#second = { state: 'asked', request: this.#requests };
    this.#actions.push({ type: 'open-socket', request: this.#requests });
    for (const [index, server] of this.#servers.entries()) {
      for (const target of Object.keys(TARGETS) as Target[]) {
        const to = server[TARGETS[target]];
        if (to !== null) this.#askMapping(index, target, to, now);
      }
    }
  }

  #askMapping(server: number, target: Target, to: Endpoint, now: number): void {
    const evidence = this.#evidence.servers[server];
    if (evidence === undefined) return;
    evidence[TARGETS[target]] = 'pending';
    this.#transactions.start({ test: 'mapping', server, target }, this.#mainSocket, to, now);
  }

  #noEvidence(): Evidence {
    return noEvidence(this.#servers.length, this.#localAddresses, this.#options.localPort);
  }

  // Answers

  #stun(now: number, socket: number, from: Endpoint, bytes: Uint8Array): void {
    const message = decodeStun(bytes);
    if (message.kind !== 'ok') return;
    const transaction = this.#transactions.find(message.message.transactionId);
    if (transaction === undefined) return;
    if (transaction.purpose.test === 'hairpin') return this.#hairpinned(socket, transaction);
    const decoded = decodeBindingResponse(bytes);
    if (socket !== transaction.socket || decoded.kind !== 'ok') return;
    const { response } = decoded;
    const source = { ip: canonicalIp(from.ip), port: from.port };
    if (response.kind === 'error') return this.#refused(transaction);
    this.#answered(now, transaction, source, response);
  }

  #answered(now: number, transaction: Transaction, from: Endpoint, response: BindingSuccess): void {
    const { purpose, to } = transaction;
    const mapped = { ip: canonicalIp(response.mapped.ip), port: response.mapped.port };
    if (parseAddress(mapped.ip)?.family !== this.#options.family) return;
    if (purpose.test === 'filtering') return this.#filterAnswered(now, transaction, from, mapped);
    // RFC 8489, 6.3.4: an answer counts only from where the request went.
    if (!comesFrom(from, to)) return;
    this.#transactions.finish(transaction);
    this.#everAnswered = true;
    this.#answeredAt = now;
    if (purpose.test === 'fresh') return this.#freshMapped(purpose.index, mapped);
    if (purpose.test === 'recheck') return this.#rechecked(now, purpose.server, mapped);
    if (purpose.test !== 'mapping') return;
    const server = this.#evidence.servers[purpose.server];
    if (server !== undefined) server[TARGETS[purpose.target]] = mapped;
    if (purpose.target === 'primary') this.#learnEndpoints(now, purpose.server, response);
  }

  /** A server that nobody announced (`--stun`) names its second endpoint itself (RFC 5780, 7.4). */
  #learnEndpoints(now: number, index: number, response: BindingSuccess): void {
    const server = this.#servers[index];
    const other = response.other;
    if (server === undefined || other === null) return;
    if (!learnOther(server, other)) return;
    if (server.secondPort !== null) this.#askMapping(index, 'second-port', server.secondPort, now);
    if (server.alternate !== null) this.#askMapping(index, 'alternate', server.alternate, now);
  }

  #refused(transaction: Transaction): void {
    this.#transactions.finish(transaction);
    if (transaction.purpose.test === 'filtering')
      setFilter(this.#evidence.filter, transaction.purpose.change, 'refused');
    else this.#gaveUp(transaction);
  }

  #gaveUp({ purpose }: Transaction): void {
    if (purpose.test === 'mapping') {
      const server = this.#evidence.servers[purpose.server];
      if (server !== undefined) server[TARGETS[purpose.target]] = 'silent';
    } else if (purpose.test === 'filtering') {
      setFilter(this.#evidence.filter, purpose.change, 'silent');
    } else if (purpose.test === 'hairpin') {
      this.#evidence.hairpin ??= false;
    } else if (purpose.test === 'fresh') {
      this.#closeFresh(purpose.index);
    }
  }

  // Fresh mappings, for the port model

  #beginFresh(): void {
    for (const request of this.#fresh.begin(mappingOf(this.#evidence), this.#requests)) {
      this.#requests = request;
      this.#actions.push({ type: 'open-socket', request });
    }
  }

  #askFresh(now: number, index: number, socket: number): void {
    const to = this.answering();
    if (to === null) return this.#closeFresh(index);
    this.#transactions.start({ test: 'fresh', index }, socket, to, now);
  }

  #freshMapped(index: number, mapped: Endpoint): void {
    this.#fresh.answered(index, mapped.port);
    this.#evidence.fresh = this.#fresh.samples();
    this.#closeFresh(index);
  }

  #closeFresh(index: number): void {
    const socket = this.#fresh.close(index);
    if (socket !== null) this.#actions.push({ type: 'close-socket', socket });
  }

  // Filtering, from the second socket

  #socketOpened(now: number, request: number, socket: number, port: number): void {
    const fresh = this.#fresh.opened(request, socket, port);
    if (fresh !== null) return this.#askFresh(now, fresh, socket);
    if (this.#second.state !== 'asked' || this.#second.request !== request) {
      this.#actions.push({ type: 'close-socket', socket });
      return;
    }
    this.#second = { state: 'open', socket };
    this.#evidence.secondPort = port;
  }

  #askFiltering(now: number): void {
    if (this.#second.state !== 'open' || this.#filterServer !== null) return;
    const index = filterServer(this.#servers, this.#evidence.servers);
    const server = this.#servers[index];
    if (server === undefined) return;
    this.#filterServer = index;
    this.#evidence.filter = { plain: 'pending', changePort: 'pending', changeBoth: 'pending' };
    for (const change of ['none', 'port', 'both'] as const) {
      this.#transactions.start({ test: 'filtering', change }, this.#second.socket, server.primary, now);
    }
  }

  #filterAnswered(now: number, transaction: Transaction, from: Endpoint, mapped: Endpoint): void {
    if (transaction.purpose.test !== 'filtering') return;
    this.#transactions.finish(transaction);
    this.#answeredAt = now;
    const { change } = transaction.purpose;
    const to = { ip: canonicalIp(transaction.to.ip), port: transaction.to.port };
    if (change === 'none') this.#evidence.filter.plain = mapped;
    else setFilter(this.#evidence.filter, change, cameFromChanged(change, from, to) ? 'answered' : 'refused');
  }

  // Hairpin, between the two sockets

  /** Only where the mapping is one for all destinations: elsewhere nobody knows the endpoint to ask. */
  #askHairpin(now: number): void {
    if (this.#hairpinDone || this.#second.state !== 'open') return;
    if (this.#transactions.pending('mapping').length > 0 || this.#transactions.pending('filtering').length > 0) return;
    this.#hairpinDone = true;
    const main = this.#evidence.servers.map((server) => server.primary).find(isSeen);
    const second = this.#evidence.filter.plain;
    if (main === undefined || !isSeen(second) || mappingOf(this.#evidence) !== 'endpoint-independent') return;
    // Each opens its own filter for the other, so that what is missing is the hairpin and nothing else.
    this.#transactions.start({ test: 'hairpin' }, this.#mainSocket, second, now);
    this.#transactions.start({ test: 'hairpin' }, this.#second.socket, main, now);
  }

  /** Our own request came back from outside to the other socket. */
  #hairpinned(socket: number, transaction: Transaction): void {
    if (socket === transaction.socket) return;
    this.#evidence.hairpin = true;
    for (const other of this.#transactions.pending('hairpin')) this.#transactions.finish(other);
  }

  // Watching

  #watch(now: number, on: boolean): void {
    if (on === this.#watching) return;
    this.#watching = on;
    const soon = now - this.#answeredAt > RECHECK_GAP_MS ? now : this.#nextRecheck(now);
    this.#recheckAt = on && this.#roundAt !== null ? soon : this.#nextRecheck(now);
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
    const to = this.answering();
    const server = this.#servers.findIndex(({ primary }) => primary === to);
    if (to === null) this.#startRound(now);
    else this.#transactions.start({ test: 'recheck', server }, this.#mainSocket, to, now);
  }

  #rechecked(now: number, server: number, mapped: Endpoint): void {
    const known = this.#evidence.servers[server]?.primary ?? 'untested';
    if (isSeen(known) && sameEndpoint(known, mapped)) return;
    this.#startRound(now);
    // The new endpoint is known already: peers get it a round trip sooner.
    const evidence = this.#evidence.servers[server];
    if (evidence !== undefined) evidence.primary = mapped;
  }

  // What follows

  #advance(now: number): void {
    let silentRecheck = false;
    for (const transaction of this.#transactions.expired(now)) {
      if (transaction.purpose.test === 'recheck') silentRecheck = true;
      this.#gaveUp(transaction);
    }
    // The server that answered before is silent: ask all of them again.
    if (silentRecheck) this.#startRound(now);
    this.#recheck(now);
    this.#judgeSilence(now);
    if (now >= this.#socketDueAt()) this.#second = { state: 'none' };
    this.#askFiltering(now);
    this.#beginFresh();
    this.#askHairpin(now);
    for (const transaction of this.#transactions.due(now)) {
      const { socket, to, bytes } = transaction;
      this.#actions.push({ type: 'stun', socket, to, bytes });
    }
    if (this.settled()) this.#closeSecond();
    this.#publish();
    const wake = Math.min(this.#transactions.nextAt(), this.#recheckAt, this.#blockedAt(now), this.#socketDueAt());
    if (Number.isFinite(wake)) this.#actions.push({ type: 'wake', at: wake });
  }

  #judgeSilence(now: number): void {
    if (this.#everAnswered || this.#roundAt === null) {
      this.#evidence.blocked = false;
      return;
    }
    this.#silenceJudged = now - this.#roundAt >= BLOCKED_AFTER_MS;
    // A host without an address of this family is not blocked, it is simply not there.
    const present = this.#localAddresses.some((ip) => parseAddress(ip)?.family === this.#options.family);
    this.#evidence.blocked ||= this.#silenceJudged && this.#tcpReachable && present;
  }

  #blockedAt(now: number): number {
    const at =
      this.#roundAt === null || this.#everAnswered ? Number.POSITIVE_INFINITY : this.#roundAt + BLOCKED_AFTER_MS;
    return at > now ? at : Number.POSITIVE_INFINITY;
  }

  #awaitsSocket(): boolean {
    return this.#second.state === 'asked' && this.#evidence.servers.some((server) => isSeen(server.primary));
  }

  /** A host that is out of sockets never opens one: the round goes on without. */
  #socketDueAt(): number {
    return this.#second.state === 'asked' && this.#roundAt !== null
      ? this.#roundAt + GIVE_UP_MS
      : Number.POSITIVE_INFINITY;
  }

  #closeSecond(): void {
    if (this.#second.state === 'open') this.#actions.push({ type: 'close-socket', socket: this.#second.socket });
    this.#second = { state: 'none' };
  }

  #publish(): void {
    this.#report = reportOf(this.#evidence, this.#options.family, this.#before);
    const candidates = reflexiveOf(this.#evidence);
    // Old endpoints stay until new ones are known or the round ended without any.
    if (candidates.length > 0 || this.settled()) this.#candidates = candidates;
    const text = JSON.stringify([this.#report, this.#candidates]);
    if (text === this.#published) return;
    if (this.#published === '' && this.#candidates.length === 0 && this.#report.type === 'unknown') return;
    this.#published = text;
    this.#actions.push({ type: 'report', report: this.#report, candidates: this.#candidates });
  }
}
