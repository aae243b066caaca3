/** One measurement of a network, from the first request to the last socket's closing (docs/nat.md, "What is measured"). */
import { canonicalIp } from '../candidates/address.ts';
import type { BindingSuccess } from '../stun/binding.ts';
import { isBeyond, mappingOf } from './classify.ts';
import type { Endpoint, NatAction, StunServer } from './contract.ts';
import { cameFromChanged, type Evidence, isSeen, noEvidence, sameEndpoint, setFilter } from './evidence.ts';
import { FreshMappings } from './fresh.ts';
import { filterServer, learnOther } from './servers.ts';
import type { Target, Transaction, Transactions } from './transactions.ts';
import { GIVE_UP_MS } from './tuning.ts';

export interface RoundContext {
  servers: StunServer[];
  mainSocket: number;
  localAddresses: readonly string[];
  localPort: number;
  transactions: Transactions;
  /** A number for `open-socket` that was not used before. */
  nextRequest(): number;
  act(action: NatAction): void;
}

/** The fresh socket of the filtering test; closed when the round is over. */
type SecondSocket = { state: 'none' } | { state: 'asked'; request: number } | { state: 'open'; socket: number };

const TARGETS: Record<Target, 'primary' | 'again' | 'secondPort' | 'alternate'> = {
  primary: 'primary',
  again: 'again',
  'second-port': 'secondPort',
  alternate: 'alternate',
};

export class Round {
  readonly evidence: Evidence;
  readonly #context: RoundContext;
  readonly #beganAt: number;
  readonly #fresh = new FreshMappings();
  #second: SecondSocket;
  /** The server whose (ip1, port1) the second socket asks. */
  #filterServer: number | null = null;
  #hairpinDone = false;

  constructor(context: RoundContext, now: number) {
    this.#context = context;
    this.#beganAt = now;
    this.evidence = noEvidence(context.servers.length, context.localAddresses, context.localPort);
    const request = context.nextRequest();
    this.#second = { state: 'asked', request };
    context.act({ type: 'open-socket', request });
    for (const [index, server] of context.servers.entries()) {
      this.#askMapping(index, 'primary', server.primary, now);
      this.#askMapping(index, 'again', server.primary, now);
      this.#askOthers(index, now);
    }
  }

  #askOthers(index: number, now: number): void {
    const server = this.#context.servers[index];
    if (server?.secondPort) this.#askMapping(index, 'second-port', server.secondPort, now);
    if (server?.alternate) this.#askMapping(index, 'alternate', server.alternate, now);
  }

  #askMapping(server: number, target: Target, to: Endpoint, now: number): void {
    const evidence = this.evidence.servers[server];
    if (evidence === undefined) return;
    evidence[TARGETS[target]] = 'pending';
    this.#context.transactions.start({ test: 'mapping', server, target }, this.#context.mainSocket, to, now);
  }

  /** Index of a server that has answered from beyond the NAT and can be believed; -1: none. */
  answering(): number {
    return this.evidence.servers.findIndex((server) => isBeyond(server, this.evidence));
  }

  /** Nothing is on its way any more. */
  settled(): boolean {
    const { transactions } = this.#context;
    const awaitsSocket = this.#second.state === 'asked' && this.answering() >= 0;
    return transactions.nextAt() === Number.POSITIVE_INFINITY && !awaitsSocket;
  }

  /** Somebody did not answer who might the next time, or the host had no socket to ask from. */
  incomplete(): boolean {
    const { servers, filter } = this.evidence;
    const silent = servers.some((server) => Object.values(server).includes('silent'));
    const unfiltered = filterServer(this.#context.servers, this.evidence) >= 0 && !isSeen(filter.plain);
    return silent || unfiltered;
  }

  // Answers

  /** To a request of this round, from where it may come. */
  answered(now: number, transaction: Transaction, from: Endpoint, mapped: Endpoint, response: BindingSuccess): void {
    const { purpose } = transaction;
    if (purpose.test === 'filtering') this.#filterAnswered(transaction, from, mapped);
    else if (purpose.test === 'fresh') this.#freshMapped(purpose.index, mapped);
    else if (purpose.test === 'mapping') this.#mapped(now, purpose.server, purpose.target, mapped, response);
  }

  #mapped(now: number, index: number, target: Target, mapped: Endpoint, response: BindingSuccess): void {
    const server = this.evidence.servers[index];
    if (server === undefined || server.unsteady) return;
    server[TARGETS[target]] = mapped;
    const { primary, again } = server;
    if (isSeen(primary) && isSeen(again) && !sameEndpoint(primary, again)) return this.disbelieve(index);
    if (target === 'primary') this.#learnEndpoints(now, index, response);
  }

  /** No NAT maps the same socket to the same endpoint twice: what this server says counts for nothing. */
  disbelieve(index: number): void {
    const silent = { primary: 'silent', again: 'silent', secondPort: 'silent', alternate: 'silent' } as const;
    this.evidence.servers[index] = { ...silent, moved: null, unsteady: true };
  }

  /** A server that nobody announced (`--stun`) names its second endpoint itself (RFC 5780, 7.4). */
  #learnEndpoints(now: number, index: number, response: BindingSuccess): void {
    const server = this.#context.servers[index];
    if (server === undefined || response.other === null) return;
    if (learnOther(server, response.other)) this.#askOthers(index, now);
  }

  /** Our own request came back from outside to the other socket. */
  hairpinned(socket: number, transaction: Transaction): void {
    if (socket === transaction.socket) return;
    this.evidence.hairpin = true;
    for (const other of this.#context.transactions.pending('hairpin')) this.#context.transactions.finish(other);
  }

  refused(transaction: Transaction): void {
    if (transaction.purpose.test === 'filtering')
      setFilter(this.evidence.filter, transaction.purpose.change, 'refused');
    else this.gaveUp(transaction);
  }

  gaveUp({ purpose }: Transaction): void {
    if (purpose.test === 'mapping') {
      const server = this.evidence.servers[purpose.server];
      if (server !== undefined) server[TARGETS[purpose.target]] = 'silent';
    } else if (purpose.test === 'filtering') {
      setFilter(this.evidence.filter, purpose.change, 'silent');
    } else if (purpose.test === 'hairpin') {
      this.evidence.hairpin ??= false;
    } else if (purpose.test === 'fresh') {
      this.#closeFresh(purpose.index);
    }
  }

  // What follows

  /** Begins what the answers so far allow. */
  advance(now: number): void {
    // A host that is out of sockets never opens one: the round goes on without.
    if (now >= this.socketDueAt()) this.#second = { state: 'none' };
    this.#askFiltering(now);
    this.#beginFresh();
    this.#askHairpin(now);
  }

  socketDueAt(): number {
    return this.#second.state === 'asked' ? this.#beganAt + GIVE_UP_MS : Number.POSITIVE_INFINITY;
  }

  /** Closes every socket that it opened. */
  close(): void {
    this.closeSecond();
    for (const socket of this.#fresh.closeAll()) this.#context.act({ type: 'close-socket', socket });
  }

  closeSecond(): void {
    if (this.#second.state === 'open') this.#context.act({ type: 'close-socket', socket: this.#second.socket });
    this.#second = { state: 'none' };
  }

  socketOpened(now: number, request: number, socket: number, port: number): void {
    const fresh = this.#fresh.opened(request, socket, port);
    if (fresh !== null) return this.#askFresh(now, fresh, socket);
    if (this.#second.state !== 'asked' || this.#second.request !== request) {
      return this.#context.act({ type: 'close-socket', socket });
    }
    this.#second = { state: 'open', socket };
    this.evidence.secondPort = port;
  }

  // Fresh mappings, for the port model

  #beginFresh(): void {
    const { nextRequest, act } = this.#context;
    for (const request of this.#fresh.begin(mappingOf(this.evidence), nextRequest))
      act({ type: 'open-socket', request });
  }

  #askFresh(now: number, index: number, socket: number): void {
    const to = this.#context.servers[this.answering()]?.primary;
    if (to === undefined) return this.#closeFresh(index);
    this.#context.transactions.start({ test: 'fresh', index }, socket, to, now);
  }

  #freshMapped(index: number, mapped: Endpoint): void {
    this.#fresh.answered(index, mapped.port);
    this.evidence.fresh = this.#fresh.samples();
    this.#closeFresh(index);
  }

  #closeFresh(index: number): void {
    const socket = this.#fresh.close(index);
    if (socket !== null) this.#context.act({ type: 'close-socket', socket });
  }

  // Filtering, from the second socket

  #askFiltering(now: number): void {
    if (this.#second.state !== 'open' || this.#filterServer !== null) return;
    const { servers, transactions } = this.#context;
    const index = filterServer(servers, this.evidence);
    const server = servers[index];
    if (server === undefined) return;
    this.#filterServer = index;
    this.evidence.filter = { plain: 'pending', changePort: 'pending', changeBoth: 'pending' };
    for (const change of ['none', 'port', 'both'] as const) {
      transactions.start({ test: 'filtering', change }, this.#second.socket, server.primary, now);
    }
  }

  #filterAnswered(transaction: Transaction, from: Endpoint, mapped: Endpoint): void {
    if (transaction.purpose.test !== 'filtering') return;
    const { change } = transaction.purpose;
    const to = { ip: canonicalIp(transaction.to.ip), port: transaction.to.port };
    if (change === 'none') this.evidence.filter.plain = mapped;
    else setFilter(this.evidence.filter, change, cameFromChanged(change, from, to) ? 'answered' : 'refused');
  }

  // Hairpin, between the two sockets

  /** Only where the mapping is one for all destinations: elsewhere nobody knows the endpoint to ask. */
  #askHairpin(now: number): void {
    const { transactions, mainSocket } = this.#context;
    if (this.#hairpinDone || this.#second.state !== 'open') return;
    if (transactions.pending('mapping').length > 0 || transactions.pending('filtering').length > 0) return;
    this.#hairpinDone = true;
    const main = this.evidence.servers[this.answering()]?.primary;
    const second = this.evidence.filter.plain;
    if (main === undefined || !isSeen(main) || !isSeen(second) || mappingOf(this.evidence) !== 'endpoint-independent')
      return;
    // Each opens its own filter for the other, so that what is missing is the hairpin and nothing else.
    transactions.start({ test: 'hairpin' }, mainSocket, second, now);
    transactions.start({ test: 'hairpin' }, this.#second.socket, main, now);
  }
}
